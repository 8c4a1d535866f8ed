// Command customsink has a sink of its own, in sink.go. It is registered for
// the scheme "tickets", has typed parameters, and tells the fan-out by its
// verdicts what is to become of a batch.
//
// Where the records go is up to the environment:
//
//	FAPILOG_SINKS='stderr://,tickets://:token@127.0.0.1:8080/shop?priority=high&level=error' go run ./examples/customsink
//
// Without that, it starts a destination of its own (server.go) and sets
// FAPILOG_SINKS to it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/fapilog/fapilog"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if os.Getenv("FAPILOG_SINKS") == "" {
		addr, err := serve()
		if err != nil {
			return err
		}
		if err := os.Setenv("FAPILOG_SINKS", "tickets://:secret@"+addr+"/shop?priority=high&labels=app=shop,env=prod&level=warn"); err != nil {
			return err
		}
	}
	out, err := fapilog.Open(context.Background())
	if err != nil {
		return err
	}
	log := slog.New(fapilog.Handler(out, nil))

	log.Info("service started")
	log.Warn("payment is slow", "order", 41)
	log.Error("refuse this", "order", 42)
	log.Error("payment failed", "order", 43, "error", errors.New("card expired"))

	err = out.Close()
	for _, s := range out.Stats().Sinks {
		fmt.Printf("%s: %d delivered, %d filtered, %d rejected, %d dropped\n",
			s.Name, s.Delivered, s.Filtered, s.Rejected, s.Dropped)
	}
	return err
}
