// Package line turns batches of records into lines and writes them to a
// stream that can fail in the middle of a line, or whose reader can go away.
package line

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/fapilog/fapilog/sinks"
)

// A Buffer renders one batch after the other and writes it out:
//
//	b.Render(batch)
//	if b.Torn() > 0 {
//		b.Resume() // or Break, or Forget
//	}
//	n, err := b.Flush(w, verdict)
//
// When a write fails, the records whose lines it got out completely are
// delivered, and only the others are left to be tried again. Of the line that
// it was in the middle of, the first part is in the stream, and Torn says how
// much. If the next batch begins with that line, the rest of it is written and
// the line is whole.
type Buffer struct {
	printer *printer // nil for JSON

	// text is a newline, for Break, and the lines. ends[i] is where the line of
	// record i ends, which is where it begins if the record is in bad.
	text []byte
	ends []int
	bad  map[int]error
	pos  int // where the next write begins

	torn []byte // the unfinished line at the end of the stream

	atomic int // most bytes that the stream takes in one piece; 0: any number
}

// keep is the size of the memory that is kept for the next batch.
const keep = 1 << 20

// New returns an empty buffer. Only [Pretty] has colors.
func New(f Format, color bool) (*Buffer, error) {
	b := new(Buffer)
	var err error
	b.printer, err = newPrinter(f, (*appender)(b), color)
	return b, err
}

// Atomic says that the stream takes at most n bytes in one piece, between what
// others write to it, and so has the lines written in writes that are not larger
// if they do not have to be.
func (b *Buffer) Atomic(n int) { b.atomic = n }

// piece returns what of the lines to write next.
func (b *Buffer) piece() []byte {
	rest := b.text[b.pos:]
	if b.atomic == 0 || len(rest) <= b.atomic {
		return rest
	}
	if n := bytes.LastIndexByte(rest[:b.atomic], '\n'); n >= 0 {
		return rest[:n+1]
	}
	return rest[:b.atomic+1+bytes.IndexByte(rest[b.atomic:], '\n')] // one long line
}

// appender is the buffer as the writer of a handler.
type appender Buffer

func (a *appender) Write(p []byte) (int, error) {
	a.text = append(a.text, p...)
	return len(p), nil
}

// Render makes lines of batch in place of those of the last one.
func (b *Buffer) Render(batch []sinks.Event) {
	if cap(b.text) > keep {
		b.text = nil // there was a huge record in it
	}
	b.text, b.ends, b.bad, b.pos = append(b.text[:0], '\n'), b.ends[:0], nil, 1
	for i := range batch {
		start := len(b.text)
		if err := b.render(batch[i : i+1]); err != nil {
			b.text = b.text[:start]
			if b.bad == nil {
				b.bad = make(map[int]error)
			}
			b.bad[i] = sinks.Permanent(fmt.Errorf("render record: %w", err))
		}
		b.ends = append(b.ends, len(b.text))
	}
}

var (
	errNothing  = errors.New("it came out empty")
	errNotALine = errors.New("it did not come out as one line")
)

func (b *Buffer) render(one []sinks.Event) error {
	start := len(b.text)
	if b.printer == nil {
		b.text = append(b.text, one[0].JSON()...)
	} else if err := b.printer.print(one); err != nil {
		return err
	}
	switch line := b.text[start:]; {
	case len(line) == 0:
		return errNothing
	case bytes.IndexByte(line, '\n') != len(line)-1:
		return errNotALine
	}
	return nil
}

// Torn returns the length of the unfinished line that a failed write has left
// at the end of the stream.
func (b *Buffer) Torn() int { return len(b.torn) }

// First returns the length of the first line, 0 if there is none.
func (b *Buffer) First() int { return 1 + bytes.IndexByte(b.text[1:], '\n') }

// Continues reports whether the first line begins with what is at the end of
// the stream already, so that writing the rest of it makes it whole. It does
// not matter whether it is the same record.
func (b *Buffer) Continues() bool { return bytes.HasPrefix(b.text[1:], b.torn) }

// Resume finishes the torn line if it can be, or else ends it.
func (b *Buffer) Resume() {
	if b.Continues() {
		b.pos = 1 + len(b.torn)
	} else {
		b.Break()
	}
}

// Break ends whatever line the stream is in the middle of.
func (b *Buffer) Break() { b.pos = 0 }

// Forget says that the torn line is not there any more.
func (b *Buffer) Forget() { b.torn = b.torn[:0] }

// Flush writes the lines to w, in one write unless w takes less than that (see
// also Atomic). It returns the number of bytes written, and the error that the
// sink is to return, in which verdict was applied to the error of w.
func (b *Buffer) Flush(w io.Writer, verdict func(error) error) (n int, err error) {
	if len(b.text) > 1 {
		n, err = b.write(w)
	}
	if err == nil && b.bad == nil {
		return n, nil
	}
	items := b.bad
	if err != nil {
		err = verdict(err)
		if items == nil {
			items = make(map[int]error)
		}
		for i, end := range b.ends {
			if end > b.pos && items[i] == nil {
				items[i] = err
			}
		}
	}
	return n, &sinks.BatchError{Items: items}
}

// write writes from b.pos on, and moves it, and keeps in b.torn what the
// stream ends with.
func (b *Buffer) write(w io.Writer) (n int, err error) {
	for b.pos < len(b.text) && err == nil {
		var k int
		k, err = w.Write(b.piece())
		if k <= 0 && err == nil {
			err = io.ErrShortWrite
		}
		k = min(max(k, 0), len(b.text)-b.pos)
		n += k
		b.pos += k
	}
	if n > 0 {
		written := b.text[:b.pos]
		b.torn = append(b.torn[:0], written[1+bytes.LastIndexByte(written, '\n'):]...)
	}
	return n, err
}
