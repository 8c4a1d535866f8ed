package fapilog_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// slowly is a sink that wants a Write every five seconds, for errors.
type slowly struct {
	fail func() error // nil: nothing fails

	mu     sync.Mutex
	at     []time.Time
	writes [][]string // the messages of each
}

func (s *slowly) DefaultLevel() slog.Level { return slog.LevelError }

func (s *slowly) Batching() sinks.Batching {
	return sinks.Batching{Records: 100, Bytes: 16 << 10, Linger: 5 * time.Second, Interval: 5 * time.Second}
}

func (s *slowly) Write(_ context.Context, batch []sinks.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return err
		}
	}
	var messages []string
	for _, e := range batch {
		messages = append(messages, e.Record().Message)
	}
	s.at, s.writes = append(s.at, time.Now()), append(s.writes, messages)
	return nil
}

// everything is enabled, so that records are appended that slowly does not get.
type everything struct{ slog.Handler }

func (everything) Enabled(context.Context, slog.Level) bool { return true }

func (s *slowly) all() (all []string) {
	for _, w := range s.writes {
		all = append(all, w...)
	}
	return all
}

// open opens a fan-out with s alone, and a logger.
func (s *slowly) open(t *testing.T, target fapilog.Target) (*fapilog.Fanout, *slog.Logger) {
	t.Helper()
	target.Sink = s
	out, err := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{target, {Sink: sinks.FromHandler(everything{slog.DiscardHandler})}}, Fallback: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	return out, slog.New(fapilog.Handler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A sink with an interval is called that seldom, however much is logged that it
// does not get, and the batch goes on filling up meanwhile.
func TestIntervalOfBusyProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(slowly)
		out, log := s.open(t, fapilog.Target{})
		var want []string
		pad := strings.Repeat("x", 200) // so that few records fill a batch
		for i := range 60_000 {         // of which 60 are errors, in a minute: 17 batches are read in each second
			if i%1000 == 999 {
				want = append(want, fmt.Sprintf("failed %d", i))
				log.Error(want[len(want)-1])
			}
			log.Info("works", "i", i, "pad", pad)
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, out.Close())
		require.Equal(t, want, s.all(), "what is filtered leaves the others whole")
		require.InDelta(t, 12, len(s.writes), 1)
		for i, at := range s.at[1 : len(s.at)-1] {
			require.GreaterOrEqual(t, at.Sub(s.at[i]), 5*time.Second)
			require.InDelta(t, 5, len(s.writes[i+1]), 1, "what is filtered takes no room")
		}
		st := out.Stats().Sinks[0]
		require.Equal(t, uint64(60), st.Delivered)
		require.Equal(t, uint64(60_000), st.Filtered)
		require.Zero(t, st.Dropped+st.Pending+st.Rejected+st.Retries)
	})
}

// Nobody waits for a whole interval: neither Flush nor the shutdown.
func TestIntervalIsCutByFlushAndShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(slowly)
		out, log := s.open(t, fapilog.Target{})
		began := time.Now()
		log.Error("first")
		require.NoError(t, out.Flush(t.Context()))
		require.Zero(t, time.Since(began), "nothing was written before")
		log.Error("second")
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		log.Error("third")
		require.NoError(t, out.Flush(t.Context()))
		require.Equal(t, time.Second, time.Since(began))
		log.Error("fourth")
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, out.Close())
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Equal(t, [][]string{{"first"}, {"second", "third"}, {"fourth"}}, s.writes)
	})
}

// The last batch goes out even if there is no time for the interval.
func TestIntervalLeavesTimeForTheLastBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(slowly)
		out, log := s.open(t, fapilog.Target{})
		log.Error("first")
		require.NoError(t, out.Flush(t.Context()))
		for i := range 200 { // two batches
			log.Error(fmt.Sprint(i))
		}
		time.Sleep(10 * time.Millisecond) // the batch is full, and waits
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		require.NoError(t, out.Shutdown(ctx))
		require.Len(t, s.all(), 201)
		require.Len(t, s.writes, 3)
		require.Equal(t, uint64(201), out.Stats().Sinks[0].Delivered)
	})
}

// The interval is between batches: an attempt that failed is made again as with
// any sink.
func TestIntervalDoesNotDelayRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failures := 1
		s := &slowly{fail: func() error {
			if failures--; failures >= 0 {
				return sinks.RetryAfter(context.DeadlineExceeded, 10*time.Millisecond)
			}
			return nil
		}}
		out, log := s.open(t, fapilog.Target{})
		began := time.Now()
		log.Error("first")
		require.NoError(t, out.Flush(t.Context()))
		require.Equal(t, 10*time.Millisecond, time.Since(began))
		require.Equal(t, uint64(1), out.Stats().Sinks[0].Retries)
	})
}

// A sink's own level is for where the configuration has none.
func TestDefaultLevel(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		level slog.Leveler
		want  []string
	}{
		"none":    {nil, []string{"error"}},
		"another": {slog.LevelInfo, []string{"info", "warn", "error"}},
		"all":     {slog.Level(math.MinInt), []string{"debug", "info", "warn", "error"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := new(slowly)
			out, log := s.open(t, fapilog.Target{Level: test.level})
			log.Debug("debug")
			log.Info("info")
			log.Warn("warn")
			log.Error("error")
			require.NoError(t, out.Close())
			require.Equal(t, test.want, s.all())
		})
	}
}

// A batch that is full waits like any other, and nobody waits for it for a whole
// interval either.
func TestIntervalOfFullBatchIsCutByFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(slowly)
		out, log := s.open(t, fapilog.Target{})
		log.Error("first")
		require.NoError(t, out.Flush(t.Context()))
		for i := range 250 { // two batches, and half of one
			log.Error(fmt.Sprint(i))
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.Len(t, s.writes, 1, "it is full, and waits")
		began := s.at[0]
		require.NoError(t, out.Flush(t.Context()))
		require.Equal(t, 3*time.Second, time.Since(began))
		require.Len(t, s.writes, 4)
		require.Len(t, s.all(), 251)
	})
}

// Nor does a program that waits for room in the buffer.
func TestIntervalOfFullBatchIsCutByBlockedProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := new(slowly)
		out, err := fapilog.New(t.Context(), fapilog.Config{
			Buffer:   16 << 10,
			Targets:  []fapilog.Target{{Sink: s, Overflow: fapilog.Block, BlockTimeout: time.Minute}},
			Fallback: t.Output(),
		}.WithSegmentSize(1<<10))
		require.NoError(t, err)
		defer func() { _ = out.Close() }()
		log := slog.New(fapilog.Handler(out, nil))
		log.Error("first")
		require.NoError(t, out.Flush(t.Context()))
		began := time.Now()
		for i := range 1000 { // of which a fifth has room
			log.Error(fmt.Sprint(i))
		}
		took := time.Since(began)
		require.NoError(t, out.Close())
		require.Equal(t, uint64(1001), out.Stats().Sinks[0].Delivered)
		require.Greater(t, took, 5*time.Second, "the program has waited")
		for i, at := range s.at[1:] {
			if at.Sub(began) > took {
				break // the shutdown's
			}
			require.Equal(t, time.Second, at.Sub(s.at[i]), "batch %d of %d", i+1, len(s.at))
		}
	})
}

// What is read while a batch is gathered has the level of now, not that of when
// the batch began.
func TestLevelIsThatOfNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, level := new(slowly), new(slog.LevelVar)
		out, log := s.open(t, fapilog.Target{Level: level, Linger: -1})
		log.Info("first")
		require.NoError(t, out.Flush(t.Context()))
		log.Info("second")
		time.Sleep(100 * time.Millisecond)
		level.Set(slog.LevelError)
		log.Info("not wanted")
		log.Error("third")
		time.Sleep(100 * time.Millisecond)
		level.Set(slog.LevelDebug)
		log.Debug("fourth")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, [][]string{{"first"}, {"second", "third", "fourth"}}, s.writes)
		require.NoError(t, out.Close())
		require.Equal(t, uint64(1), out.Stats().Sinks[0].Filtered)
	})
}

// The age of a batch is the time for which it is tried, not that for which it
// was gathered.
func TestIntervalDoesNotAgeTheBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		s := &slowly{fail: func() error {
			if failures--; failures >= 0 {
				return sinks.RetryAfter(context.DeadlineExceeded, 10*time.Millisecond)
			}
			return nil
		}}
		out, log := s.open(t, fapilog.Target{RetryMaxAge: time.Second})
		log.Error("first")
		require.NoError(t, out.Flush(t.Context()))
		failures = 1
		for i := range 250 { // the first batch is full, and waits
			log.Error(fmt.Sprint(i))
		}
		time.Sleep(6 * time.Second)
		require.NoError(t, out.Close())
		require.Equal(t, uint64(1), out.Stats().Sinks[0].Retries)
		require.Equal(t, uint64(251), out.Stats().Sinks[0].Delivered)
	})
}

// A Write that ends its goroutine is one.
func TestIntervalAfterGoexit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Time
		s := &slowly{fail: func() error {
			if attempts = append(attempts, time.Now()); len(attempts) == 2 {
				runtime.Goexit()
			}
			return nil
		}}
		out, log := s.open(t, fapilog.Target{Linger: -1, RetryMaxAge: 1})
		for i, d := range []time.Duration{5100 * time.Millisecond, 100 * time.Millisecond, 6 * time.Second} {
			log.Error(fmt.Sprint(i))
			time.Sleep(d)
		}
		require.NoError(t, out.Close())
		require.Equal(t, [][]string{{"0"}, {"2"}}, s.writes, "the second was too old to be tried again")
		require.GreaterOrEqual(t, attempts[2].Sub(attempts[1]), 5*time.Second)
	})
}
