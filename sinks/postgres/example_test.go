package postgres_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks/postgres"
)

// A database that is not there yet when the program starts.
func Example() {
	out, err := fapilog.Open(context.Background(), "postgres://app:secret@db.invalid:5432/logs?table=shop_logs&sslmode=verify-full&soft_start=true")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close()
	slog.New(fapilog.Handler(out, nil)).Info("listening", "port", 8080)
}

// A program that has values instead of a URI.
func ExampleNew() {
	sink, err := postgres.New("host=db1,db2 user=app password=secret dbname=shop sslmode=verify-full", postgres.Options{Schema: "ops", NoCreate: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets: []fapilog.Target{{Name: "database", Sink: sink, Level: slog.LevelWarn, SoftStart: true}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close()
	slog.New(fapilog.Handler(out, nil)).Warn("disk is almost full", "percent", 91)
}
