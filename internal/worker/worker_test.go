package worker_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/worker"
	"github.com/fapilog/fapilog/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func same(err error) error { return err }

type sinkFunc func(context.Context, []sinks.Event) error

func (f sinkFunc) Write(ctx context.Context, batch []sinks.Event) error { return f(ctx, batch) }

// start starts a worker for s and has it deliver one record.
func start(t *testing.T, o *event.Origin, s sinks.Sink, backoff worker.Backoff) *worker.Worker {
	t.Helper()
	j := journal.New(journal.Options{Limit: 1 << 20})
	w := worker.Start(j, o, worker.Options{
		Sink: s, Redact: same, OnChange: func() {},
		Batch: 10, BatchBytes: 1000, Timeout: time.Second, Backoff: backoff,
	})
	t.Cleanup(func() {
		j.Close()
		w.Drain(time.Time{})
		w.Cancel()
		<-w.Done()
		j.Stop()
	})
	require.NoError(t, j.Append(make([]byte, 100)))
	return w
}

// The waits between attempts are random, and their bound doubles up to a limit.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const attempts = 400
		var at []time.Time
		enough := make(chan struct{})
		start(t, &event.Origin{}, sinkFunc(func(context.Context, []sinks.Event) error {
			if at = append(at, time.Now()); len(at) == attempts {
				close(enough)
				return nil
			}
			return errors.New("down")
		}), worker.Backoff{Base: 100 * time.Millisecond, Max: 10 * time.Second})
		<-enough
		var longest time.Duration
		different := map[time.Duration]bool{}
		for i := 1; i < attempts; i++ {
			wait := at[i].Sub(at[i-1])
			bound := 10 * time.Second
			if i < 8 {
				bound = min(bound, 100*time.Millisecond<<(i-1))
			}
			require.LessOrEqual(t, wait, bound, "wait %d", i)
			require.Positive(t, wait)
			longest, different[wait] = max(longest, wait), true
		}
		require.Greater(t, longest, 8*time.Second, "the bound is used")
		require.Greater(t, len(different), attempts/2, "the waits are random")
	})
}

func TestFromSinkKnowsWorkersGoroutines(t *testing.T) {
	t.Parallel()
	mine, other := &event.Origin{}, &event.Origin{}
	type answers struct{ bare, byContext, deep, ofOther bool }
	got := make(chan answers, 1)
	start(t, mine, sinkFunc(func(ctx context.Context, _ []sinks.Event) error {
		var a answers
		a.bare = worker.FromSink(context.Background(), mine)
		var deep func(n int) bool
		deep = func(n int) bool {
			if n == 0 {
				return worker.FromSink(context.Background(), mine)
			}
			return deep(n-1) && n >= 0
		}
		a.deep = deep(1000)
		done := make(chan struct{})
		go func() { a.byContext = worker.FromSink(ctx, mine); close(done) }()
		<-done
		a.ofOther = worker.FromSink(ctx, other)
		got <- a
		return nil
	}), worker.Backoff{})
	require.Equal(t, answers{bare: true, byContext: true, deep: true, ofOther: false}, <-got)
	require.False(t, worker.FromSink(t.Context(), mine))

	// The flag alone proves nothing: a program may set it, too.
	defer runtime.UnlockOSThread()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	require.False(t, worker.FromSink(t.Context(), mine))
	require.True(t, debug.SetPanicOnFault(true), "the flag is as it was")
}

func TestBoundedDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		err := worker.Bounded(t.Context(), time.Second, same, func(context.Context) error { time.Sleep(time.Hour); return nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begin), 2*time.Second)

		why := errors.New("why")
		err = worker.Bounded(t.Context(), time.Second, same, func(ctx context.Context) error { <-ctx.Done(); return why })
		require.Equal(t, why, err, "the answer says more than the time")
		require.ErrorContains(t, worker.Bounded(t.Context(), time.Second, same, func(context.Context) error { panic("oh") }), "panic: oh")
		require.ErrorContains(t, worker.Bounded(t.Context(), time.Second, same, func(context.Context) error { runtime.Goexit(); return nil }), "Goexit")
		time.Sleep(time.Hour)
	})
}
