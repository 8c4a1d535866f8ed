package fapilog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// Faults that a sink or a program can have, beyond those of its destination.

type asPanics struct{}

func (asPanics) Error() string { return "as panics" }
func (asPanics) Unwrap() error { panic("unwrap") }

type nilMethods struct{ text string }

func (e *nilMethods) Error() string { return e.text }

// Whatever a sink returns is read where a panic is the sink's.
func TestErrorsThatAreNotWhatTheySeem(t *testing.T) {
	t.Parallel()
	item := func(err error) error { return &sinks.BatchError{Items: map[int]error{0: err}} }
	permanent := sinks.Permanent(errors.New("no"))
	var itself sinks.BatchError
	itself.Items = map[int]error{0: &itself}
	tests := map[string]struct {
		err       error
		lastError string
		rejected  uint64
		delivered uint64
		state     fapilog.State
	}{
		"nil *BatchError":             {err: (*sinks.BatchError)(nil), lastError: "nil *BatchError", state: fapilog.StateRetrying},
		"nil pointer of another type": {err: (*nilMethods)(nil), lastError: "panic: runtime error: invalid memory address", state: fapilog.StateRetrying},
		"Unwrap panics":               {err: asPanics{}, lastError: "panic: unwrap", state: fapilog.StateRetrying},
		"permanent BatchError":        {err: sinks.Permanent(item(nil)), rejected: 1, lastError: "all records delivered", state: fapilog.StateOK},
		"held BatchError":             {err: sinks.Hold(item(errors.New("x"))), lastError: "1 records not delivered", state: fapilog.StateHeld},
		"nested BatchError":           {err: item(fmt.Errorf("wrapped: %w", item(permanent))), rejected: 1, lastError: "no", state: fapilog.StateOK},
		"nested success":              {err: item(item(nil)), delivered: 1, state: fapilog.StateOK},
		"BatchError in itself":        {err: &itself, lastError: "nested too deeply", state: fapilog.StateRetrying},
		"joined":                      {err: errors.Join(errors.New("a"), permanent), rejected: 1, lastError: "a\nno", state: fapilog.StateOK},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var r registry.Registry
				r.Register("x", func(context.Context, *registry.URI) (sinks.Sink, error) {
					return &memo{fault: func(context.Context, []sinks.Event) error { return test.err }}, nil
				})
				out := open(t, fapilog.Config{Registry: &r, Sinks: []string{"x://u:password@h"}})
				logN(out, 1)
				time.Sleep(time.Second)
				synctest.Wait()
				st := out.Stats().Sinks[0]
				require.Equal(t, test.state, st.State)
				require.Equal(t, test.rejected, st.Rejected)
				require.Equal(t, test.delivered, st.Delivered)
				if test.lastError == "" {
					require.NoError(t, st.LastError)
				} else {
					require.ErrorContains(t, st.LastError, test.lastError)
				}
				_ = out.Close()
			})
		})
	}
}

// A sink that appends to its batch does not write into the next part.
func TestSinkThatAppendsToItsBatch(t *testing.T) {
	t.Parallel()
	s := &memo{fault: func(_ context.Context, batch []sinks.Event) error {
		_ = append(batch, batch[0], batch[0])
		if len(batch) > 1 {
			return sinks.TooLarge(errors.New("413"))
		}
		return nil
	}}
	out := open(t, fapilog.Config{Targets: targets(s)})
	want := logN(out, 8)
	require.NoError(t, out.Close())
	require.Equal(t, want, s.got())
}

// A goroutine that a sink has left behind reads its batch in peace, and the
// sink gets the right records.
func TestSinkThatLeavesAGoroutineBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var behind sync.WaitGroup
		s := &memo{}
		s.fault = func(ctx context.Context, batch []sinks.Event) error {
			for _, e := range batch {
				if want := fmt.Sprintf(`"msg":"%s"`, e.Message()); !strings.Contains(string(e.JSON()), want) {
					t.Errorf("%s is not in %s", want, e.JSON())
				}
			}
			if batch[0].Message() == "0" && s.calls == 1 {
				first := string(batch[0].JSON())
				behind.Go(func() {
					for range 100 {
						time.Sleep(time.Second)
						if got := string(batch[0].JSON()); got != first {
							t.Errorf("got %q, want %q", got, first)
						}
					}
				})
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		out := open(t, fapilog.Config{Targets: targets(s)})
		for range 200 {
			logN(out, 3)
			time.Sleep(500 * time.Millisecond)
		}
		require.NoError(t, out.Close())
		require.Len(t, s.got(), 600)
		behind.Wait()
	})
}

type leveler func() slog.Level

func (l leveler) Level() slog.Level { return l() }

func TestLevelThatPanics(t *testing.T) {
	t.Parallel()
	tg := target("nil", &memo{})
	tg.Level = (*slog.LevelVar)(nil)
	_, err := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{tg}})
	require.EqualError(t, err, "fapilog: open target 1 (nil): level: asking for it panics")

	calls := 0
	tg = target("later", &memo{})
	tg.Level = leveler(func() slog.Level {
		if calls++; calls > 2 {
			panic("level")
		}
		return slog.LevelWarn
	})
	out := open(t, fapilog.Config{Targets: []fapilog.Target{tg}})
	l := slog.New(fapilog.Handler(out, nil))
	for range 3 {
		l.Info("info")
		l.Warn("warn")
		require.NoError(t, out.Flush(t.Context()))
	}
	require.NoError(t, out.Close())
	require.Equal(t, []string{"warn", "warn", "warn"}, tg.Sink.(*memo).got(), "the last level holds")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestFallbackThatPanics(t *testing.T) {
	t.Parallel()
	calls := make(chan struct{}, 100)
	out := open(t, fapilog.Config{
		Targets:  targets(&memo{fault: func(context.Context, []sinks.Event) error { return sinks.Permanent(errors.New("no")) }}),
		Fallback: writerFunc(func([]byte) (int, error) { calls <- struct{}{}; panic("the test has ended") }),
	})
	logN(out, 1)
	<-calls
	require.NoError(t, out.Close())
	logN(out, 3)
	require.Empty(t, calls, "it is not used again")
}

func TestFallbackThatStalls(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	done := make(chan struct{}, 100)
	good := &memo{}
	out := open(t, fapilog.Config{
		Targets:  targets(good, &memo{fault: func(context.Context, []sinks.Event) error { return sinks.Permanent(errors.New("no")) }}),
		Fallback: writerFunc(func(p []byte) (int, error) { <-release; done <- struct{}{}; return len(p), nil }),
	})
	want := logN(out, 10)
	require.NoError(t, out.Close())
	require.Equal(t, want, good.got())
	logN(out, 100)
	close(release)
	<-done // the report
	<-done // the first late record, with which the stall was noticed
}

func TestFallbackIsNotFlooded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fallback syncBuffer
		var l *slog.Logger
		s := &memo{fault: func(context.Context, []sinks.Event) error { l.Info("from the sink"); return nil }}
		out := open(t, fapilog.Config{Targets: targets(s), Fallback: &fallback, Buffer: 4 << 10})
		l = slog.New(fapilog.Handler(out, nil))
		huge := strings.Repeat("x", 4<<10)
		for range 1000 {
			l.Info(huge)
			l.Info("m")
			time.Sleep(10 * time.Millisecond)
		}
		require.NoError(t, out.Close())
		require.LessOrEqual(t, strings.Count(fallback.String(), "\n"), 60)
		require.Contains(t, fallback.String(), "(1000 so far)")
	})
}

func TestFallbackLinesAreHarmless(t *testing.T) {
	t.Parallel()
	var fallback syncBuffer
	s := &memo{fault: func(context.Context, []sinks.Event) error {
		return sinks.Permanent(errors.New("\x1b[2J\x1b]0;owned\a\rfapilog: all fine\nfapilog: really"))
	}}
	out := open(t, fapilog.Config{Targets: targets(s), Fallback: &fallback})
	logN(out, 1)
	require.NoError(t, out.Close())
	require.NotContains(t, fallback.String(), "\x1b")
	require.NotContains(t, fallback.String(), "\r")
	require.Equal(t, 1, strings.Count(fallback.String(), "\n"))
}

func TestShutdownAgainWithAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	out := open(t, fapilog.Config{Targets: targets(&memo{})})
	require.NoError(t, out.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		require.NoError(t, out.Shutdown(ctx))
	}
}

// Flush waits for the records before it, although they are in a batch with
// others.
func TestFlushIsAboutWhatWasLoggedBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := make(chan struct{})
		calls := 0
		s := &memo{fault: func(_ context.Context, batch []sinks.Event) error {
			if batch[0].Message() == "busy" {
				<-busy
				return nil
			}
			calls++
			items := map[int]error{}
			for i, e := range batch {
				if e.Message() == "after" || calls == 1 {
					items[i] = sinks.RetryAfter(errors.New("later"), time.Second)
				}
			}
			return &sinks.BatchError{Items: items}
		}}
		out := open(t, fapilog.Config{Targets: targets(s)})
		l := slog.New(fapilog.Handler(out, nil))
		l.Info("busy")
		time.Sleep(time.Second)
		l.Info("before")
		flushed := make(chan error, 1)
		go func() { flushed <- out.Flush(t.Context()) }()
		synctest.Wait()
		for range 9 {
			l.Info("after")
		}
		start := time.Now()
		close(busy)
		require.NoError(t, <-flushed)
		require.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, out.Flush(ctx), "9 records undelivered: context deadline exceeded; last error: later")
		require.Error(t, out.Close())
	})
}

type goexits struct{ memo }

func (*goexits) Close() error { runtime.Goexit(); return nil }

func TestCloseThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	out := open(t, fapilog.Config{Targets: targets(&goexits{})})
	require.ErrorContains(t, out.Close(), "fapilog: shut down sink s0: the sink ended its goroutine with runtime.Goexit")
	require.Equal(t, fapilog.StateClosed, out.Stats().Sinks[0].State)
}

// The error of Shutdown says what was wrong, not that it was cancelled.
func TestShutdownSaysTheReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := &memo{fault: func(ctx context.Context, _ []sinks.Event) error {
			if calls++; calls == 1 {
				return errors.New("connection refused")
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		out := open(t, fapilog.Config{Targets: targets(s), ShutdownTimeout: time.Second})
		logN(out, 1)
		time.Sleep(time.Second)
		require.EqualError(t, out.Close(), "fapilog: shut down sink s0: 1 record undelivered; last error: connection refused")
	})
}

func TestDisabledTargetIsClosed(t *testing.T) {
	t.Parallel()
	s := &proberSink{}
	tg := target("off", s)
	tg.Disabled = true
	out := open(t, fapilog.Config{Targets: []fapilog.Target{tg, target("on", &memo{})}})
	require.Equal(t, int32(1), s.closed.Load())
	require.Zero(t, s.probes.Load())
	require.NoError(t, out.Close())
}

func TestMarksOfGaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &marking{}
		down := true
		var sizes []int
		s.fault = func(_ context.Context, batch []sinks.Event) error {
			sizes = append(sizes, len(batch))
			if down {
				return errors.New("down")
			}
			return nil
		}
		tg := target("s", s)
		tg.RetryMaxAge, tg.Batch = time.Second, 3
		out := open(t, fapilog.Config{Targets: []fapilog.Target{tg}})
		logN(out, 3)
		time.Sleep(time.Minute)
		synctest.Wait()
		down = false
		logN(out, 3)
		require.NoError(t, out.Close())
		require.Equal(t, []string{"3 records dropped", "0", "1", "2"}, s.got())
		for _, n := range sizes {
			require.LessOrEqual(t, n, 3, "marks count for the size of a batch")
		}
		require.Equal(t, uint64(3), out.Stats().Sinks[0].Delivered)
	})
}

// A disk that is full for a second does not cost half a minute.
func TestHeldSinkIsTriedSoonAtFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		s := &memo{fault: func(context.Context, []sinks.Event) error {
			at = append(at, time.Since(start).Round(time.Second))
			return sinks.Hold(errors.New("full"))
		}}
		out := open(t, fapilog.Config{Targets: targets(s)})
		logN(out, 1)
		time.Sleep(130 * time.Second)
		synctest.Wait()
		sec := time.Second
		require.Equal(t, []time.Duration{0, 1 * sec, 3 * sec, 7 * sec, 15 * sec, 31 * sec, 61 * sec, 91 * sec, 121 * sec}, at)
		_ = out.Close()
	})
}

func TestSeveralURIsInOneArgument(t *testing.T) {
	t.Parallel()
	_, err := fapilog.Open(t.Context(), "file:a.log,stdout")
	require.EqualError(t, err, "fapilog: open sink 1: these are 2 URIs: pass each as its own, or write %2C for a comma inside of one")
}

// A record is tried once, however little it may age.
func TestRetryMaxAgeLeavesTheFirstAttempt(t *testing.T) {
	t.Parallel()
	tg := target("s", &memo{})
	tg.RetryMaxAge = 1
	out := open(t, fapilog.Config{Targets: []fapilog.Target{tg}})
	want := logN(out, 10)
	require.NoError(t, out.Close())
	require.Equal(t, want, tg.Sink.(*memo).got())
}

// What needs an operator is said at once, whatever was said a moment ago.
func TestHeldIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fallback syncBuffer
		calls := 0
		out := open(t, fapilog.Config{Fallback: &fallback, Targets: targets(&memo{fault: func(context.Context, []sinks.Event) error {
			if calls++; calls == 1 {
				return errors.New("connection reset")
			}
			return sinks.Hold(errors.New("401"))
		}})})
		logN(out, 1)
		time.Sleep(time.Second)
		require.Contains(t, fallback.String(), "delivery fails and is tried again; last error: connection reset\n")
		require.Contains(t, fallback.String(), "held until an operator acts; last error: 401\n")
		require.Error(t, out.Close())
	})
}

// A batch that is to be larger than the buffer is sent before the buffer is
// full, and nothing is lost by waiting for more.
func TestBatchLargerThanTheBuffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tg := target("s", &memo{})
		tg.Batch, tg.BatchBytes, tg.Linger = 1<<20, 1<<30, time.Hour
		out := open(t, fapilog.Config{Targets: []fapilog.Target{tg}, Buffer: 64 << 10})
		for range 200 {
			logN(out, 10)
			time.Sleep(10 * time.Millisecond)
		}
		require.NoError(t, out.Close())
		st := out.Stats().Sinks[0]
		require.Zero(t, st.Dropped)
		require.Equal(t, uint64(2000), st.Delivered)
	})
}

// A destination that always says "now" is not asked without end.
func TestRetryAfterNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		out := open(t, fapilog.Config{Targets: []fapilog.Target{target("x", &memo{fault: func(context.Context, []sinks.Event) error {
			if attempts++; attempts == 101 {
				return nil
			}
			return sinks.RetryAfter(errors.New("busy"), 0)
		}})}})
		began := time.Now()
		logN(out, 1)
		for out.Stats().Sinks[0].Delivered == 0 {
			time.Sleep(time.Millisecond)
		}
		took := time.Since(began)
		require.NoError(t, out.Close())
		require.InDelta(t, time.Second, took, float64(20*time.Millisecond))
	})
}

// A batch of which some records are delivered and others refused is settled as a
// whole: Flush does not take the moment between the two for the end.
func TestFlushWaitsBeyondABatchOfBoth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, release := make(chan struct{}), make(chan struct{})
		batches := 0
		out := open(t, fapilog.Config{Targets: []fapilog.Target{{Name: "x", Batch: 2, Sink: &memo{fault: func(context.Context, []sinks.Event) error {
			if batches++; batches == 1 {
				<-begin // until Flush waits, which says what is lost from then on
				return &sinks.BatchError{Items: map[int]error{1: sinks.Permanent(errors.New("no"))}}
			}
			<-release
			return nil
		}}}}})
		logN(out, 10)
		flushed := make(chan error, 1)
		go func() { flushed <- out.Flush(t.Context()) }()
		synctest.Wait()
		close(begin)
		synctest.Wait()
		select {
		case err := <-flushed:
			t.Errorf("Flush returned while a batch was being delivered: %v", err)
			flushed <- err
		default:
		}
		close(release)
		require.ErrorContains(t, <-flushed, "1 record lost")
		require.NoError(t, out.Close())
		require.EqualValues(t, 9, out.Stats().Sinks[0].Delivered)
	})
}
