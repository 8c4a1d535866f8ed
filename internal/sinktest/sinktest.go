// Package sinktest has what the tests of several of our sinks need: sinks and
// fan-outs that are closed at the end of the test, batches as the fan-out makes
// them, and a gate before an HTTP server at which requests have accidents.
package sinktest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// OpenURI opens the sink of a URI without a fan-out.
func OpenURI(t testing.TB, text string) (sinks.Sink, error) {
	t.Helper()
	uri, err := registry.Parse(text)
	require.NoError(t, err)
	s, err := registry.Default().Open(t.Context(), uri)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, s.(io.Closer).Close()) })
	}
	return s, err
}

// MustOpenURI is OpenURI for a URI that is right.
func MustOpenURI(t testing.TB, text string) sinks.Sink {
	t.Helper()
	s, err := OpenURI(t, text)
	require.NoError(t, err)
	return s
}

// Probe asks a sink whether its destination can be used.
func Probe(t testing.TB, s sinks.Sink) error {
	t.Helper()
	return s.(sinks.Prober).Probe(t.Context())
}

// Open opens a fan-out of the service shop, which says what goes wrong in the
// test's output.
func Open(t testing.TB, uris ...string) *fapilog.Fanout {
	t.Helper()
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: uris, Service: "shop", Fallback: t.Output(), ShutdownTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// Flush waits until all is delivered that was logged.
func Flush(t testing.TB, out *fapilog.Fanout) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, out.Flush(ctx))
}

// WaitFor waits until the first sink of a fan-out is in a state.
func WaitFor(t testing.TB, out *fapilog.Fanout, state fapilog.State) {
	t.Helper()
	testserver.Wait(t, "the state "+string(state), func() error {
		if s := out.Stats().Sinks[0]; s.State != state {
			return fmt.Errorf("it is %s: %w", s.State, s.LastError)
		}
		return nil
	})
}

// LogN logs records with the attributes i = 0, 1, ..., n-1.
func LogN(out *fapilog.Fanout, n int) {
	log := slog.New(fapilog.Handler(out, nil))
	for i := range n {
		log.Info("record", "i", i)
	}
}

// KindOf returns the verdict of an error.
func KindOf(err error) verdict.Kind {
	kind, _, _ := verdict.Of(err)
	return kind
}

// A Log makes batches of one log, as the fan-out does: the records have the
// numbers 1, 2, 3, ...
type Log struct {
	origin event.Origin
	last   uint64
}

// NewLog returns a log with an ID and the name of a service.
func NewLog(id, service string) *Log {
	return &Log{origin: event.Origin{Log: id, Service: service}}
}

// Batch returns the next records as a batch.
func (l *Log) Batch(records ...slog.Record) []sinks.Event {
	b := event.NewBatch(&l.origin)
	var events []sinks.Event
	for _, r := range records {
		l.last++
		events = append(events, sinks.Event(b.Add(frame.NewEncoder(nil).Append(nil, r), l.last)))
	}
	return events
}
