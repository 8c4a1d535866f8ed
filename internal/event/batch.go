package event

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/fapilog/fapilog/internal/frame"
)

// An Origin is what all records of one log have in common.
type Origin struct {
	Log     string
	Service string
	lines   lines
}

// A Batch is the memory behind the events of one Write: their frames, copied
// out of the journal, and their lines of JSON. One worker owns it and fills
// it again for the next Write. Events that a sink keeps, against its contract,
// are empty from then on.
type Batch struct {
	origin     *Origin
	generation atomic.Uint32 // counts the resets
	entries    []entry

	rendered atomic.Bool
	mu       sync.Mutex // held to render
	json     []byte     // the lines of all entries, in order
	ends     []int      // where each line ends in json; not in entries, which are read while this is written
	asked    bool       // a sink has asked for JSON before
}

type entry struct {
	frame frame.Frame
	seq   uint64
	mark  bool
}

// NewBatch returns an empty batch.
func NewBatch(o *Origin) *Batch { return &Batch{origin: o} }

// Reset empties the batch, for the same memory to be filled again.
func (b *Batch) Reset() {
	b.generation.Add(1)
	b.entries, b.json, b.ends = b.entries[:0], b.json[:0], b.ends[:0]
	b.rendered.Store(false)
}

// Successor returns an empty batch with memory of its own, for the same sink.
func (b *Batch) Successor() *Batch { return &Batch{origin: b.origin, asked: b.asked} }

// Size returns how much memory the batch keeps for lines of JSON, in bytes.
func (b *Batch) Size() int { return cap(b.json) }

// Free lets the memory of an empty batch go.
func (b *Batch) Free() { b.entries, b.json, b.ends = nil, nil, nil }

// Add appends a record, whose frame must stay as it is until Reset.
func (b *Batch) Add(f frame.Frame, seq uint64) View {
	b.entries = append(b.entries, entry{frame: f, seq: seq})
	return View{batch: b, index: int32(len(b.entries) - 1), generation: b.generation.Load()}
}

// AddMark is Add for a record that is not in the log: it marks a gap.
func (b *Batch) AddMark(f frame.Frame, seq uint64) View {
	v := b.Add(f, seq)
	b.entries[v.index].mark = true
	return v
}

// line returns the JSON of an entry. The first call renders all of them: who
// asks for one asks for the others too, and sinks that ask at the same time
// then wait for each other once, not once for each record.
func (b *Batch) line(i int) []byte {
	if !b.rendered.Load() {
		b.render()
	}
	if i >= len(b.ends) {
		return nil
	}
	start, end := 0, b.ends[i]
	if i > 0 {
		start = b.ends[i-1]
	}
	if start > end || end > len(b.json) {
		return nil
	}
	return b.json[start:end:end]
}

func (b *Batch) render() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rendered.Load() {
		return
	}
	if !b.asked {
		b.asked = true
		b.origin.lines.readers.Add(1)
	}
	b.origin.lines.render(b)
	b.rendered.Store(true)
}

// New returns an event of its own, in a log of its own.
func New(r slog.Record) View {
	b := NewBatch(&Origin{Log: "test"})
	return b.Add(frame.NewEncoder(nil).Append(nil, r), 1)
}
