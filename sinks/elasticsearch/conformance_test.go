package elasticsearch_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/elasticsearch"
	"github.com/fapilog/fapilog/slogtest"
)

func TestConformance(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
			gate, index := sinktest.NewGate(t, e.Address, isBulk), e.Index()
			sink, err := elasticsearch.New("http://"+gate.Address, elasticsearch.Options{
				Index: index, APIKey: "id:secret-key", Header: http.Header{"X-Key": {"secret-header"}},
			})
			require.NoError(t, err)
			require.NoError(t, sink.Probe(t.Context()))
			// A field of the document itself that refuses what it is not made for, which a
			// text for the attributes does not help against. OpenSearch has none.
			e.Do(http.MethodPut, "/"+index+"/_mapping", `{"properties":{"span":{"properties":{"id":{"type":"keyword","ignore_above":1024,"fields":{"range":{"type":"long_range"}}}}}}}`)
			refused := []slog.Record{record("refused", "span_id", "no range")}
			lost, half := gate.Fault("answer lost", slogtest.Retry, gate.Lose), gate.Fault("half an answer", slogtest.Retry, gate.Half)
			lost.Delivers, half.Delivers = true, true
			hangs := gate.Fault("no answer", slogtest.Retry, sinktest.Stall)
			hangs.Hangs = true
			settings := func(body string) func() {
				return func() { e.Do(http.MethodPut, "/"+index+"/_settings", body) }
			}
			faults := []slogtest.Fault{
				{Name: "blocked for writing", Want: slogtest.Hold, Begin: settings(`{"index.blocks.write":true}`), End: settings(`{"index.blocks.write":null}`)},
				gate.Fault("slow down", slogtest.RetryAfter, sinktest.Answer(429, "Retry-After", "1", "secret-header")),
				gate.Fault("garbage", slogtest.Retry, sinktest.Answer(200, "", "", "<html>secret-key")),
				lost, hangs,
			}
			if strings.Contains(t.Name(), "/opensearch") { // they take their time
				refused = nil
				faults = []slogtest.Fault{
					{Name: "the disk is full", Want: slogtest.Hold, Begin: settings(`{"index.blocks.read_only_allow_delete":true}`), End: settings(`{"index.blocks.read_only_allow_delete":null}`)},
					gate.Fault("key", slogtest.Hold, sinktest.Answer(401, "", "", "secret-key and aWQ6c2VjcmV0LWtleQ==")),
					half,
				}
			}
			return slogtest.Subject{
				Sink: sink, Idempotent: true, Secrets: []string{"secret-", "aWQ6c2VjcmV0LWtleQ=="}, Faults: faults,
				Refused: refused,
				Records: func() ([]map[string]any, error) { return stored(e, index) },
			}
		})
	})
}

// stored returns what is in an index, as it was logged.
func stored(e *testserver.Elasticsearch, index string) ([]map[string]any, error) {
	all, err := documents(e, index)
	var records []map[string]any
	for _, d := range all {
		r := d.Attributes
		if d.Event.Original != "" {
			lines, err := slogtest.ParseJSON([]byte(d.Event.Original + "\n"))
			if err != nil {
				return nil, err
			}
			r = lines[0]
		}
		if r == nil {
			r = make(map[string]any)
		}
		if d.Timestamp.IsZero() {
			return nil, errors.New("a document has no @timestamp")
		}
		r[slog.LevelKey], r[slog.MessageKey] = d.Log.Level, d.Message
		if d.Event.Original == "" && !slices.Contains(d.Tags, "time_of_delivery") {
			r[slog.TimeKey] = d.Timestamp.Format(time.RFC3339Nano)
		}
		records = append(records, r)
	}
	return records, err
}

func TestURI(t *testing.T) {
	server := slogtest.NewServer(t)
	for _, scheme := range []string{"elasticsearch", "opensearch"} {
		slogtest.TestURI(t, fmt.Sprintf("%s://user:pass-word@%s/some-index?compress=none", scheme, strings.TrimPrefix(server.URL, "http://")),
			"compress=x", "create=x", "data_stream=Secret", "api_key_file=/x", "api_key_env=NOT_SET", "proxy=x", "ca_file=/x")
	}
}
