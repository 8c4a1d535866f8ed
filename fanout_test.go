package fapilog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A memo is a sink that notes the messages it gets, after whatever fault has
// to say about the batch.
type memo struct {
	fault func(ctx context.Context, batch []sinks.Event) error

	mu       sync.Mutex
	messages []string
	calls    int
}

func (m *memo) Write(ctx context.Context, batch []sinks.Event) error {
	m.mu.Lock()
	m.calls++
	m.mu.Unlock()
	if m.fault != nil {
		if err := m.fault(ctx, batch); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range batch {
		m.messages = append(m.messages, strings.Clone(e.Message()))
	}
	return nil
}

func (m *memo) got() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.messages...)
}

// syncBuffer is a buffer that may be read while it is written to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func open(t *testing.T, cfg fapilog.Config) *fapilog.Fanout {
	t.Helper()
	if cfg.Fallback == nil {
		cfg.Fallback = io.Discard
	}
	out, err := fapilog.New(t.Context(), cfg)
	require.NoError(t, err)
	return out
}

func target(name string, s sinks.Sink) fapilog.Target {
	return fapilog.Target{Name: name, Sink: s}
}

func targets(s ...sinks.Sink) (all []fapilog.Target) {
	for i, s := range s {
		all = append(all, target(fmt.Sprintf("s%d", i), s))
	}
	return all
}

// logN logs "0", "1", ... and returns these messages.
func logN(out *fapilog.Fanout, n int) (messages []string) {
	l := slog.New(fapilog.Handler(out, nil))
	for i := range n {
		m := fmt.Sprint(i)
		messages = append(messages, m)
		l.Info(m, "i", i)
	}
	return messages
}

func requireExact(t *testing.T, st fapilog.Stats) {
	t.Helper()
	for _, s := range st.Sinks {
		require.Equal(t, st.Appended, s.Filtered+s.Delivered+s.Dropped+s.Rejected+s.Pending, "%+v", s)
		require.Equal(t, s.Dropped, s.Drops.Overflow+s.Drops.Expired+s.Drops.Shutdown, "%+v", s)
	}
}

// Whatever one sink does, the others get every record, once, in order, and as
// if it were not there.
func TestOneSinksTroubleIsItsOwn(t *testing.T) {
	t.Parallel()
	refuseOdd := func(_ context.Context, batch []sinks.Event) error {
		for _, e := range batch {
			if v, _ := e.Lookup("i"); v.Int64()%2 == 1 {
				return sinks.Permanent(errors.New("odd"))
			}
		}
		return nil
	}
	tests := map[string]struct {
		fault func(context.Context, []sinks.Event) error
		check func(t *testing.T, s fapilog.SinkStats, got []string)
	}{
		"hangs until its context ends": {
			fault: func(ctx context.Context, _ []sinks.Event) error { <-ctx.Done(); return ctx.Err() },
		},
		"panics": {
			fault: func(context.Context, []sinks.Event) error { panic("oh") },
			check: func(t *testing.T, s fapilog.SinkStats, _ []string) {
				require.ErrorContains(t, s.LastError, "panic: oh (in fapilog_test.TestOneSinksTroubleIsItsOwn.")
				require.ErrorContains(t, s.LastError, "fanout_test.go:")
			},
		},
		"ends its goroutine": {
			fault: func(context.Context, []sinks.Event) error { runtime.Goexit(); return nil },
		},
		"fails for ever": {
			fault: func(context.Context, []sinks.Event) error { return errors.New("no") },
			check: func(t *testing.T, s fapilog.SinkStats, _ []string) {
				require.Positive(t, s.Retries)
				require.EqualError(t, s.LastError, "no")
			},
		},
		"is held": {
			fault: func(context.Context, []sinks.Event) error { return sinks.Hold(errors.New("disk full")) },
		},
		"says when to come back": {
			fault: func(context.Context, []sinks.Event) error { return sinks.RetryAfter(errors.New("busy"), time.Hour) },
			check: func(t *testing.T, s fapilog.SinkStats, _ []string) {
				require.LessOrEqual(t, s.Retries, uint64(2), "the last chance")
			},
		},
		"refuses single records": {
			fault: refuseOdd,
			check: func(t *testing.T, s fapilog.SinkStats, got []string) {
				require.Equal(t, uint64(50), s.Rejected)
				require.Equal(t, uint64(50), s.Delivered)
				for i, m := range got {
					require.Equal(t, fmt.Sprint(2*i), m)
				}
			},
		},
		"answers nonsense": {
			fault: func(context.Context, []sinks.Event) error {
				return &sinks.BatchError{Items: map[int]error{-1: errors.New("what")}}
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				before, bad, after := &memo{}, &memo{fault: test.fault}, &memo{}
				out := open(t, fapilog.Config{Targets: targets(before, bad, after)})
				start := time.Now()
				want := logN(out, 100)
				require.Zero(t, time.Since(start), "logging waited")
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
				require.Equal(t, want, before.got(), "delayed, lost, doubled or reordered")
				require.Equal(t, want, after.got(), "delayed, lost, doubled or reordered")
				requireExact(t, out.Stats())

				time.Sleep(10 * time.Second)
				err := out.Close()
				st := out.Stats()
				requireExact(t, st)
				s := st.Sinks[1]
				require.Zero(t, s.Pending)
				if s.Dropped > 0 {
					require.Equal(t, uint64(100), s.Drops.Shutdown)
					require.ErrorContains(t, err, "fapilog: shut down sink s1: 100 records undelivered")
					require.NotContains(t, err.Error(), "s0")
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, fapilog.StateClosed, s.State)
				if test.check != nil {
					test.check(t, s, bad.got())
				}
			})
		})
	}
}

func TestSinkThatIgnoresItsContextIsGivenUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	good := &memo{}
	bad := &memo{fault: func(context.Context, []sinks.Event) error { <-release; return nil }}
	out := open(t, fapilog.Config{Targets: targets(good, bad)})
	want := logN(out, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := out.Shutdown(ctx)
	require.EqualError(t, err, "fapilog: shut down sink s1: 10 records undelivered: the sink does not return")
	require.Equal(t, want, good.got())
	st := out.Stats()
	requireExact(t, st)
	require.Equal(t, uint64(10), st.Sinks[1].Drops.Shutdown)
	close(release)
	require.Eventually(t, func() bool { return len(bad.got()) == 10 }, time.Second, time.Millisecond)
	require.Equal(t, uint64(0), out.Stats().Sinks[1].Delivered, "the account was closed")
}

// A sink that hangs is seen to hang, long before the buffer is full.
func TestSinkThatHangsIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &memo{fault: func(context.Context, []sinks.Event) error { <-release; return nil }}
		var fallback syncBuffer
		out := open(t, fapilog.Config{Targets: targets(s), Fallback: &fallback})
		logN(out, 3)
		time.Sleep(fapilog.DefaultTimeout)
		require.Equal(t, fapilog.StateOK, out.Stats().Sinks[0].State, "it is in time")
		time.Sleep(2 * time.Second)
		st := out.Stats().Sinks[0]
		require.Equal(t, fapilog.StateHanging, st.State)
		require.EqualError(t, st.LastError, "the sink has not returned for 11s, although its timeout of 10s is over")
		require.Contains(t, fallback.String(), "sink s0: hangs; last error: the sink has not returned for 11s")
		close(release)
		time.Sleep(time.Minute)
		require.Equal(t, fapilog.StateOK, out.Stats().Sinks[0].State)
		require.Contains(t, fallback.String(), "sink s0: delivers again\n")
		require.NoError(t, out.Close())
	})
}

// What is logged after the end is often why it came to that.
func TestRecordsLoggedTooLateAreShown(t *testing.T) {
	t.Parallel()
	var fallback syncBuffer
	out := open(t, fapilog.Config{Targets: targets(&memo{}), Fallback: &fallback})
	require.NoError(t, out.Close())
	logN(out, 100)
	require.Contains(t, fallback.String(), `logged after the shutdown, and delivered to no sink: {"time":`)
	require.Equal(t, 16, strings.Count(fallback.String(), "\n"))
	require.Equal(t, uint64(100), out.Stats().Refused)
}

// The trouble of one sink does not hide that of another, nor do two changes
// within seconds hide a loss.
func TestReportsOfSinksAreIndependent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fallback syncBuffer
		fail := func(err error) *memo {
			return &memo{fault: func(context.Context, []sinks.Event) error { return err }}
		}
		out := open(t, fapilog.Config{
			Targets:  targets(fail(errors.New("down")), fail(sinks.Hold(errors.New("401"))), fail(sinks.Permanent(errors.New("400")))),
			Fallback: &fallback,
		})
		logN(out, 1)
		time.Sleep(time.Second)
		require.Contains(t, fallback.String(), "sink s0: delivery fails and is tried again; last error: down\n")
		require.Contains(t, fallback.String(), "sink s1: held until an operator acts; last error: 401\n")
		require.Contains(t, fallback.String(), "sink s2: 1 record rejected: the destination refuses it (1 so far); last error: 400\n")
		lines := strings.Count(fallback.String(), "\n")
		logN(out, 5)
		time.Sleep(time.Second)
		require.Equal(t, lines, strings.Count(fallback.String(), "\n"), "at most every 10 seconds")
		time.Sleep(10 * time.Second)
		require.Contains(t, fallback.String(), "sink s2: 5 records rejected: the destination refuses them (6 so far); last error: 400\n")
		require.Error(t, out.Close())
	})
}

func TestVerdictsOnSingleRecords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := map[string]int{}
		s := &memo{}
		s.fault = func(_ context.Context, batch []sinks.Event) error {
			items := map[int]error{}
			for i, e := range batch {
				m := strings.Clone(e.Message())
				attempts[m]++
				switch {
				case m == "3":
					items[i] = sinks.Permanent(errors.New("bad"))
				case m == "5" && attempts[m] < 4:
					items[i] = errors.New("later")
				case m == "7" && attempts[m] < 2:
					items[i] = sinks.Hold(errors.New("operator"))
				default:
					s.mu.Lock()
					s.messages = append(s.messages, m)
					s.mu.Unlock()
				}
			}
			if len(items) > 0 {
				return &sinks.BatchError{Items: items}
			}
			return &sinks.BatchError{} // all delivered, as nil
		}
		out := open(t, fapilog.Config{Targets: targets(s)})
		logN(out, 10)
		time.Sleep(5 * time.Minute)
		require.Equal(t, []string{"0", "1", "2", "4", "6", "8", "9", "7", "5"}, s.got())
		st := out.Stats().Sinks[0]
		require.Equal(t, uint64(9), st.Delivered)
		require.Equal(t, uint64(1), st.Rejected)
		require.NoError(t, out.Close())
		for m, n := range attempts {
			require.Equal(t, map[string]int{"5": 4, "7": 2}[m], n-1+min(n-1, 1), "attempts for %s", m)
		}
	})
}

func TestTooLargeBatchIsSplit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &memo{}
		var sizes []int
		s.fault = func(_ context.Context, batch []sinks.Event) error {
			sizes = append(sizes, len(batch))
			if len(batch) > 3 || batch[0].Message() == "6" {
				return sinks.TooLarge(errors.New("413"))
			}
			return nil
		}
		out := open(t, fapilog.Config{Targets: targets(s)})
		logN(out, 8)
		require.NoError(t, out.Close())
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "7"}, s.got())
		require.Equal(t, []int{8, 4, 2, 2, 4, 2, 2, 1, 1}, sizes)
		require.Equal(t, uint64(1), out.Stats().Sinks[0].Rejected, "a single record that is too large")
	})
}

// Retried batches have the same records, so that what is derived from them is
// the same.
func TestBatchesAreFrozen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		s := &memo{fault: func(_ context.Context, batch []sinks.Event) error {
			seen = append(seen, fmt.Sprint(batch[0].ID(), "-", batch[len(batch)-1].ID().Seq, " ", len(batch)))
			if len(seen) < 5 {
				return errors.New("down")
			}
			return nil
		}}
		out := open(t, fapilog.Config{Targets: targets(s)})
		logN(out, 3)
		time.Sleep(20 * time.Millisecond)
		logN(out, 3) // while the first batch is in trouble
		require.NoError(t, out.Flush(t.Context()))
		for _, id := range seen[:5] {
			require.Equal(t, seen[0], id)
		}
		require.NoError(t, out.Close())
		require.Equal(t, []string{"0", "1", "2", "0", "1", "2"}, s.got())
	})
}

func TestHeldSinkIsProbedBeforeItIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &proberSink{}
		s.memo.fault = func(context.Context, []sinks.Event) error {
			if s.broken.Load() {
				return sinks.Hold(errors.New("token expired"))
			}
			return nil
		}
		var fallback syncBuffer
		out := open(t, fapilog.Config{Targets: targets(s), Fallback: &fallback})
		require.Equal(t, int32(1), s.probes.Load(), "by New")
		s.broken.Store(true)
		logN(out, 3)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, 1, s.calls, "the batch was tried although the probe failed")
		require.GreaterOrEqual(t, s.probes.Load(), int32(10))
		st := out.Stats().Sinks[0]
		require.Equal(t, fapilog.StateHeld, st.State)
		require.Equal(t, uint64(3), st.Pending)
		s.broken.Store(false)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"0", "1", "2"}, s.got())
		require.Equal(t, fapilog.StateOK, out.Stats().Sinks[0].State)
		require.NoError(t, out.Close())
		require.Contains(t, fallback.String(), "sink s0: held until an operator acts; last error: token expired\n")
		require.Contains(t, fallback.String(), "sink s0: delivers again")
	})
}

type proberSink struct {
	memo
	broken atomic.Bool
	probes atomic.Int32
	closed atomic.Int32
}

func (s *proberSink) Probe(context.Context) error {
	s.probes.Add(1)
	if s.broken.Load() {
		return errors.New("probe: token expired")
	}
	return nil
}

func (s *proberSink) Close() error {
	s.closed.Add(1)
	return nil
}

func TestRetryMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		s := &memo{fault: func(context.Context, []sinks.Event) error {
			if down.Load() {
				return errors.New("down")
			}
			return nil
		}}
		var fallback syncBuffer
		tg := target("s0", s)
		tg.RetryMaxAge = time.Minute
		out := open(t, fapilog.Config{Targets: []fapilog.Target{tg}, Fallback: &fallback})
		logN(out, 3)
		time.Sleep(59 * time.Second)
		require.Equal(t, uint64(3), out.Stats().Sinks[0].Pending)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		st := out.Stats().Sinks[0]
		require.Equal(t, fapilog.Drops{Expired: 3}, st.Drops)
		down.Store(false)
		want := logN(out, 2)
		require.NoError(t, out.Flush(t.Context()))
		require.Equal(t, want, s.got())
		require.NoError(t, out.Close())
		require.Contains(t, fallback.String(), "sink s0: 3 records dropped: undelivered for longer than retry_max_age (3 so far)")
	})
}

func TestFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &memo{fault: func(context.Context, []sinks.Event) error { time.Sleep(time.Second); return nil }}
		bad := &memo{fault: func(context.Context, []sinks.Event) error { return errors.New("no") }}
		lingering := target("lingering", &memo{})
		lingering.Linger = time.Hour
		out := open(t, fapilog.Config{Targets: []fapilog.Target{target("slow", slow), target("bad", bad), lingering}})
		want := logN(out, 10)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.EqualError(t, out.Flush(ctx), "fapilog: flush sink bad: 10 records undelivered: context deadline exceeded; last error: no")
		require.Equal(t, want, slow.got())
		require.Equal(t, want, lingering.Sink.(*memo).got(), "Flush does not linger")
		require.Error(t, out.Close())
		require.ErrorIs(t, out.Flush(t.Context()), fapilog.ErrClosed)
	})
}

func TestFlushTellsOfLosses(t *testing.T) {
	t.Parallel()
	s := &memo{fault: func(_ context.Context, batch []sinks.Event) error { return sinks.Permanent(errors.New("no")) }}
	out := open(t, fapilog.Config{Targets: targets(s)})
	logN(out, 2)
	require.EqualError(t, out.Flush(t.Context()), "fapilog: flush sink s0: 2 records lost (0 dropped, 2 rejected); last error: no")
	require.NoError(t, out.Flush(t.Context()), "nothing was logged since")
	require.NoError(t, out.Close(), "everything has been dealt with")
}

func TestShutdownIsIdempotentAndClosesSinksOnce(t *testing.T) {
	t.Parallel()
	s := &proberSink{}
	out := open(t, fapilog.Config{Targets: targets(s)})
	l := slog.New(fapilog.Handler(out, nil))
	l.Info("a")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { assert.NoError(t, out.Close()) })
	}
	wg.Wait()
	require.NoError(t, out.Shutdown(t.Context()))
	require.Equal(t, int32(1), s.closed.Load())
	require.Equal(t, []string{"a"}, s.got())

	err := l.Handler().Handle(t.Context(), slog.NewRecord(time.Now(), 0, "late", 0))
	require.ErrorIs(t, err, fapilog.ErrClosed)
	require.Equal(t, uint64(1), out.Stats().Refused, "and counted")
	require.Equal(t, uint64(1), out.Stats().Appended)
}

// Close tries once more at once what waits for its next attempt.
func TestShutdownDoesNotWaitForABackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		down.Store(true)
		s := &memo{fault: func(context.Context, []sinks.Event) error {
			if down.Load() {
				return sinks.Hold(errors.New("down"))
			}
			return nil
		}}
		out := open(t, fapilog.Config{Targets: targets(s)})
		want := logN(out, 3)
		time.Sleep(time.Second)
		down.Store(false)
		start := time.Now()
		require.NoError(t, out.Close())
		require.Less(t, time.Since(start), time.Second)
		require.Equal(t, want, s.got())
	})
}

func TestSinksThatLogThroughUsDoNotLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l *slog.Logger
		direct := &memo{fault: func(context.Context, []sinks.Event) error {
			func() { l.Info("from the sink", "password", "x") }()
			return nil
		}}
		byContext := &memo{fault: func(ctx context.Context, _ []sinks.Event) error {
			done := make(chan struct{})
			go func() {
				l.InfoContext(ctx, "from the sink's goroutine")
				close(done)
			}()
			<-done
			return nil
		}}
		var fallback syncBuffer
		out := open(t, fapilog.Config{Targets: targets(direct, byContext), Fallback: &fallback})
		l = slog.New(fapilog.Handler(out, nil))
		l.Info("from the program")
		time.Sleep(time.Hour)
		require.Equal(t, []string{"from the program"}, direct.got())
		require.Equal(t, []string{"from the program"}, byContext.got())
		require.NoError(t, out.Close())
		st := out.Stats()
		require.Equal(t, uint64(1), st.Appended)
		require.Equal(t, uint64(2), st.Refused, "counted")
		require.Contains(t, fallback.String(), `"msg":"from the sink"`, "and not lost")
	})
}

// A handler of another fan-out is a sink like any other handler.
func TestFanoutOfFanouts(t *testing.T) {
	t.Parallel()
	s := &memo{}
	inner := open(t, fapilog.Config{Targets: targets(s)})
	outer := open(t, fapilog.Config{Targets: targets(sinks.FromHandler(fapilog.Handler(inner, nil)))})
	want := logN(outer, 3)
	require.NoError(t, outer.Close())
	require.NoError(t, inner.Close())
	require.Equal(t, want, s.got())
}

func TestDropsAreSaidAloud(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fallback syncBuffer
		release := make(chan struct{})
		s := &marking{}
		s.fault = func(context.Context, []sinks.Event) error { <-release; return nil }
		cfg := fapilog.Config{Targets: targets(s), Fallback: &fallback, Buffer: 4 << 10}
		out := open(t, cfg.WithSegmentSize(512))
		logN(out, 1)
		time.Sleep(time.Second)
		logN(out, 1000)
		time.Sleep(time.Minute)
		dropped := out.Stats().Sinks[0].Drops.Overflow
		require.Positive(t, dropped)
		require.Contains(t, fallback.String(), "records dropped: the buffer is full and the sink behind (")
		require.Contains(t, fallback.String(), fmt.Sprintf("(%d so far)", dropped))
		require.LessOrEqual(t, strings.Count(fallback.String(), "\n"), 3, "not a line for each record")

		close(release)
		require.NoError(t, out.Close())
		got := s.got()
		require.Equal(t, []string{"0", fmt.Sprintf("%d records dropped", dropped)}, got[:2], "a mark in the stream")
		st := out.Stats()
		requireExact(t, st)
		require.Equal(t, 1001-dropped, uint64(len(got)-1))
		require.Equal(t, 1001-dropped, st.Sinks[0].Delivered, "marks do not count")
	})
}

type marking struct{ memo }

func (*marking) MarksGaps() bool { return true }

func TestFiltersPerSink(t *testing.T) {
	t.Parallel()
	warn, audit, off := target("warn", &memo{}), target("audit", &memo{}), target("off", &memo{})
	warn.Level = slog.LevelWarn
	audit.Match = "audit=true"
	off.Disabled = true
	out := open(t, fapilog.Config{Targets: []fapilog.Target{warn, audit, off}})
	l := slog.New(fapilog.Handler(out, nil))
	l.Debug("below the handler's level")
	l.Info("a")
	l.Info("b", "audit", true)
	l.Error("c", "audit", false)
	require.NoError(t, out.Close())
	require.Equal(t, []string{"c"}, warn.Sink.(*memo).got())
	require.Equal(t, []string{"b"}, audit.Sink.(*memo).got())
	st := out.Stats()
	requireExact(t, st)
	require.Len(t, st.Sinks, 2)
	require.Equal(t, uint64(2), st.Sinks[0].Filtered)
}

func TestEnabledKnowsWhatNoSinkWants(t *testing.T) {
	t.Parallel()
	warn, err := target("warn", &memo{}), target("error", &memo{})
	warn.Level, err.Level = slog.LevelWarn, slog.LevelError
	out := open(t, fapilog.Config{Targets: []fapilog.Target{warn, err}})
	defer out.Close()
	var v slog.LevelVar
	for _, h := range []slog.Handler{
		fapilog.Handler(out, nil),
		fapilog.Handler(out, &slog.HandlerOptions{Level: slog.LevelDebug}),
		fapilog.Handler(out, &slog.HandlerOptions{Level: &v}),
	} {
		require.False(t, h.Enabled(t.Context(), slog.LevelInfo))
		require.True(t, h.Enabled(t.Context(), slog.LevelWarn))
	}
	v.Set(slog.LevelError)
	require.False(t, fapilog.Handler(out, &slog.HandlerOptions{Level: &v}).Enabled(t.Context(), slog.LevelWarn))
}

func TestOrderOfEachGoroutineIsKept(t *testing.T) {
	t.Parallel()
	s := &memo{}
	out := open(t, fapilog.Config{Targets: targets(s)})
	l := slog.New(fapilog.Handler(out, nil))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				l.Info(fmt.Sprintf("%d %d", g, i))
			}
		})
	}
	wg.Wait()
	require.NoError(t, out.Close())
	next := map[int]int{}
	for _, m := range s.got() {
		var g, i int
		_, err := fmt.Sscan(m, &g, &i)
		require.NoError(t, err)
		require.Equal(t, next[g], i)
		next[g]++
	}
	require.Len(t, s.got(), 2000)
}

func TestRecordTooLargeForTheBuffer(t *testing.T) {
	t.Parallel()
	s := &memo{}
	out := open(t, fapilog.Config{Targets: targets(s), Buffer: 64 << 10})
	h := fapilog.Handler(out, nil)
	huge := slog.NewRecord(time.Now(), 0, strings.Repeat("x", 40<<10), 0)
	require.ErrorContains(t, h.Handle(t.Context(), huge), "larger than half of the buffer")
	large := slog.NewRecord(time.Now(), 0, strings.Repeat("x", 30<<10), 0)
	require.NoError(t, h.Handle(t.Context(), large))
	require.NoError(t, out.Close())
	require.Len(t, s.got(), 1)
	require.Equal(t, uint64(1), out.Stats().Refused)
}
