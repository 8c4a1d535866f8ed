package testserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// LokiVersion is the version of Loki that the tests run. It is the one that the
// module in the directory loki requires.
const LokiVersion = "v3.7.8"

// lokiVariable names the environment variable with the address, host:port, of a
// Loki to use instead. It has to take old entries.
const lokiVariable = "FAPILOG_TEST_LOKI"

// A LokiConfig says in what a Loki differs from one that is configured as it
// comes.
type LokiConfig struct {
	Auth     bool   // it has tenants
	Limits   string // lines for the block limits_config, indented by two blanks
	Ingester string // lines for the block ingester, likewise
	Own      bool   // the test stops it or fills it
}

// Loki is a Loki that keeps its data in a directory, also when it is killed.
type Loki struct {
	*Process        // nil, if it is the one of the environment variable
	Address  string // host:port

	t testing.TB
}

// StartLoki starts a Loki. Where its program is missing, it is built if the test
// has the time for that:
//
//	go test -timeout 1h -run TestLoki ./internal/testserver
func StartLoki(t testing.TB, conf LokiConfig) *Loki {
	t.Helper()
	if address := os.Getenv(lokiVariable); address != "" && conf == (LokiConfig{}) {
		return &Loki{t: t, Address: address}
	}
	program := lokiProgram.find(t)
	dir := Dir(t)
	port, grpc := Port(t), Port(t)
	file := filepath.Join(dir, "loki.yaml")
	text := fmt.Sprintf(lokiConf, conf.Auth, port, grpc, dir, conf.Ingester, conf.Limits)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &Loki{t: t, Address: Address(port)}
	l.Process = Start(t, l.Address, program, "-config.file="+file, "-log.level=warn")
	l.wait()
	return l
}

// One process with everything, which talks to itself on the loopback interface.
// Queries do without a scheduler, which would take seconds to be found, and may
// have large answers.
const lokiConf = `
auth_enabled: %[1]t
analytics:
  reporting_enabled: false
server:
  http_listen_address: 127.0.0.1
  http_listen_port: %[2]d
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: %[3]d
  log_level: warn
  graceful_shutdown_timeout: 1s
  http_server_write_timeout: 10m
  grpc_server_max_recv_msg_size: 1073741824
  grpc_server_max_send_msg_size: 1073741824
common:
  instance_addr: 127.0.0.1
  path_prefix: %[4]s
  replication_factor: 1
  ring:
    kvstore:
      store: inmemory
  storage:
    filesystem:
      chunks_directory: %[4]s/chunks
      rules_directory: %[4]s/rules
schema_config:
  configs:
    - from: 2020-01-01
      store: tsdb
      object_store: filesystem
      schema: v13
      index:
        prefix: index_
        period: 24h
querier:
  query_ingesters_within: 0s
query_range:
  cache_results: false
frontend_worker:
  frontend_address: 127.0.0.1:%[3]d
  dns_lookup_duration: 100ms
  grpc_client_config:
    max_recv_msg_size: 1073741824
    max_send_msg_size: 1073741824
ingester:
  lifecycler:
    min_ready_duration: 0s
    final_sleep: 0s
%[5]s
limits_config:
  max_query_length: 0s
  max_entries_limit_per_query: 0
  split_queries_by_interval: 0s
  split_instant_metric_queries_by_interval: 0s
%[6]s
`

// LokiTakesAll are limits with which nothing is refused for its time or because
// there is much of it.
const LokiTakesAll = `
  reject_old_samples: false
  creation_grace_period: 876000h
  ingestion_rate_mb: 1000
  ingestion_burst_size_mb: 1000
  per_stream_rate_limit: 1GB
  per_stream_rate_limit_burst: 1GB
`

// LokiTakesDisorder is a configuration of the ingester with which an entry may be
// as much older than others of its stream as one likes.
const LokiTakesDisorder = `
  max_chunk_age: 876000h
`

// wait waits until Loki says that it is ready.
func (l *Loki) wait() {
	l.t.Helper()
	Wait(l.t, "Loki to be ready", func() error {
		resp, err := l.get("/ready", "")
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", resp.Status, text)
		}
		return err
	})
}

// Restart starts Loki again, after it was stopped or killed, and waits until it
// is ready.
func (l *Loki) Restart() {
	l.t.Helper()
	l.Process.Restart()
	l.wait()
}

// get sends a request over a connection of its own.
func (l *Loki) get(target, tenant string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+l.Address+target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Loki-Response-Encoding-Flags", "categorize-labels")
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
}

// Count returns how many entries Loki has of a stream, such as {app="shop"}, whose
// times are within the given time before now. tenant may be "".
func (l *Loki) Count(tenant, stream string, within time.Duration) (int, error) {
	values := url.Values{"query": {fmt.Sprintf("sum(count_over_time(%s[%dms]))", stream, within.Milliseconds())}}
	resp, err := l.get("/loki/api/v1/query?"+values.Encode(), tenant)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Value []any // time, number
			}
		}
	}
	if err := decodeLoki(resp, &answer); err != nil {
		return 0, err
	}
	switch result := answer.Data.Result; {
	case len(result) == 0:
		return 0, nil // of nothing, there is no sum
	case len(result) > 1 || len(result[0].Value) != 2:
		return 0, errors.New("query: the answer is not one number")
	default:
		return strconv.Atoi(fmt.Sprint(result[0].Value[1]))
	}
}

// decodeLoki reads the answer to a query.
func decodeLoki(resp *http.Response, into any) error {
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return fmt.Errorf("query: read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("query: %s: %.500s", resp.Status, text)
	}
	return json.Unmarshal(text, into)
}

// A LokiEntry is one entry that a query has found.
type LokiEntry struct {
	Labels   map[string]string
	Metadata map[string]string // but for what Loki adds: detected_level
	Time     time.Time
	Line     string
}

// Query returns the entries that a query in LogQL finds between two times, the
// second of which is excluded, sorted by time. tenant may be "".
func (l *Loki) Query(tenant, query string, from, to time.Time) ([]LokiEntry, error) {
	values := url.Values{
		"query": {query}, "direction": {"forward"}, "limit": {"1000000"},
		"start": {strconv.FormatInt(from.UnixNano(), 10)}, "end": {strconv.FormatInt(to.UnixNano(), 10)},
	}
	resp, err := l.get("/loki/api/v1/query_range?"+values.Encode(), tenant)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Stream map[string]string
				Values [][]json.RawMessage
			}
		}
	}
	if err := decodeLoki(resp, &answer); err != nil {
		return nil, err
	}
	var entries []LokiEntry
	for _, s := range answer.Data.Result {
		for _, v := range s.Values {
			e := LokiEntry{Labels: s.Stream}
			var at string
			var more struct{ StructuredMetadata map[string]string }
			if len(v) != 3 {
				return nil, fmt.Errorf("query: a value has %d parts", len(v))
			}
			if err := errors.Join(json.Unmarshal(v[0], &at), json.Unmarshal(v[1], &e.Line), json.Unmarshal(v[2], &more)); err != nil {
				return nil, err
			}
			ns, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				return nil, err
			}
			e.Time = time.Unix(0, ns).UTC()
			delete(more.StructuredMetadata, "detected_level")
			e.Metadata = more.StructuredMetadata
			entries = append(entries, e)
		}
	}
	slices.SortStableFunc(entries, func(a, b LokiEntry) int { return a.Time.Compare(b.Time) })
	return entries, nil
}

// lokiProgram is Loki's program, which is built.
var lokiProgram = download{
	dir: "loki-" + LokiVersion, file: "loki", takes: 25 * time.Minute, make: buildLoki,
	install: "go test -timeout 1h -run TestLoki ./internal/testserver builds it (13 minutes of one processor)",
}

func buildLoki(program string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/fapilog/fapilog").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program+".new", "github.com/grafana/loki/v3/cmd/loki")
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), "internal", "testserver", "loki")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build Loki: %w: %s", err, out)
	}
	return os.Rename(program+".new", program)
}
