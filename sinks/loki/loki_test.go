package loki_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is the time of records whose time does not matter.
var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func record(t time.Time, msg string, args ...any) slog.Record {
	r := slog.NewRecord(t, slog.LevelInfo, msg, 0)
	r.Add(args...)
	return r
}

// A logbook makes batches of one log, as the fan-out does.
type logbook struct {
	origin event.Origin
	last   uint64
}

func newLog(service string) *logbook {
	return &logbook{origin: event.Origin{Log: "LOG", Service: service}}
}

func (l *logbook) batch(records ...slog.Record) []sinks.Event {
	b := event.NewBatch(&l.origin)
	var events []sinks.Event
	for _, r := range records {
		l.last++
		events = append(events, sinks.Event(b.Add(frame.Frame(frame.NewEncoder(nil).Append(nil, r)), l.last)))
	}
	return events
}

// openURI opens a URI without a fan-out.
func openURI(t *testing.T, text string) (sinks.Sink, error) {
	t.Helper()
	uri, err := registry.Parse(text)
	require.NoError(t, err)
	s, err := registry.Default().Open(t.Context(), uri)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, s.(io.Closer).Close()) })
	}
	return s, err
}

// mustOpen is openURI for a URI that is right.
func mustOpen(t *testing.T, text string) sinks.Sink {
	t.Helper()
	s, err := openURI(t, text)
	require.NoError(t, err)
	return s
}

// open opens a fan-out, which says what goes wrong in the test's output.
func open(t *testing.T, uris ...string) *fapilog.Fanout {
	t.Helper()
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: uris, Service: "shop", Fallback: t.Output(), ShutdownTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// flush waits until all is delivered that was logged.
func flush(t *testing.T, out *fapilog.Fanout) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, out.Flush(ctx))
}

// uriOf makes a URI of a URL.
func uriOf(url, parameters string) string {
	return "loki" + strings.TrimPrefix(url, "http") + "?" + parameters
}

func kindOf(err error) verdict.Kind {
	kind, _, _ := verdict.Of(err)
	return kind
}
