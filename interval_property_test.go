package fapilog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// A moody sink has an interval, fails at random, and counts what it took. It is
// read when it does nothing.
type moody struct {
	t        *testing.T
	rnd      *rand.Rand
	interval time.Duration
	taken    map[uint64]int
	last     uint64       // the highest that was taken
	whole    bool         // batches are not divided, and nobody waits for room
	hurried  *atomic.Bool // somebody waits
	failed   bool         // the last Write
	wrote    time.Time    // its end
}

func (s *moody) MarksGaps() bool { return true }

func (s *moody) Batching() sinks.Batching { return sinks.Batching{Interval: s.interval} }

func (s *moody) Write(ctx context.Context, batch []sinks.Event) error {
	if s.whole && !s.wrote.IsZero() && !s.failed && !s.hurried.Load() {
		assert.GreaterOrEqual(s.t, time.Since(s.wrote), s.interval)
	}
	defer func() { s.wrote = time.Now() }()
	s.failed = true
	if s.rnd.IntN(10) == 0 {
		select {
		case <-time.After(time.Duration(s.rnd.IntN(1000)) * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	switch s.rnd.IntN(20) {
	case 0:
		return errors.New("transient")
	case 1:
		return sinks.RetryAfter(errors.New("busy"), 3*time.Second)
	case 2:
		return sinks.Hold(errors.New("held"))
	case 3:
		if !s.whole && len(batch) > 1 {
			return sinks.TooLarge(errors.New("too large"))
		}
	}
	s.failed = false
	for _, e := range batch {
		if _, mark := e.Lookup("fapilog.dropped"); mark {
			continue
		}
		i, _ := e.Lookup("i")
		assert.Equal(s.t, i.String(), e.Message(), "the frame is whole")
		assert.Greater(s.t, e.ID().Seq, s.last)
		s.last = e.ID().Seq
		s.taken[s.last]++
	}
	return nil
}

// Whatever happens while batches are gathered, the account is exact at every
// moment, nothing is there twice, what was flushed is settled, nobody writes too
// early, and the shutdown takes no longer than it may.
func TestAccountIsExactWithIntervals(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				cfg := fapilog.Config{Buffer: int64(8<<10 + rnd.IntN(64<<10)), ShutdownTimeout: 3 * time.Second}.WithSegmentSize(500 + rnd.IntN(2000))
				var (
					all   []*moody
					level slog.LevelVar
					hurry atomic.Bool
				)
				for i := range 3 {
					s := &moody{t: t, rnd: rand.New(rand.NewPCG(seed, uint64(i))), taken: make(map[uint64]int), hurried: &hurry, whole: rnd.IntN(2) == 0}
					if i > 0 {
						s.interval = time.Duration(1+rnd.IntN(20)) * time.Second
					}
					target := fapilog.Target{
						Name: fmt.Sprint(i), Sink: s, Level: &level,
						Batch: 1 + rnd.IntN(200), BatchBytes: 100 + rnd.IntN(20<<10), Linger: time.Duration(rnd.IntN(5000)) * time.Millisecond,
					}
					if !s.whole && rnd.IntN(2) == 0 {
						target.Overflow, target.BlockTimeout = fapilog.Block, time.Duration(rnd.IntN(2000))*time.Millisecond
					}
					if rnd.IntN(3) == 0 {
						target.RetryMaxAge = time.Duration(1+rnd.IntN(5000)) * time.Millisecond
					}
					all = append(all, s)
					cfg.Targets = append(cfg.Targets, target)
				}
				out, err := fapilog.New(t.Context(), cfg)
				require.NoError(t, err)
				defer func() { _ = out.Close() }()
				log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{Level: slog.LevelDebug - 10}))
				account := func() {
					synctest.Wait()
					st := out.Stats()
					for i, s := range all {
						a := st.Sinks[i]
						require.Equal(t, st.Appended, a.Filtered+a.Delivered+a.Dropped+a.Rejected+a.Pending, "%+v", a)
						require.Equal(t, uint64(len(s.taken)), a.Delivered)
					}
				}
				n := 0
				for range 60 {
					for range rnd.IntN(200) {
						log.Log(t.Context(), slog.Level(4*rnd.IntN(4)-4), fmt.Sprint(n), "i", n)
						n++
					}
					switch rnd.IntN(10) {
					case 0:
						hurry.Store(true)
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(60_000))*time.Millisecond)
						err := out.Flush(ctx)
						cancel()
						if err == nil {
							synctest.Wait()
							for _, s := range out.Stats().Sinks {
								require.Zero(t, s.Pending)
							}
							hurry.Store(false)
						}
					case 1:
						level.Set(slog.Level(4*rnd.IntN(4) - 4))
					default:
						time.Sleep(time.Duration(rnd.IntN(3000)) * time.Millisecond)
					}
					account()
				}
				began := time.Now()
				hurry.Store(true)
				_ = out.Close() // some is undelivered then
				require.LessOrEqual(t, time.Since(began), 5*time.Second)
				account()
				for i, s := range out.Stats().Sinks {
					require.Zero(t, s.Pending)
					for seq, times := range all[i].taken {
						require.Equal(t, 1, times, seq)
					}
				}
			})
		})
	}
}
