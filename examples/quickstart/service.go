package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The service in this file is any service that logs with log/slog. It imports
// the standard library only and does not know where its records go.

// newService returns the service: a shop that takes orders.
func newService() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		log := slog.With("order", r.PathValue("id"))
		var number int
		switch _, err := fmt.Sscan(r.PathValue("id"), &number); {
		case err != nil:
			log.WarnContext(r.Context(), "malformed order number", "error", err)
			http.Error(w, "malformed order number", http.StatusBadRequest)
		case number%100 == 0:
			log.ErrorContext(r.Context(), "payment failed", "error", fmt.Errorf("charge card: %w", net.ErrClosed))
			http.Error(w, "payment failed", http.StatusBadGateway)
		case number%40 == 0:
			log.WarnContext(r.Context(), "out of stock", "item", "umbrella", "left", 0)
			http.Error(w, "out of stock", http.StatusConflict)
		default:
			fmt.Fprintln(w, "ordered")
		}
	})
	return logRequests(mux)
}

// logRequests logs one record for each request.
func logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		next.ServeHTTP(w, r)
		slog.InfoContext(r.Context(), "request",
			slog.Group("http", "method", r.Method, "path", r.URL.Path),
			"duration", time.Since(start))
	})
}

// A customer sends orders to the service, one after the other.
type customer struct {
	url    string
	orders int
}

// order does so for a while, nearly 200 times a second.
func (c *customer) order(d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		c.orders++
		resp, err := http.Get(fmt.Sprintf("%s/orders/%d", c.url, c.orders))
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil {
			return err
		}
	}
	return nil
}
