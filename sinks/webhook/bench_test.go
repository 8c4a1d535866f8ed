package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/webhook"
)

// drain is a server in the same process that reads bodies and forgets them.
func drain(b *testing.B) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(s.Close)
	return s
}

var formats = []webhook.Options{{}, {Format: webhook.Array}, {Compress: "gzip"}, {Compress: "zstd"}}

// BenchmarkWrite measures requests alone, for several sizes of batches: the
// records have been rendered before. An operation is a record.
func BenchmarkWrite(b *testing.B) {
	for _, o := range formats {
		for _, size := range []int{100, 1000, 5000, 20_000} {
			b.Run(fmt.Sprintf("format=%s/compress=%s/records=%d", o.Format, o.Compress, size), func(b *testing.B) {
				s, err := webhook.New(drain(b).URL, o)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				batch := make([]sinks.Event, size)
				for i := range batch {
					batch[i] = event("request served", "method", "GET", "path", "/api/orders/4711", "status", 200, "duration", 1234*time.Microsecond, "i", i)
					batch[i].JSON()
				}
				b.ReportAllocs()
				b.ResetTimer()
				for n := 0; n < b.N; n += size {
					if err := s.Write(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// BenchmarkFanout measures the whole way: one goroutine logs five attributes as
// fast as the sink takes them. An operation is a record.
func BenchmarkFanout(b *testing.B) {
	for _, o := range formats {
		b.Run(fmt.Sprintf("format=%s/compress=%s", o.Format, o.Compress), func(b *testing.B) {
			s, err := webhook.New(drain(b).URL, o)
			if err != nil {
				b.Fatal(err)
			}
			out, err := fapilog.New(context.Background(), fapilog.Config{
				Targets:         []fapilog.Target{{Sink: s, Overflow: fapilog.Block, BlockTimeout: time.Minute}},
				ShutdownTimeout: time.Minute,
			})
			if err != nil {
				b.Fatal(err)
			}
			log := slog.New(fapilog.Handler(out, nil))
			ctx := context.Background()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				log.LogAttrs(ctx, slog.LevelInfo, "request served", slog.String("method", "GET"), slog.String("path", "/api/orders/4711"),
					slog.Int("status", 200), slog.Duration("duration", 1234*time.Microsecond), slog.Int("i", i))
			}
			if err := out.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			if st := out.Stats().Sinks[0]; st.Delivered != uint64(b.N) {
				b.Fatalf("%d of %d records delivered", st.Delivered, b.N)
			}
		})
	}
}
