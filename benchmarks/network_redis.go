package main

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/fapilog/fapilog/internal/testserver"
	sink "github.com/fapilog/fapilog/sinks/redis"
	"github.com/redis/go-redis/v9"
)

// The names that the goals refer to.
const (
	nameRedis = "fapilog redis sink"
	nameXAdd  = "raw: pipelined XADD of go-redis, rendered before"
)

var toRedis = destination{
	name:  "Redis",
	goals: []networkGoal{{name: nameRedis, against: nameXAdd, times: 0.9}},
	start: startRedis,
}

func startRedis(t testing.TB, _ int) (*field, error) {
	server := testserver.StartRedis(t, "--appendonly", "no") // as Redis comes
	size := new(sink.Sink).Batching().Records
	counting := redis.NewClient(&redis.Options{Addr: server.Address})
	t.Cleanup(func() { _ = counting.Close() })
	// What was ever added to a stream: it is cut off at its end.
	added := func(stream string) func() uint64 {
		return func() uint64 {
			info, err := counting.XInfoStream(context.Background(), stream).Result()
			if err != nil {
				t.Fatal(err)
			}
			return uint64(info.EntriesAdded)
		}
	}
	return &field{
		title: fmt.Sprintf("%d records a pipeline, streams of the same fields, cut at %d entries, no append-only file", size, sink.DefaultMaxLen),
		contenders: []contender{
			{name: nameRedis, later: true, open: func(io.Writer) (*subject, error) {
				s, err := openSink("redis://" + server.Address + "?stream=sink")
				if err != nil {
					return nil, err
				}
				s.delivered = added("sink")
				return s, nil
			}},
			{name: nameXAdd, later: true, open: func(io.Writer) (*subject, error) {
				client := redis.NewClient(&redis.Options{Addr: server.Address})
				s := pipeliner(client, "raw", size).subject(client.Close)
				s.delivered = added("raw")
				return s, nil
			}},
		},
	}, nil
}

// pipeliner is what a program would do that has its records as lines.
func pipeliner(client *redis.Client, stream string, size int) *batcher {
	ctx, lines, seq := context.Background(), rendered(networkRecords, size), 0
	return &batcher{size: size, send: func(n int) error {
		pipe := client.Pipeline()
		for _, line := range lines[:n] {
			seq++
			pipe.XAdd(ctx, &redis.XAddArgs{
				Stream: stream, MaxLen: sink.DefaultMaxLen, Approx: true,
				Values: []any{"id", fmt.Sprintf("01J9ZQ3V5T8X2M4N6P7R9S0ABC:%d", seq), "level", "INFO", "record", line},
			})
		}
		_, err := pipe.Exec(ctx)
		return err
	}}
}
