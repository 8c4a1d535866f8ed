// Command slack logs to a channel of Slack: many errors become one message, which
// says how many there were. The URI is the first argument, or in the environment
// variable SLACK_URI: that of an incoming webhook, with slack instead of https.
//
//	go run ./examples/sinks/slack 'slack://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX'
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/fapilog/fapilog"
	_ "github.com/fapilog/fapilog/sinks/slack"
)

func main() {
	uri := os.Getenv("SLACK_URI")
	if len(os.Args) > 1 {
		uri = os.Args[1]
	}
	if err := run(context.Background(), cmp.Or(uri, "slack://hooks.slack.com/services/T/B/X"), os.Stdout); err != nil {
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
	log.Info("order received", "order", 4711) // not for this sink: it gets errors
	for order := 4711; order < 4811; order++ {
		log.Error("payment refused", "order", order, "trace_id", "4bf92f3577b34da6", "error", errors.New("card expired"))
	}
	log.Error("mail not sent", "order", 4711, slog.Group("smtp", "code", 451))

	if err := out.Close(); err != nil { // sends the last message
		return err
	}
	slack := out.Stats().Sinks[0]
	fmt.Fprintf(w, "%d errors are in the channel\n", slack.Delivered)
	return nil
}
