package loki_test

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/loki"
	"github.com/fapilog/fapilog/slogtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	server := testserver.StartLoki(t, testserver.LokiConfig{Auth: true, Limits: testserver.LokiTakesAll, Ingester: testserver.LokiTakesDisorder})
	var tenants atomic.Int64
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		gate, tenant := sinktest.NewGate(t, server.Address, nil), fmt.Sprintf("tenant-%d", tenants.Add(1))
		sink, err := loki.New(gate.URL, loki.Options{
			Labels: map[string]string{"app": "shop"}, LabelKeys: []string{"level"}, MetadataKeys: []string{"last", "group.member"},
			RecordID: true, Tenant: tenant, Username: "user", Password: "secret-password", Header: http.Header{"X-Key": {"secret-header"}},
		})
		require.NoError(t, err)
		lost := gate.Fault("answer lost", slogtest.Retry, gate.Lose)
		lost.Delivers = true
		hangs := gate.Fault("no answer", slogtest.Retry, sinktest.Stall)
		hangs.Hangs = true
		return slogtest.Subject{
			Sink: sink, Idempotent: true, Secrets: []string{"secret-"},
			Records: func() ([]map[string]any, error) { return stored(server, tenant) },
			Refused: []slog.Record{record(time.Now().AddDate(200, 0, 0), "in the far future"), record(time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), "before 1678")},
			Faults: []slogtest.Fault{
				gate.Fault("slow down", slogtest.RetryAfter, sinktest.Answer(429, "Retry-After", "1", "secret-header")),
				gate.Fault("unavailable", slogtest.Retry, sinktest.Answer(503, "", "", "secret-password")),
				gate.Fault("refused", slogtest.Permanent, sinktest.Answer(400, "", "", "secret-header is wrong")),
				gate.Fault("too large", slogtest.TooLarge, sinktest.Answer(413, "", "", "")),
				gate.Fault("blocked", slogtest.Hold, sinktest.Answer(260, "", "", "ingestion blocked")),
				gate.Fault("password", slogtest.Hold, sinktest.Answer(401, "", "", "secret-password")),
				gate.Fault("path", slogtest.Hold, sinktest.Answer(404, "", "", "404 page not found")),
				gate.Fault("no Loki", slogtest.Hold, sinktest.Answer(200, "", "", "{}")),
				lost, hangs,
			},
		}
	})
}

// stored returns what Loki has of a tenant, as it was logged: the suite has
// records whose times are in another order.
func stored(server *testserver.Loki, tenant string) ([]map[string]any, error) {
	entries, err := server.Query(tenant, `{app="shop"}`, at.AddDate(-1, 0, 0), time.Now().Add(time.Hour))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b testserver.LokiEntry) int {
		i, _ := strconv.Atoi(a.Metadata["log_seq"])
		j, _ := strconv.Atoi(b.Metadata["log_seq"])
		return cmp.Compare(i, j)
	})
	var lines []byte
	for _, e := range entries {
		lines = append(append(lines, e.Line...), '\n')
	}
	return slogtest.ParseJSON(lines)
}

func TestURI(t *testing.T) {
	server := slogtest.NewServer(t)
	slogtest.TestURI(t, "loki://user:pass-word@"+server.URL[len("http://"):]+"/path?labels=a=b",
		"label_keys=-", "service_label=1", "metadata_keys=-", "record_id=x", "tenant=a%20b", "max_line_size=x", "proxy=x", "ca_file=/x")
}
