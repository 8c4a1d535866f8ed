package sinks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

func event(message string, args ...any) sinks.Event {
	r := slog.NewRecord(time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), slog.LevelWarn, message, 0)
	r.Add(args...)
	return sinks.NewEvent(r)
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	tests := []struct {
		err   error
		kind  verdict.Kind
		after time.Duration
		told  bool
	}{
		{cause, verdict.Retry, 0, false},
		{sinks.RetryAfter(cause, time.Second), verdict.Retry, time.Second, true},
		{sinks.RetryAfter(cause, -time.Second), verdict.Retry, 0, true},
		{sinks.TooLarge(cause), verdict.TooLarge, 0, false},
		{sinks.Permanent(cause), verdict.Permanent, 0, false},
		{sinks.Hold(cause), verdict.Hold, 0, false},
		{fmt.Errorf("write: %w", sinks.Hold(cause)), verdict.Hold, 0, false},
		{sinks.Permanent(sinks.Hold(cause)), verdict.Permanent, 0, false}, // the outermost
	}
	for _, test := range tests {
		kind, after, told := verdict.Of(test.err)
		require.Equal(t, test.kind, kind, "%v", test.err)
		require.Equal(t, test.after, after)
		require.Equal(t, test.told, told)
		require.ErrorIs(t, test.err, cause)
		require.ErrorContains(t, test.err, "cause")
	}
	for _, err := range []error{sinks.Permanent(nil), sinks.Hold(nil), sinks.TooLarge(nil), sinks.RetryAfter(nil, time.Second)} {
		require.NoError(t, err)
	}
}

func TestBatchErrorSaysHowManyAndWhyTheFirst(t *testing.T) {
	t.Parallel()
	err := &sinks.BatchError{Items: map[int]error{7: errors.New("b"), 3: errors.New("a"), 1: nil}}
	require.EqualError(t, err, "2 records not delivered, the first at index 3: a")
	require.EqualError(t, &sinks.BatchError{}, "all records delivered")
}

type closeHandler struct {
	slog.Handler
	closed bool
}

func (h *closeHandler) Close() error {
	h.closed = true
	return nil
}

func TestFromHandlerClosesWhatCanBeClosed(t *testing.T) {
	t.Parallel()
	h := &closeHandler{Handler: slog.DiscardHandler}
	c, ok := sinks.FromHandler(h).(io.Closer)
	require.True(t, ok)
	require.NoError(t, c.Close())
	require.True(t, h.closed)
	_, ok = sinks.FromHandler(slog.DiscardHandler).(io.Closer)
	require.False(t, ok)
	require.PanicsWithValue(t, "sinks: FromHandler of a nil handler", func() { sinks.FromHandler(nil) })
}

type funcHandler func(r slog.Record) error

func (h funcHandler) Enabled(_ context.Context, l slog.Level) bool  { return l > slog.LevelDebug }
func (h funcHandler) Handle(_ context.Context, r slog.Record) error { return h(r) }
func (h funcHandler) WithAttrs([]slog.Attr) slog.Handler            { return h }
func (h funcHandler) WithGroup(string) slog.Handler                 { return h }

// The records that a handler fails for are the only ones that are tried again,
// whether it returned an error or panicked.
func TestFromHandlerJudgesRecordByRecord(t *testing.T) {
	t.Parallel()
	var got []string
	s := sinks.FromHandler(funcHandler(func(r slog.Record) error {
		switch r.Message {
		case "fails":
			return errors.New("no")
		case "panics":
			panic(io.ErrUnexpectedEOF)
		case "refused":
			return sinks.Permanent(errors.New("never"))
		}
		got = append(got, r.Message)
		return nil
	}))
	batch := []sinks.Event{event("a"), event("fails"), event("panics"), event("refused"), event("b")}
	err, ok := s.Write(t.Context(), batch).(*sinks.BatchError)
	require.True(t, ok)
	require.Equal(t, []string{"a", "b"}, got)
	require.Len(t, err.Items, 3)
	require.EqualError(t, err.Items[1], "no")
	require.Regexp(t, `^handler panicked: unexpected EOF \(in sinks_test\..*, sinks_test\.go:\d+\)$`, err.Items[2].Error())
	require.ErrorIs(t, err.Items[2], io.ErrUnexpectedEOF)
	kind, _, _ := verdict.Of(err.Items[3])
	require.Equal(t, verdict.Permanent, kind)
	require.NoError(t, s.Write(t.Context(), batch[:1]))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err, ok = s.Write(ctx, batch).(*sinks.BatchError)
	require.True(t, ok, "what was not tried is not delivered")
	require.Len(t, err.Items, len(batch))
}

func ExampleFromHandler() {
	var buf bytes.Buffer
	s := sinks.FromHandler(slog.NewTextHandler(&buf, nil))
	err := s.Write(context.Background(), []sinks.Event{event("disk full", "free", 0)})
	fmt.Print(buf.String())
	fmt.Println(err)
	// Output:
	// time=2026-01-02T03:04:05.006Z level=WARN msg="disk full" free=0
	// <nil>
}

func ExampleEvent() {
	e := event("paid", slog.Group("http", "status", 201), "took", 3*time.Millisecond)
	fmt.Println(e.Time(), e.Level(), e.Message())
	for a := range e.Attrs() {
		fmt.Println(a.Key, a.Value.Kind(), a.Value)
	}
	status, ok := e.Lookup("http.status")
	fmt.Println(status, ok)
	fmt.Printf("%s", e.JSON())
	// Output:
	// 2026-01-02 03:04:05.006 +0000 UTC WARN paid
	// http Group [status=201]
	// took Duration 3ms
	// 201 true
	// {"time":"2026-01-02T03:04:05.006Z","level":"WARN","msg":"paid","http":{"status":201},"took":3000000}
}

func ExampleSink() {
	// A sink translates one batch into one request, and the answer into a
	// verdict.
	var s sinks.Sink = sinkFunc(func(_ context.Context, batch []sinks.Event) error {
		var body bytes.Buffer
		for _, e := range batch {
			body.Write(e.JSON())
		}
		switch status := post(&body); status {
		case 204:
			return nil
		case 429:
			return sinks.RetryAfter(errors.New("too many requests"), time.Second)
		case 413:
			return sinks.TooLarge(errors.New("request too large"))
		default:
			return fmt.Errorf("status %d", status)
		}
	})
	fmt.Println(s.Write(context.Background(), []sinks.Event{event("a"), event("b")}))
	// Output: request too large
}

type sinkFunc func(context.Context, []sinks.Event) error

func (f sinkFunc) Write(ctx context.Context, batch []sinks.Event) error { return f(ctx, batch) }

func post(io.Reader) (status int) { return 413 }
