# Everything is run with "make test". Nothing has to be installed but Go, make
# and, for the race detector, a C compiler: the linters are Go tools, pinned in
# tools/go.mod. Tests that need a server which is not there are skipped, and say
# what to install.

# A number of runs: Go before 1.27 may take the end of a time for a failure
# (go.dev/issue/75804).
FUZZTIME ?= 10000x
BENCHFLAGS ?=

# Every module of the repository, but for that which Loki is built in, as it is;
# those with code in them.
modules := $(shell find . -name go.mod -not -path '*/testdata/*' -not -path './internal/testserver/*' | sed 's|/go.mod$$||' | sort)
code := $(filter-out ./tools,$(modules))
tool := go tool -modfile='$(CURDIR)/tools/go.mod'

# each runs a command in the directory of each module of a list.
each = set -e; for m in $(1); do echo "--- $$m: $(strip $(2))"; (cd "$$m" && $(2)); done
step = @echo; echo '==> $@'

# The documentation's snippets have a step of their own.
packages = $$(go list ./... | grep -v /internal/docs)

.PHONY: help test format vet staticcheck tidy vuln vuln-if-reachable servers unit race cross \
	bench-once quickstart fuzz snippets bench fmt cover
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 20

# In this order, up to the first that fails, which make then names.
test: format vet staticcheck tidy vuln-if-reachable unit race cross bench-once fuzz quickstart snippets ## run everything

format: ## check the formatting
	$(step)
	@bad=$$($(tool) gofumpt -l .) && test -z "$$bad" || { echo "not formatted, run make fmt: $$bad"; exit 1; }

vet: ## go vet
	$(step)
	@$(call each,$(code),go vet ./...)

staticcheck: ## staticcheck
	$(step)
	@$(call each,$(code),$(tool) staticcheck ./...)

tidy: ## check that go.mod and go.sum are tidy
	$(step)
	@$(call each,$(modules),go mod tidy -diff)

vuln: ## look for known vulnerabilities (asks the vulnerability database)
	$(step)
	$(tool) govulncheck ./...

vuln-if-reachable:
	$(step)
	@if out=$$($(tool) govulncheck ./... 2>&1); then echo "$$out"; else case $$out in \
		*'fetching vulnerabilities:'*) echo "skipped, the vulnerability database cannot be reached: $$out" ;; \
		*) echo "$$out"; exit 1 ;; \
	esac; fi

servers: ## get the servers for the tests that Debian does not have (once; Loki is built, for a quarter of an hour)
	$(step)
	go test -timeout 1h -run 'TestLoki|TestElasticsearch' ./internal/testserver

unit: ## run the tests and examples
	$(step)
	go test -timeout 5m $(packages)
	@$(call each,$(filter-out .,$(code)),go test ./...)

race: ## run the tests with the race detector
	$(step)
	@test "$$(go env GOOS)" = darwin || test "$$(go env CGO_ENABLED)" = 1 || \
		{ echo 'the race detector needs a C compiler: install gcc and the headers of the C library'; exit 1; }
	go test -race -timeout 10m $(packages)

cross: ## compile for other systems
	$(step)
	@set -e; for target in windows/amd64 darwin/arm64 linux/386 linux/arm64; do \
		echo "--- $$target: go build, go vet"; \
		export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; \
		go build ./...; go vet ./...; \
	done

bench-once: ## run every benchmark once
	$(step)
	go test -run '^$$' -bench . -benchtime 1x $(packages)
	cd benchmarks && go run . -quick

fuzz: ## run every fuzz test for FUZZTIME (10000x: that often; or a time)
	$(step)
	@.ci/fuzz $(FUZZTIME) $(code)

quickstart: ## run the first example
	$(step)
	go run ./examples/quickstart </dev/null

# Not cached: the snippets' programs use packages that the test does not.
snippets: ## compile and run the documentation's snippets
	$(step)
	go test -count=1 ./internal/docs

bench: ## compare with other handlers (minutes; BENCHFLAGS=-quick)
	@cd benchmarks && go run . $(BENCHFLAGS)

fmt: ## format
	$(tool) gofumpt -w .

cover: ## show how much of the code the tests cover
	go test -coverpkg=./... -coverprofile=coverage.out $(packages)
	go tool cover -func=coverage.out | tail -1
