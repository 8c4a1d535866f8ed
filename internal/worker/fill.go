package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/sinks"
)

// fill reads the next batch into w.events.
func (w *Worker) fill() {
	switch {
	case w.straggler:
		// Whoever still reads the last batch may keep it.
		w.straggler = false
		w.buf, w.events, w.batch = nil, nil, w.batch.Successor()
	case cap(w.buf) > 2*w.o.BatchBytes || w.batch.Size() > 8*w.o.BatchBytes:
		// There was a huge record in it. Do not keep as much for ever.
		w.batch.Reset()
		w.batch.Free()
		w.buf, w.events = nil, nil
	default:
		w.batch.Reset()
	}
	w.buf, w.events = w.buf[:0], w.events[:0]
	if w.lost.count > 0 {
		w.mark(w.lost)
		w.lost = gap{}
	}
	w.take(len(w.events))
}

// take adds what the journal has to the batch, of which read records are there
// already. It returns whether there was anything.
func (w *Worker) take(read int) (any bool) {
	w.refreshLevel()
	var filtered uint64
	for read < w.o.Batch {
		var chunk journal.Chunk
		// If the memory grows, frames that were read before stay where they are.
		end := len(w.buf)
		w.buf, chunk = w.cursor.Read(w.buf, w.o.Batch-read, w.o.BatchBytes-len(w.buf), len(w.buf) == 0)
		if g := chunk.Gap; g.Last != 0 {
			w.mark(gap{g.Last - g.First + 1, g.First, g.Last})
			read, any = max(read, len(w.events)), true
			continue
		}
		if chunk.Count == 0 {
			break
		}
		read, any = read+chunk.Count, true
		// What is filtered leaves no hole: a batch that is gathered for long may
		// read a thousand times what it keeps.
		hole := false
		for rest, seq := chunk.Frames, chunk.First; len(rest) > 0; seq++ {
			var f []byte
			f, rest = journal.Next(rest)
			if !w.wants(f) {
				filtered++
				hole = true
				continue
			}
			if hole {
				n := copy(w.buf[end:], f)
				f = w.buf[end : end+n : end+n]
				end += n
			} else {
				end = len(w.buf) - len(rest)
			}
			w.events = append(w.events, sinks.Event(w.batch.Add(f, seq)))
		}
		w.buf = w.buf[:end]
	}
	w.todo.start(w.events)
	if filtered > 0 {
		w.settle(journal.Outcome{Filtered: filtered})
	}
	return any
}

// hurriedInterval is what Flush and the shutdown leave of a sink's interval.
const hurriedInterval = time.Second

// gather goes on reading until the sink's interval has passed since its last
// Write, or somebody waits for the batch.
func (w *Worker) gather() {
	if w.o.Interval <= 0 || w.wrote.IsZero() || len(w.events) == 0 {
		return
	}
	end := w.wrote.Add(w.o.Interval)
	for full, hurried := false, false; !hurried && time.Until(end) > 0; {
		if hurried = w.cursor.WaitFor(time.Until(end), full); hurried {
			w.pause(w.wrote.Add(min(w.o.Interval, hurriedInterval)))
		}
		full = !w.take(len(w.events)) && w.cursor.Unread()
	}
}

// pause waits until then, or for half of the time that a shutdown leaves.
func (w *Worker) pause(until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for draining := w.draining; ; {
		select {
		case <-timer.C:
			return
		case <-w.ctx.Done():
			return
		case <-draining:
			draining = nil
			if !w.deadline.IsZero() {
				timer.Reset(min(time.Until(until), time.Until(w.deadline)/2))
			}
		}
	}
}

func (w *Worker) wants(f frame.Frame) bool {
	return f.Level() >= w.level && w.o.Match.Match(f)
}

// refreshLevel asks for the level, which may change, and may be the program's
// own code. If that panics, the last level holds.
func (w *Worker) refreshLevel() {
	if w.o.Level == nil {
		return
	}
	_ = guard(w.o.Redact, func() error {
		w.level = w.o.Level.Level()
		return nil
	})
}

// CheckLevel returns an error if the level cannot be asked for.
func CheckLevel(l slog.Leveler) error {
	if l == nil {
		return nil
	}
	if guard(Plain, func() error { l.Level(); return nil }) != nil {
		return errors.New("level: asking for it panics")
	}
	return nil
}

// lowest is the level of a sink that has none.
const lowest = slog.Level(math.MinInt)

// A gap is a number of records that the sink does not get, between two of a
// sequence.
type gap struct{ count, first, last uint64 }

// add adds n records of events.
func (g *gap) add(events []sinks.Event, n uint64) {
	if n == 0 {
		return
	}
	first, last := event.View(events[0]).Seq(), event.View(events[len(events)-1]).Seq()
	if g.count == 0 || first < g.first {
		g.first = first
	}
	g.count, g.last = g.count+n, max(g.last, last)
}

// mark adds a record to the batch that tells of a gap, if the sink wants that.
// It bears the number of the last record of the gap, which the sink will not
// get with another, so that sending it again is as harmless as with any record.
func (w *Worker) mark(g gap) {
	if !w.marks {
		return
	}
	noun := "records"
	if g.count == 1 {
		noun = "record"
	}
	r := slog.NewRecord(time.Now(), slog.LevelWarn, fmt.Sprintf("%d %s dropped", g.count, noun), 0)
	r.AddAttrs(slog.Group("fapilog",
		slog.String("sink", w.o.Name),
		slog.Uint64("dropped", g.count),
		slog.Uint64("first", g.first),
		slog.Uint64("last", g.last)))
	f := frame.NewEncoder(nil).Append(nil, r)
	w.events = append(w.events, sinks.Event(w.batch.AddMark(f, g.last)))
}
