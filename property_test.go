package fapilog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// A chaotic sink answers each Write with a random fault or none, and keeps an
// account of its own of what it took and refused for good.
type chaotic struct {
	t        *testing.T
	interval time.Duration
	rnd      *rand.Rand
	calm     bool // no faults at all
	minor    bool // faults that lose nothing

	mu       sync.Mutex
	taken    map[uint64]int // by sequence number
	order    []uint64
	rejected map[uint64]bool
}

// refused reports whether the sink refuses a record for good. It does so
// whenever it is asked.
func (s *chaotic) refused(seq uint64) bool { return !s.calm && !s.minor && seq%17 == 3 }

func (s *chaotic) take(e sinks.Event) {
	s.taken[e.ID().Seq]++
	s.order = append(s.order, e.ID().Seq)
}

func (s *chaotic) Write(ctx context.Context, batch []sinks.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range batch {
		v, ok := e.Lookup("i")
		line := fmt.Sprintf(`"msg":"%s","i":%[1]s,`, e.Message())
		if !ok || e.Message() != v.String() || !strings.Contains(string(e.JSON()), line) {
			s.t.Errorf("record %d of the batch is damaged: %q, %q", i, e.Message(), e.JSON())
		}
	}
	dice := 100
	if !s.calm {
		dice = s.rnd.IntN(20)
	}
	switch dice {
	case 0:
		return errors.New("transient")
	case 1:
		panic("chaos")
	case 2:
		runtime.Goexit()
	case 3:
		return sinks.RetryAfter(errors.New("busy"), time.Microsecond)
	case 4:
		return fmt.Errorf("wrapped: %w", sinks.Hold(errors.New("held")))
	case 5:
		time.Sleep(time.Duration(s.rnd.IntN(300)) * time.Microsecond) // slow; not to synchronize
	case 6:
		<-ctx.Done()
		return ctx.Err()
	case 7:
		if len(batch) > 2 {
			return sinks.TooLarge(errors.New("413"))
		}
	case 8, 9, 10:
		items := map[int]error{}
		for i, e := range batch {
			switch {
			case s.refused(e.ID().Seq):
				items[i] = sinks.Permanent(errors.New("refused"))
				s.rejected[e.ID().Seq] = true
			case s.rnd.IntN(4) == 0:
				items[i] = []error{errors.New("item"), sinks.Hold(errors.New("item")), sinks.RetryAfter(errors.New("item"), 0)}[s.rnd.IntN(3)]
			default:
				s.take(e)
			}
		}
		return &sinks.BatchError{Items: items}
	}
	for _, e := range batch {
		if s.refused(e.ID().Seq) {
			if len(batch) == 1 {
				s.rejected[e.ID().Seq] = true
			}
			return sinks.Permanent(errors.New("refused"))
		}
	}
	for _, e := range batch {
		s.take(e)
	}
	return nil
}

func (s *chaotic) Batching() sinks.Batching { return sinks.Batching{Interval: s.interval} }

// Under random faults, batch limits, levels, policies and segments of a few
// records, every number of the account is what the sink itself has counted,
// and a sink without faults gets everything, once and in order.
func TestAccountIsExactUnderRandomFaults(t *testing.T) {
	t.Parallel()
	runs := uint64(30)
	if testing.Short() {
		runs = 5
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 0))
			n := 500 + rnd.IntN(1500)
			cfg := fapilog.Config{
				Buffer:          int64(2<<10 + rnd.IntN(64<<10)),
				ShutdownTimeout: time.Duration(rnd.IntN(2)) * 30 * time.Second,
			}.WithSegmentSize(200 + rnd.IntN(2000)).WithBackoff(50 * time.Microsecond)
			if cfg.ShutdownTimeout == 0 {
				cfg.ShutdownTimeout = time.Millisecond // some is undelivered then
			}
			var all []*chaotic
			for i := range 2 + rnd.IntN(3) {
				s := &chaotic{
					t: t, rnd: rand.New(rand.NewPCG(seed, uint64(i))),
					calm: i == 0, minor: i == 1,
					taken: map[uint64]int{}, rejected: map[uint64]bool{},
				}
				if rnd.IntN(3) == 0 {
					s.interval = time.Duration(1+rnd.IntN(500)) * time.Microsecond
				}
				tg := fapilog.Target{
					Name: fmt.Sprint(i), Sink: s,
					Batch:      1 + rnd.IntN(50),
					BatchBytes: 1 + rnd.IntN(4<<10),
					Linger:     time.Duration(rnd.IntN(2000)) * time.Microsecond,
					Timeout:    2 * time.Millisecond,
				}
				switch {
				case s.calm: // never to lose anything
					tg.Overflow, tg.BlockTimeout = fapilog.Block, time.Minute
				case rnd.IntN(3) == 0:
					tg.Level = slog.LevelWarn
				case rnd.IntN(3) == 0:
					tg.Overflow, tg.BlockTimeout = fapilog.Block, time.Duration(1+rnd.IntN(1000))*time.Microsecond
				}
				if rnd.IntN(3) == 0 {
					tg.RetryMaxAge = time.Millisecond
				}
				cfg.Targets = append(cfg.Targets, tg)
				all = append(all, s)
			}
			out := open(t, cfg)
			var appenders sync.WaitGroup
			for g := range 3 {
				rnd := rand.New(rand.NewPCG(seed, uint64(100+g)))
				appenders.Go(func() {
					l := slog.New(fapilog.Handler(out, nil))
					for i := range n / 3 {
						l.Log(t.Context(), slog.Level(4*rnd.IntN(3)), fmt.Sprint(i), "i", i, "pad", string(make([]byte, rnd.IntN(100))))
						if rnd.IntN(100) == 0 {
							assertExact(t, out.Stats())
						}
					}
				})
			}
			appenders.Wait()
			if rnd.IntN(2) == 0 {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				_ = out.Flush(ctx)
				cancel()
			}
			closed := out.Close()
			st := out.Stats()
			requireExact(t, st)
			require.Equal(t, uint64(n/3*3), st.Appended)
			undelivered := false
			for i, s := range all {
				s.mu.Lock()
				got := st.Sinks[i]
				require.Zero(t, got.Pending)
				undelivered = undelivered || got.Drops.Shutdown > 0
				twice := 0
				for _, times := range s.taken {
					twice += times - 1
				}
				require.Zero(t, twice, "what was acknowledged was sent again")
				require.Equal(t, len(s.taken), int(got.Delivered), "sink %d: delivered", i)
				// A refusal that came after the worker was cancelled is not known to it.
				require.LessOrEqual(t, got.Rejected, uint64(len(s.rejected)))
				if got.Drops.Shutdown == 0 {
					require.Equal(t, len(s.rejected), int(got.Rejected), "sink %d: rejected", i)
				}
				if s.calm && got.Drops.Shutdown == 0 {
					require.Equal(t, st.Appended, got.Delivered+got.Filtered)
					for k, seq := range s.order {
						require.Equal(t, uint64(k+1), seq, "order")
					}
				}
				s.mu.Unlock()
			}
			require.Equal(t, undelivered, closed != nil, "%v", closed)
		})
	}
}

func assertExact(t *testing.T, st fapilog.Stats) {
	t.Helper()
	for _, s := range st.Sinks {
		assert.Equal(t, st.Appended, s.Filtered+s.Delivered+s.Dropped+s.Rejected+s.Pending, "%+v", s)
	}
}
