// Command postgres logs to a PostgreSQL database and asks it for the errors, as a
// person who looks for something would. The URI is the first argument, or in the
// environment variable POSTGRES_URI; the table, which is created, is that of the
// sink's default.
//
//	go run ./examples/sinks/postgres 'postgres://app:secret@localhost:5432/logs'
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/fapilog/fapilog"
	_ "github.com/fapilog/fapilog/sinks/postgres"
)

func main() {
	uri := os.Getenv("POSTGRES_URI")
	if len(os.Args) > 1 {
		uri = os.Args[1]
	}
	if err := run(context.Background(), cmp.Or(uri, "postgres://localhost:5432/logs"), os.Stdout); err != nil {
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
	log.Error("payment refused", "order", 4711, slog.Group("card", "type", "visa", "reason", "expired"))
	if err := out.Close(); err != nil { // delivers what is left
		return err
	}
	return read(ctx, uri, w)
}

// The table is one like any other. -> is for values, ->> for their text.
const query = `
	SELECT service, message, attrs->>'order', attrs->'card'->>'reason'
	FROM logs
	WHERE level = 'ERROR' AND time > now() - interval '1 hour' AND attrs @> '{"card": {"type": "visa"}}'
	ORDER BY time`

// read prints the errors of the last hour.
func read(ctx context.Context, uri string, w io.Writer) error {
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return err
	}
	var service, message, order, reason string
	_, err = pgx.ForEachRow(rows, []any{&service, &message, &order, &reason}, func() error {
		_, err := fmt.Fprintf(w, "%s: %s: order %s, card %s\n", service, message, order, reason)
		return err
	})
	return err
}
