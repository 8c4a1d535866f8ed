package slack

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/sinks"
)

// A digest is what there is to say about a batch.
type digest struct {
	entries []*entry // those of the highest level first
	of      []*entry // of each event; nil: it is no record, but marks a gap
	records int
	dropped uint64 // records that the gaps had
	service string // of all records
	shown   int    // entries that the message has room for
}

// An entry stands for records of the same level and message.
type entry struct {
	kind       kind
	first      sinks.Event
	count      int
	begin, end time.Time // of their times; zero: they have none
	beyond     bool      // there was no room for it
}

// A kind is what the records of an entry have in common.
type kind struct {
	level   slog.Level
	message string
}

// newDigest groups a batch. It is valid as long as the batch.
func newDigest(batch []sinks.Event) *digest {
	d := &digest{of: make([]*entry, len(batch)), service: batch[0].Service()}
	entries := make(map[kind]*entry)
	for i, e := range batch {
		if n, ok := droppedIn(e); ok {
			d.dropped += n
			continue
		}
		d.records++
		k := kind{e.Level(), e.Message()}
		g := entries[k]
		if g == nil {
			g = &entry{kind: k, first: e}
			entries[k] = g
			d.entries = append(d.entries, g)
		}
		g.count++
		if t := e.Time(); !t.IsZero() {
			if g.begin.IsZero() || t.Before(g.begin) {
				g.begin = t
			}
			if t.After(g.end) {
				g.end = t
			}
		}
		d.of[i] = g
	}
	slices.SortStableFunc(d.entries, func(a, b *entry) int { return cmp.Compare(b.kind.level, a.kind.level) })
	d.shown = min(len(d.entries), maxEntries)
	for _, g := range d.entries[d.shown:] {
		g.beyond = true
	}
	return d
}

// droppedIn returns how many records were dropped, if it is that which an event
// says.
func droppedIn(e sinks.Event) (n uint64, ok bool) {
	if !event.View(e).IsMark() {
		return 0, false
	}
	v, _ := e.Lookup("fapilog.dropped")
	if v.Kind() == slog.KindUint64 {
		n = v.Uint64()
	}
	return n, true
}

// leftOut returns the verdicts on the records that the message has no room for.
func (d *digest) leftOut() map[int]error {
	if d.shown == len(d.entries) {
		return nil
	}
	items := make(map[int]error)
	for i, g := range d.of {
		if g != nil && g.beyond {
			items[i] = errNoRoom
		}
	}
	return items
}

// rest counts the same records.
func (d *digest) rest() (t tally) {
	for _, g := range d.entries[d.shown:] {
		t.add(g.kind.level, g.count)
	}
	return t
}

// A debt is what the next message has to tell of before it.
type debt struct {
	unsent  tally  // because of per_hour
	dropped uint64 // of all levels, by the fan-out
}

// A tally counts records by their level: a level in between, such as INFO+2,
// counts as the one below it. So there are not more of them than there is room.
type tally [4]int

var classes = [len(tally{})]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}

func (t *tally) add(level slog.Level, n int) {
	for i, class := range classes {
		if level >= class || i == len(classes)-1 {
			t[i] += n
			return
		}
	}
}

func (t tally) total() (n int) {
	for _, m := range t {
		n += m
	}
	return n
}

// describe is as in "132 records: 130 ERROR, 2 WARN", with another word between the
// number and the noun.
func (t tally) describe(word string) string {
	var parts []string
	for i, n := range t {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, classes[i]))
		}
	}
	return fmt.Sprintf("%d %s%s: %s", t.total(), word, records(t.total()), strings.Join(parts, ", "))
}

func records[N int | uint64](n N) string {
	if n == 1 {
		return "record"
	}
	return "records"
}
