package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/fapilog/fapilog/internal/line"
	"github.com/fapilog/fapilog/sinks"
)

// A Sink appends to a file. Its methods may be called from several goroutines
// at once.
type Sink struct {
	troubles troubles

	mu     sync.Mutex // guards all below; Write may come while a Probe that was given up hangs
	out    output
	closed bool
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.Prober    = (*Sink)(nil)
	_ sinks.GapMarker = (*Sink)(nil)
	_ io.Closer       = (*Sink)(nil)
)

// Write appends a batch, and rotates the file where that is due. It does not
// heed the end of its context: a write cannot be called off.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warn(ctx)
	if err := s.ready(); err != nil {
		return err
	}
	s.out.lines.Render(batch)
	s.out.mend()
	_, err := s.out.lines.Flush(&s.out, verdict)
	return err
}

// Probe reports whether the file can be opened and is not locked by a sink with
// which it cannot be shared, and whether it can be rotated, if it is to be. It
// creates the file if it was deleted, and writes nothing.
func (s *Sink) Probe(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warn(ctx)
	err := s.ready()
	switch {
	case errors.Is(err, errInUse):
		return errors.Unwrap(err) // without a verdict: it passes when the other has ended, so soft_start waives it
	case err != nil:
		return err
	}
	return verdict(s.out.rotatable())
}

// MarksGaps returns true: the lines are read in order.
func (s *Sink) MarksGaps() bool { return true }

// Close interrupts what is done to rotated files, waits for the end of that,
// which is not more than the time for some blocks of a file, and closes the file.
// It returns what went wrong with rotated files since the last Write.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.out.keeper != nil {
		s.out.keeper.close()
	}
	return errors.Join(append(s.troubles.take(), s.out.close())...)
}

func (s *Sink) ready() error {
	if s.closed {
		return fmt.Errorf("file: write %s: %w", s.out.path, fs.ErrClosed)
	}
	return verdict(s.out.ready())
}

// warn passes on what went wrong since the last call.
func (s *Sink) warn(ctx context.Context) {
	for _, err := range s.troubles.take() {
		sinks.Warn(ctx, err)
	}
}

// verdict is what an error means for the batch.
func verdict(err error) error {
	if errors.Is(err, errInUse) || errors.Is(err, fs.ErrPermission) {
		return sinks.Hold(err)
	}
	return line.Verdict(err)
}

// maxTroubles bounds the troubles that are kept.
const maxTroubles = 16

// troubles are errors that concern no record, until somebody can be told.
type troubles struct {
	mu   sync.Mutex
	errs []error
	more int // that did not fit
}

func (t *troubles) add(err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.errs) < maxTroubles {
		t.errs = append(t.errs, err)
	} else {
		t.more++
	}
}

// take returns the errors and forgets them.
func (t *troubles) take() (errs []error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	errs = t.errs
	if t.more > 0 {
		errs = append(errs, fmt.Errorf("file: %d more errors with rotated files", t.more))
	}
	t.errs, t.more = nil, 0
	return errs
}
