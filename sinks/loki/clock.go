package loki

import (
	"hash/maphash"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// A clock gives records their timestamps, which are their own times, in
// nanoseconds since 1970, unless that would make two records one: Loki takes
// entries of a stream with the same timestamp and line for the same. Then the
// later one is moved by a nanosecond, or as many as it takes.
//
// A record that is sent again must have the same timestamp, or it would be
// stored twice. So a clock remembers where it has moved records to, by their
// sequence numbers, whatever batch they come in, and it remembers what is taken,
// also by earlier batches. Of both it remembers the last ones: at least
// remembered, which are as many as a batch may have.
type clock struct {
	log    string
	last   uint64 // the highest sequence number that was seen
	newest int64  // after that, and after 1970, no timestamp is taken
	moved  generations[place, int64]
	taken  generations[slot, int64] // to the next one that may be free
	seed   maphash.Seed
}

// remembered is how many entries a generation of a clock has. There are two.
const remembered = 1 << 15

// A place is a record: its sequence number, and for records that have the same
// one, as those of tests may, its index in the batch.
type place struct {
	seq   uint64
	index int
}

// A slot is what Loki tells records by. Two of them that have the same hash cost
// one record a nanosecond.
type slot struct {
	at   int64
	hash uint64 // of labels and line
}

func newClock() *clock { return &clock{seed: maphash.MakeSeed()} }

// The times that can be told in nanoseconds since 1970 in 64 bits, from the year
// 1677 to 2262, and leave room to be moved.
var earliest, latest = time.Unix(0, -1<<63), time.Unix(0, 1<<63-1<<32)

func representable(t time.Time) bool { return !t.Before(earliest) && !t.After(latest) }

// at returns the timestamp of a record, the index-th of a batch in which the one
// before it has the sequence number before, or 0.
func (c *clock) at(e sinks.Event, index int, before uint64, labels, line []byte) int64 {
	id := e.ID()
	if id.Log != c.log {
		c.log, c.last, c.newest = id.Log, 0, 0
		c.moved, c.taken = generations[place, int64]{}, generations[slot, int64]{}
	}
	p := place{seq: id.Seq}
	if id.Seq <= before {
		p.index = index
	}
	if at, ok := c.moved.get(p); ok {
		return at
	}
	t := e.Time()
	timeless := t.IsZero()
	if id.Seq <= c.last && p.index == 0 && !timeless {
		return t.UnixNano() // sent before, and not moved
	}
	c.last = max(c.last, id.Seq)
	if timeless {
		t = time.Now()
	}
	own := t.UnixNano()
	at := c.free(own, labels, line)
	if at != own || timeless || p.index != 0 {
		c.moved.put(p, at)
	}
	return at
}

// free takes the first timestamp from at on that no equal entry has.
func (c *clock) free(at int64, labels, line []byte) int64 {
	first := slot{at, maphash.Bytes(c.seed, labels) + maphash.Bytes(c.seed, line)}
	s := first
	for s.at <= c.newest {
		// Where there were many, the value leads to the last of them.
		next, taken := c.taken.get(s)
		if !taken {
			break
		}
		s.at = next
	}
	c.newest = max(c.newest, s.at)
	c.taken.put(s, s.at+1)
	if s != first {
		c.taken.put(first, s.at+1)
	}
	return s.at
}

// generations is a map that forgets what was not put into it for long.
type generations[K comparable, V any] struct{ young, old map[K]V }

func (g *generations[K, V]) get(k K) (V, bool) {
	if v, ok := g.young[k]; ok {
		return v, true
	}
	v, ok := g.old[k]
	return v, ok
}

func (g *generations[K, V]) put(k K, v V) {
	if len(g.young) >= remembered || g.young == nil {
		old := g.old
		g.old, g.young = g.young, old
		if old == nil {
			g.young = make(map[K]V)
		}
		clear(g.young)
	}
	g.young[k] = v
}
