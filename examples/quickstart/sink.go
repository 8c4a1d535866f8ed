package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// A sink of one's own: a scheme, a constructor, and a type with one method.
// What is not in it, batches, retries, counting, is the fan-out's.
func init() {
	registry.Register("collector", func(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
		return collectorSink("http://" + uri.Host), nil
	})
}

// A collectorSink is the URL that it posts to. Each record is a line of JSON
// with its id, by which the collector recognizes what it gets a second time.
type collectorSink string

func (s collectorSink) Write(ctx context.Context, batch []sinks.Event) error {
	var lines bytes.Buffer
	for _, e := range batch {
		fmt.Fprintf(&lines, "{\"id\":%q,\"record\":%s}\n", e.ID(), bytes.TrimSpace(e.JSON()))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(s), &lines)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err // the batch is sent again
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return errors.New(resp.Status)
	}
	return nil
}
