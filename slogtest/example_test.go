package slogtest_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/slogtest"
)

// A program's tests look at what it logs.
func ExampleRecorder() {
	var logged slogtest.Recorder
	out, err := fapilog.New(context.Background(), fapilog.Config{Targets: []fapilog.Target{{Sink: &logged}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, nil))
	log.Info("order received", "order", 4711, slog.Group("customer", "id", 42))

	records, err := logged.Await(context.Background(), 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	customer, _ := slogtest.Lookup(records[0], "customer.id")
	fmt.Println(records[0]["msg"], records[0]["order"], customer, logged.IDs()[0].Seq)
	fmt.Println(out.Close())
	// Output:
	// order received 4711 42 1
	// <nil>
}
