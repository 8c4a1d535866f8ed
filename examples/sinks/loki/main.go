// Command loki logs to a Grafana Loki and asks it for the errors, as a person who
// looks for something would. The URI is the first argument, or in the environment
// variable LOKI_URI.
//
//	go run ./examples/sinks/loki 'loki://localhost:3100?labels=env=dev&label_keys=level'
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"

	"github.com/fapilog/fapilog"
	_ "github.com/fapilog/fapilog/sinks/loki"
)

func main() {
	uri := os.Getenv("LOKI_URI")
	if len(os.Args) > 1 {
		uri = os.Args[1]
	}
	if err := run(context.Background(), cmp.Or(uri, "loki://localhost:3100?labels=env=dev&label_keys=level"), os.Stdout); err != nil {
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
	log.Info("order received", "order", 4711, "trace_id", "4bf92f3577b34da6")
	log.Error("payment refused", "order", 4711, "trace_id", "4bf92f3577b34da6", slog.Group("card", "type", "visa", "reason", "expired"))
	if err := out.Close(); err != nil { // delivers what is left
		return err
	}
	return read(ctx, uri, w)
}

// The label set finds the stream, the trace id is structured metadata, and
// "| json" makes fields of the line: those of groups have underscores.
const query = `{service_name="shop", level="error"} | trace_id="4bf92f3577b34da6" | json | card_type="visa"`

// read prints the errors of the last hour.
func read(ctx context.Context, uri string, w io.Writer) error {
	loki, err := url.Parse(uri)
	if err != nil {
		return err
	}
	ask := url.URL{Scheme: "http", Host: loki.Host, Path: "/loki/api/v1/query_range", RawQuery: url.Values{"query": {query}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ask.String(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Stream map[string]string
				Values [][2]string // timestamp and line
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	for _, r := range answer.Data.Result {
		fmt.Fprintf(w, "%s: %s: order %s: card %s\n", r.Stream["service_name"], r.Stream["msg"], r.Stream["order"], r.Stream["card_reason"])
	}
	return nil
}
