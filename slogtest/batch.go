package slogtest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/sinks"
)

// A batch is a batch whose memory is ours, as that of a real one is the
// worker's.
type batch struct {
	memory *event.Batch
	frames []frame.Frame
	events []sinks.Event // what Write gets
}

// All batches but those of newBatchOf are of one log, as all that a sink gets
// are, and each has later records than those that were made before it.
var (
	logID   = rand.Text()
	lastSeq atomic.Uint64
)

// newBatch returns a batch of the next records of the log.
func newBatch(records []slog.Record) *batch {
	return newBatchOf(logID, lastSeq.Add(uint64(len(records)))-uint64(len(records))+1, records)
}

// newBatchOf returns a batch of records of any log, from the given number on.
func newBatchOf(log string, seq uint64, records []slog.Record) *batch {
	b := &batch{memory: event.NewBatch(&event.Origin{Log: log})}
	for i, r := range records {
		f := frame.Frame(frame.NewEncoder(nil).Append(nil, r))
		b.frames = append(b.frames, f)
		b.events = append(b.events, sinks.Event(b.memory.Add(f, seq+uint64(i))))
	}
	b.events = slices.Clip(b.events)
	return b
}

// poison is what the memory of a batch is overwritten with. It is not UTF-8,
// and so in no line of JSON.
const poison = 0xDB

// overwritten is the message of the records that its slice is overwritten with.
const overwritten = "overwritten"

// reuse does to the memory what a worker may do when Write has returned: there
// is something else in it now.
func (b *batch) reuse() {
	for _, e := range b.events {
		fill(e.JSON(), poison)
	}
	for _, f := range b.frames {
		fill(f, poison)
	}
	copy(b.events, newBatch(records(slices.Repeat([]string{overwritten}, len(b.events))...)).events)
	b.memory.Reset()
}

func fill(p []byte, with byte) {
	for i := range p {
		p[i] = with
	}
}

// A snapshot is what a batch was before a Write.
type snapshot struct {
	events        []sinks.Event
	frames, lines [][]byte
}

func (b *batch) snapshot() (s snapshot) {
	s.events = slices.Clone(b.events)
	for i, e := range b.events {
		s.frames = append(s.frames, bytes.Clone(b.frames[i]))
		s.lines = append(s.lines, bytes.Clone(e.JSON()))
	}
	return s
}

// changed says what is not as it was.
func (b *batch) changed(before snapshot) error {
	for i, e := range before.events {
		switch {
		case b.events[i] != e:
			return fmt.Errorf("record %d of the batch is another one than before", i)
		case !bytes.Equal(b.frames[i], before.frames[i]):
			return fmt.Errorf("the memory of record %d, which its strings are in, was changed", i)
		case !bytes.Equal(e.JSON(), before.lines[i]):
			return fmt.Errorf("the JSON of record %d was changed from %q to %q", i, before.lines[i], e.JSON())
		}
	}
	return nil
}

// records returns a record with each of the messages.
func records(messages ...string) []slog.Record {
	var rs []slog.Record
	for i, message := range messages {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
		r.AddAttrs(slog.Int("number", i), slog.Group("group", slog.String("of", message)))
		rs = append(rs, r)
	}
	return rs
}

// numbered returns n messages: "what 1", "what 2", and so on.
func numbered(what string, n int) []string {
	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprintf("%s %d", what, i+1)
	}
	return messages
}

// writing returns a batch of records with the given messages.
func writing(messages []string) *batch { return newBatch(records(messages...)) }
