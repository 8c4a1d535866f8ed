package event

import (
	"sync"
	"sync/atomic"
)

const (
	ringSize = 2 << 20 // bytes of JSON kept
	slots    = 1 << 13 // records whose JSON is kept, a power of two
	stretch  = 64      // records rendered before others get their turn
)

// lines shares the JSON of a log's newest records between its sinks: the
// first that asks renders a line, the others copy it.
//
// It is a ring of bytes and a table from sequence number to position, both of
// fixed size, so that a sink that lags cannot make it grow. A sink that lags
// by more than the ring holds renders for itself again; while it does, it
// does not hold the lock. Nothing here runs a sink's code.
type lines struct {
	readers  atomic.Int32  // sinks that have ever asked for JSON
	rendered atomic.Uint64 // lines rendered, for all sinks together

	mu     sync.Mutex
	ring   []byte
	head   uint64 // of the ring, in bytes ever written
	newest uint64 // sequence number
	slots  []slot // of sequence number n at n % slots
}

type slot struct {
	seq   uint64
	start uint64 // in bytes ever written
	size  int
}

// render fills in the lines of all entries of b.
func (l *lines) render(b *Batch) {
	shared := l.readers.Load() > 1
	for i := 0; i < len(b.entries); i += stretch {
		some := b.entries[i:min(i+stretch, len(b.entries))]
		if shared && l.renderShared(b, some) {
			continue
		}
		l.rendered.Add(uint64(len(some)))
		for i := range some {
			b.json = some[i].frame.AppendJSON(b.json)
			b.ends = append(b.ends, len(b.json))
		}
	}
}

// renderShared is render for some entries, or returns false if they are so
// old that sharing them would only cost the other sinks theirs.
func (l *lines) renderShared(b *Batch, some []entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if some[len(some)-1].seq+slots <= l.newest {
		return false
	}
	if l.ring == nil {
		l.ring = make([]byte, ringSize)
		l.slots = make([]slot, slots)
	}
	for i := range some {
		e := &some[i]
		s := &l.slots[e.seq%slots]
		if e.mark {
			// It has the number of a record that other sinks get.
			b.json = e.frame.AppendJSON(b.json)
		} else if s.seq == e.seq && l.head-s.start <= ringSize {
			b.json = append(b.json, l.ring[s.start%ringSize:][:s.size]...)
		} else {
			l.rendered.Add(1)
			from := len(b.json)
			b.json = e.frame.AppendJSON(b.json)
			if e.seq > s.seq {
				*s = slot{e.seq, l.keep(b.json[from:]), len(b.json) - from}
			}
			l.newest = max(l.newest, e.seq)
		}
		b.ends = append(b.ends, len(b.json))
	}
	return true
}

// keep copies a line into the ring and returns its position. A line that does
// not fit gets one that is overwritten already.
func (l *lines) keep(line []byte) (start uint64) {
	if len(line) > ringSize/16 {
		return l.head - ringSize - 1
	}
	if at := l.head % ringSize; at+uint64(len(line)) > ringSize {
		l.head += ringSize - at // a line does not wrap around
	}
	start = l.head
	l.head += uint64(copy(l.ring[start%ringSize:], line))
	return start
}
