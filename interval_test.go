package fapilog_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
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
		for i := range 60_000 { // of which 60 are errors, in a minute: 17 batches are read in each second
			if i%1000 == 999 {
				want = append(want, fmt.Sprintf("failed %d", i))
				log.Error(want[len(want)-1])
			}
			log.Info("works", "i", i)
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, out.Close())
		require.Equal(t, want, s.all(), "what is filtered leaves the others whole")
		require.InDelta(t, 12, len(s.writes), 1)
		for i, at := range s.at[1 : len(s.at)-1] {
			require.GreaterOrEqual(t, at.Sub(s.at[i]), 5*time.Second)
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
