package elasticsearch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/elasticsearch"
)

// BenchmarkWrite compares the sink with the bulk request that it makes, built
// before and sent with net/http, whose answer is parsed: to a server in the same
// process that answers at once, and to an Elasticsearch and an OpenSearch. An
// operation is a record.
func BenchmarkWrite(b *testing.B) {
	const size = 5000
	drain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"items":[`+strings.TrimSuffix(strings.Repeat(`{"create":{"status":201}},`, bytes.Count(body, []byte("\n"))/2), ",")+`]}`)
	}))
	b.Cleanup(drain.Close)
	for _, to := range []string{"drain", "elasticsearch", "opensearch"} {
		b.Run("to="+to, func(b *testing.B) {
			url, index := drain.URL, "logs"
			if start := servers[to]; start != nil {
				e := start(b)
				url, index = "http://"+e.Address, e.Index()
				e.Do(http.MethodPut, "/"+index, `{"mappings":{"properties":{"message":{"type":"text"}}}}`)
			}
			for _, how := range []string{"raw", "sink"} {
				b.Run("how="+how, func(b *testing.B) { benchmarkWrite(b, url, index, how, size) })
			}
		})
	}
}

func benchmarkWrite(b *testing.B, url, index, how string, size int) {
	s, err := elasticsearch.New(url, elasticsearch.Options{Index: index})
	require.NoError(b, err)
	defer s.Close()
	_ = s.Probe(context.Background()) // the drain is no Elasticsearch
	recorder := &bodies{}
	copying := httptest.NewServer(recorder)
	defer copying.Close()
	same, err := elasticsearch.New(copying.URL, elasticsearch.Options{Index: index})
	require.NoError(b, err)
	defer same.Close()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	for n := 0; n < b.N; n += size {
		b.StopTimer()
		batch := benchBatch(fmt.Sprintf("%s-%d-%d", how, n, time.Now().UnixNano()), size)
		if how == "raw" {
			require.Error(b, same.Write(context.Background(), batch)) // makes the body
		}
		b.StartTimer()
		if how == "sink" {
			require.NoError(b, s.Write(context.Background(), batch))
			continue
		}
		resp, err := client.Post(url+"/"+index+"/_bulk?filter_path=items.*.status", "application/x-ndjson", bytes.NewReader(recorder.last))
		require.NoError(b, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(b, err)
		require.NoError(b, resp.Body.Close())
		var answer struct {
			Items []struct{ Create struct{ Status int } }
		}
		require.NoError(b, json.Unmarshal(text, &answer))
		require.Len(b, answer.Items, size)
		for i := range answer.Items {
			if answer.Items[i].Create.Status != http.StatusCreated {
				b.Fatal(answer.Items[i])
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// bodies keeps the body of the last bulk request.
type bodies struct{ last []byte }

func (r *bodies) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodPost {
		r.last, _ = io.ReadAll(req.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func benchBatch(log string, size int) []sinks.Event {
	records := make([]slog.Record, size)
	now := time.Now()
	for i := range records {
		records[i] = slog.NewRecord(now.Add(time.Duration(i)*time.Microsecond), slog.LevelInfo, "request served", 0)
		records[i].Add("method", "GET", "path", "/api/orders/4711", "status", 200, "duration", 1234*time.Microsecond, "i", i)
	}
	return sinktest.NewLog(log, "shop").Batch(records...)
}
