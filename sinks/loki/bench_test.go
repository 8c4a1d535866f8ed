package loki_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/loki"
)

// BenchmarkWrite measures requests alone, for several sizes of batches, to a
// server in the same process that forgets them, and to Loki. The records are of
// one stream, and have been rendered before. An operation is a record.
func BenchmarkWrite(b *testing.B) {
	drain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	b.Cleanup(drain.Close)
	for _, to := range []string{"drain", "loki"} {
		b.Run("to="+to, func(b *testing.B) {
			url := drain.URL
			if to == "loki" {
				l := testserver.StartLoki(b, testserver.LokiConfig{Own: true, Limits: testserver.LokiTakesAll})
				url = "http://" + l.Address
			}
			for _, size := range []int{100, 1000, 5000, 10_000} {
				b.Run(fmt.Sprintf("records=%d", size), func(b *testing.B) { benchmarkWrite(b, url, size) })
			}
		})
	}
}

func benchmarkWrite(b *testing.B, url string, size int) {
	s, err := loki.New(url, loki.Options{Labels: map[string]string{"app": "bench"}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	log := sinktest.NewLog("LOG", "shop")
	b.ReportAllocs()
	for n := 0; n < b.N; n += size {
		b.StopTimer()
		records := make([]slog.Record, size)
		now := time.Now()
		for i := range records {
			records[i] = record(now.Add(time.Duration(i)*time.Microsecond), "request served", "method", "GET", "path", "/api/orders/4711", "status", 200, "duration", 1234*time.Microsecond, "i", n+i)
		}
		batch := log.Batch(records...)
		batch[0].JSON() // renders them all
		b.StartTimer()
		if err := s.Write(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
