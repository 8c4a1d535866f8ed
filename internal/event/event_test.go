package event_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
)

// encode returns the frame of a record whose message is the given number and
// some padding.
func encode(seq uint64, pad int) frame.Frame {
	r := slog.NewRecord(time.Unix(int64(seq), 0).UTC(), slog.LevelInfo, fmt.Sprint(seq, strings.Repeat("x", pad)), 0)
	return frame.NewEncoder(nil).Append(nil, r)
}

func requireLines(t *testing.T, views []event.View) {
	t.Helper()
	for _, v := range views {
		if want := string(v.Frame().AppendJSON(nil)); string(v.JSON()) != want {
			t.Fatalf("record %d: got %q, want %q", v.Seq(), v.JSON(), want)
		}
	}
}

// read fills b with the records from first to last that keep keeps.
func read(b *event.Batch, first, last uint64, frames func(uint64) frame.Frame) (views []event.View) {
	b.Reset()
	for seq := first; seq <= last; seq++ {
		views = append(views, b.Add(frames(seq), seq))
	}
	return views
}

func small(seq uint64) frame.Frame { return encode(seq, 0) }

func TestLineIsRenderedOnceForAllSinks(t *testing.T) {
	o := &event.Origin{}
	a, b, c := event.NewBatch(o), event.NewBatch(o), event.NewBatch(o)
	for _, batch := range []*event.Batch{a, b, c} { // from the second on, lines are shared
		requireLines(t, read(batch, 1, 10, small))
	}
	before := o.Rendered()
	requireLines(t, read(a, 11, 1000, small))
	require.Equal(t, uint64(990), o.Rendered()-before)
	requireLines(t, read(b, 11, 500, small))
	requireLines(t, read(b, 501, 1000, small))
	requireLines(t, read(c, 300, 1000, small))
	require.Equal(t, uint64(990), o.Rendered()-before, "rendered again")
}

func TestSinkThatLagsRendersForItselfAndDisturbsNobody(t *testing.T) {
	o := &event.Origin{}
	a, b, late := event.NewBatch(o), event.NewBatch(o), event.NewBatch(o)
	requireLines(t, read(a, 1, 10, small))
	requireLines(t, read(b, 1, 10, small))
	requireLines(t, read(a, 100_000, 101_000, small))
	before := o.Rendered()
	requireLines(t, read(late, 1, 1000, small))
	require.Equal(t, uint64(1000), o.Rendered()-before)
	requireLines(t, read(b, 100_000, 101_000, small))
	require.Equal(t, uint64(1000), o.Rendered()-before, "the newest lines were lost")
}

func TestHugeLinesDoNotEvictTheOthers(t *testing.T) {
	o := &event.Origin{}
	a, b := event.NewBatch(o), event.NewBatch(o)
	requireLines(t, read(a, 1, 10, small))
	requireLines(t, read(b, 1, 10, small))
	frames := func(seq uint64) frame.Frame {
		if seq%5 == 0 {
			return encode(seq, 1<<20)
		}
		return small(seq)
	}
	requireLines(t, read(a, 11, 60, frames))
	before := o.Rendered()
	requireLines(t, read(b, 11, 60, frames))
	require.Equal(t, uint64(10), o.Rendered()-before, "the huge ones alone are rendered again")
}

// Sinks that read different stretches of a log, at the same time and in
// batches of all sizes, lines of all sizes: each gets the right lines.
func TestLinesAreRightUnderConcurrency(t *testing.T) {
	t.Parallel()
	const records = 20_000
	log := make([]frame.Frame, records+1)
	rnd := rand.New(rand.NewPCG(1, 1))
	for seq := range log {
		pad := rnd.IntN(100)
		if rnd.IntN(20) == 0 {
			pad = rnd.IntN(20_000)
		}
		log[seq] = encode(uint64(seq), pad)
	}
	o := &event.Origin{}
	var wg sync.WaitGroup
	for sink := range 4 {
		wg.Go(func() {
			rnd, b := rand.New(rand.NewPCG(2, uint64(sink))), event.NewBatch(o)
			for first := uint64(1); first < records; {
				last := min(first+rnd.Uint64N(700), records)
				views := read(b, first, last, func(seq uint64) frame.Frame { return log[seq] })
				for _, v := range views {
					if !assert.Equal(t, string(log[v.Seq()].AppendJSON(nil)), string(v.JSON())) {
						return
					}
				}
				first = last + 1 + uint64(sink)*rnd.Uint64N(300) // some skip some
			}
		})
	}
	wg.Wait()
}

func TestViewOutOfContractIsHarmless(t *testing.T) {
	b := event.NewBatch(&event.Origin{})
	views := read(b, 1, 10, small)
	requireLines(t, views)
	b.Reset()
	requireLines(t, read(b, 20, 40, small)) // other records in their places
	for _, v := range append(views, event.View{}) {
		require.Empty(t, v.JSON())
		require.Empty(t, v.Frame().Message())
		require.Zero(t, v.Seq())
		require.Empty(t, v.Log()+v.Service())
	}
}

// A mark of a gap bears the number of a record that other sinks get. Neither is
// taken for the other.
func TestMarksAndRecordsAreNotMixedUp(t *testing.T) {
	o := &event.Origin{}
	a, b := event.NewBatch(o), event.NewBatch(o)
	requireLines(t, read(a, 1, 10, small))
	requireLines(t, read(b, 1, 10, small))
	for _, markFirst := range []bool{false, true} {
		seq := uint64(11)
		if markFirst {
			seq = 12
		}
		mark := func() {
			a.Reset()
			requireLines(t, []event.View{a.AddMark(encode(999, 0), seq)})
		}
		if markFirst {
			mark()
		}
		requireLines(t, read(b, seq, seq, small))
		if !markFirst {
			mark()
		}
		requireLines(t, read(b, seq, seq, small))
	}
}

// A record's fields may be read while somebody else has its line rendered. The
// race detector watches.
func TestFieldsAreReadWhileLinesAreRendered(t *testing.T) {
	t.Parallel()
	for range 100 {
		v := event.New(slog.NewRecord(time.Unix(1, 0).UTC(), slog.LevelInfo, "x", 0))
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { assert.NotEmpty(t, v.JSON()) })
			wg.Go(func() { assert.Equal(t, "x", v.Frame().Message()) })
			wg.Go(func() { assert.EqualValues(t, 1, v.Seq()) })
		}
		wg.Wait()
	}
}
