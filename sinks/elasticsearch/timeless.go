package elasticsearch

import (
	"strconv"
	"strings"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// timeless has the times for records without one: that of the first attempt to
// send them. An attempt after that gets the same, because the index may depend on
// it, in which the id of the document would be a new one. There is one batch at a
// time, whose parts are sent until nothing is left of it.
type timeless struct {
	log  string
	last uint64 // the newest record that has the time at
	at   time.Time
}

// see notes that a batch, or a part of one, is about to be sent.
func (t *timeless) see(batch []sinks.Event, now func() time.Time) {
	first := batch[0].ID()
	if t.log != first.Log || first.Seq > t.last {
		t.log, t.last, t.at = strings.Clone(first.Log), 0, now()
	}
	for _, e := range batch {
		t.last = max(t.last, e.ID().Seq)
	}
}

// of returns the time of a record.
func (t *timeless) of(e sinks.Event) time.Time {
	if at := e.Time(); !at.IsZero() {
		return at
	}
	return t.at
}

// appendID appends the id of a record's document: the log and the number. The
// log is made of characters that JSON has no need to escape.
func appendID(dst []byte, e sinks.Event) []byte {
	id := e.ID()
	return strconv.AppendUint(append(append(dst, id.Log...), ':'), id.Seq, 10)
}
