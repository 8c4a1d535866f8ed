package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/redis"
)

// BenchmarkWrite measures batches of several sizes. The records have been
// rendered before. An operation is a record. The bound is the server, which
// takes one processor for as long as the client waits for it.
func BenchmarkWrite(b *testing.B) {
	server := testserver.StartRedis(b, "--appendonly", "no")
	for _, o := range []redis.Options{{Stream: "stream"}, {List: "list"}, {Channel: "channel"}} {
		for _, size := range []int{100, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/records=%d", o.Stream+o.List+o.Channel, size), func(b *testing.B) {
				batch, s := served(size), opened(b, server, o)
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

// BenchmarkAgainstPipeline compares the sink with what a user would write with
// the same library: a pipeline of XADDs with the same fields, MAXLEN and batches.
// The two take turns. ratio is how many times as many records the sink sends in
// the same time.
func BenchmarkAgainstPipeline(b *testing.B) {
	const size = 1000
	server := testserver.StartRedis(b, "--appendonly", "no")
	batch, s := served(size), opened(b, server, redis.Options{Stream: "stream"})
	ctx, c := context.Background(), dial(b, server.Address, 0)
	raw := func() error {
		pipe := c.Pipeline()
		for _, e := range batch {
			line := e.JSON()
			pipe.XAdd(ctx, &client.XAddArgs{
				Stream: "raw", MaxLen: redis.DefaultMaxLen, Approx: true,
				Values: []any{"id", e.ID().String(), "level", e.Level().String(), "record", line[:len(line)-1]},
			})
		}
		_, err := pipe.Exec(ctx)
		return err
	}
	var ours, theirs time.Duration
	for n := 0; n < b.N; n += size {
		began := time.Now()
		if err := raw(); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if err := s.Write(ctx, batch); err != nil {
			b.Fatal(err)
		}
		theirs, ours = theirs+middle.Sub(began), ours+time.Since(middle)
	}
	b.ReportMetric(float64(theirs)/float64(ours), "ratio")
	b.ReportMetric(float64(theirs)/float64(b.N), "raw-ns/op")
	b.ReportMetric(float64(ours)/float64(b.N), "sink-ns/op")
}

// served returns a batch of records that have been rendered.
func served(n int) []sinks.Event {
	batch := make([]sinks.Event, n)
	for i := range batch {
		batch[i] = event("request served", "method", "GET", "path", "/api/orders/4711", "status", 200, "duration", 1234*time.Microsecond, "i", i)
		batch[i].JSON()
	}
	return batch
}

func opened(b *testing.B, server *testserver.Redis, o redis.Options) *redis.Sink {
	b.Helper()
	s, err := redis.New(server.Address, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}
