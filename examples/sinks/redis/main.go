// Command redis logs to a Redis stream and reads the records back, as a program
// that consumes them would. The URI is the first argument, or in the environment
// variable REDIS_URI; it may name a stream, and has no other parameters here.
//
//	go run ./examples/sinks/redis 'redis://localhost:6379?stream=shop'
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/fapilog/fapilog"
	_ "github.com/fapilog/fapilog/sinks/redis"
)

func main() {
	uri := os.Getenv("REDIS_URI")
	if len(os.Args) > 1 {
		uri = os.Args[1]
	}
	if err := run(context.Background(), cmp.Or(uri, "redis://localhost:6379"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, uri string, w io.Writer) error {
	out, err := fapilog.New(ctx, fapilog.Config{Service: "shop", Sinks: []string{uri}})
	if err != nil {
		return err
	}
	log := slog.New(fapilog.Handler(out, nil))
	log.Info("order received", "order", 4711)
	log.Error("payment refused", "order", 4711, "reason", "card expired")
	if err := out.Close(); err != nil { // delivers what is left
		return err
	}
	return read(ctx, uri, w)
}

// read prints what is in the stream. Each record has an id by which one that was
// sent again can be told.
func read(ctx context.Context, uri string, w io.Writer) error {
	u, err := url.Parse(uri)
	if err != nil {
		return err
	}
	stream := cmp.Or(u.Query().Get("stream"), "logs")
	u.RawQuery = "" // of the sink's parameters the client knows nothing
	options, err := redis.ParseURL(u.String())
	if err != nil {
		return err
	}
	client := redis.NewClient(options)
	defer client.Close()
	entries, err := client.XRange(ctx, stream, "-", "+").Result()
	if err != nil {
		return err
	}
	seen := make(map[any]bool)
	for _, e := range entries {
		if id := e.Values["id"]; !seen[id] {
			seen[id] = true
			fmt.Fprintln(w, e.Values["service"], e.Values["level"], e.Values["record"])
		}
	}
	return nil
}
