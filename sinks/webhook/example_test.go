package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks/webhook"
)

// collector stands for a service that takes log records.
func collector() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s %s\n%s\n", r.Method, r.URL, r.Header.Get("Content-Type"), body)
		w.WriteHeader(http.StatusAccepted)
	}))
}

// A webhook by its URI: a batch is a request.
func Example() {
	server := collector()
	defer server.Close()

	out, err := fapilog.Open(context.Background(), server.URL+"/ingest?query=team%3D7")
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	log.Info("listening", "port", 8080)
	log.Warn("slow", "ms", 1200)
	out.Close() // delivers what is left
	// Output:
	// POST /ingest?team=7 application/x-ndjson
	// {"level":"INFO","msg":"listening","port":8080}
	// {"level":"WARN","msg":"slow","ms":1200}
}

// A program that has values instead of a URI.
func ExampleNew() {
	server := collector()
	defer server.Close()

	sink, err := webhook.New(server.URL, webhook.Options{Format: webhook.Array, Header: http.Header{"X-Scope": {"shop"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets: []fapilog.Target{{Name: "collector", Sink: sink, Level: slog.LevelWarn}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	log.Info("not for the collector")
	log.Warn("disk is almost full", "percent", 91)
	out.Close()
	// Output:
	// POST / application/json
	// [{"level":"WARN","msg":"disk is almost full","percent":91}]
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
