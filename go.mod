module github.com/fapilog/fapilog

go 1.26.0

require github.com/stretchr/testify v1.12.1

require (
	github.com/lmittmann/tint v1.2.1 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/term v0.47.0 // indirect
)
