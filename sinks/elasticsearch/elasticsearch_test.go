package elasticsearch_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/warn"
	"github.com/fapilog/fapilog/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testserver.Main{M: m}) }

// servers are those that each test is for that is about what both do.
var servers = map[string]func(testing.TB) *testserver.Elasticsearch{
	"elasticsearch": testserver.SharedElasticsearch,
	"opensearch":    testserver.SharedOpenSearch,
}

// onBoth runs a test with each of the servers.
func onBoth(t *testing.T, test func(t *testing.T, e *testserver.Elasticsearch)) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// isBulk says which requests have records.
func isBulk(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/_bulk") }

// at is the time of records whose time does not matter.
var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func record(msg string, args ...any) slog.Record {
	r := slog.NewRecord(at, slog.LevelInfo, msg, 0)
	r.Add(args...)
	return r
}

// numbered returns n records with the attribute i.
func numbered(n int) (records []slog.Record) {
	for i := range n {
		records = append(records, record("record", "i", i))
	}
	return records
}

// warnings returns a context, and what is warned of with it.
func warnings(t *testing.T) (context.Context, *[]string) {
	t.Helper()
	var all []string
	return warn.Context(t.Context(), func(err error) { all = append(all, err.Error()) }), &all
}

// uriOf makes a URI of an address.
func uriOf(address, index, parameters string) string {
	return "elasticsearch://" + address + "/" + index + "?" + parameters
}

// itemsOf returns the verdicts on the records of a batch.
func itemsOf(t *testing.T, err error) map[int]error {
	t.Helper()
	require.IsType(t, (*sinks.BatchError)(nil), err, "%v", err)
	return err.(*sinks.BatchError).Items
}

// A document is one as the sink makes it.
type document struct {
	ID        string    `json:"-"`
	Index     string    `json:"-"`
	Timestamp time.Time `json:"@timestamp"`
	Message   string    `json:"message"`
	Tags      []string  `json:"tags"`
	Log       struct {
		Level  string `json:"level"`
		Origin struct {
			Function string `json:"function"`
			File     struct {
				Name string `json:"name"`
				Line int    `json:"line"`
			} `json:"file"`
		} `json:"origin"`
	} `json:"log"`
	Service struct {
		Name string `json:"name"`
	} `json:"service"`
	Trace struct {
		ID string `json:"id"`
	} `json:"trace"`
	Span struct {
		ID string `json:"id"`
	} `json:"span"`
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
	Event struct {
		Sequence uint64 `json:"sequence"`
		Original string `json:"original"`
	} `json:"event"`
	ECS struct {
		Version string `json:"version"`
	} `json:"ecs"`
	Attributes map[string]any `json:"attributes"`
}

// documents returns what is in an index, in the order in which it was logged.
func documents(e *testserver.Elasticsearch, index string) (all []document, err error) {
	found, err := e.Documents(index, "event.sequence")
	for _, f := range found {
		d := document{ID: f.ID, Index: f.Index}
		decoder := json.NewDecoder(strings.NewReader(string(f.Source)))
		decoder.UseNumber()
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&d); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, err
}

// mustHave returns the documents of an index, of which there must be n.
func mustHave(t *testing.T, e *testserver.Elasticsearch, index string, n int) []document {
	t.Helper()
	all, err := documents(e, index)
	require.NoError(t, err)
	require.Len(t, all, n)
	return all
}
