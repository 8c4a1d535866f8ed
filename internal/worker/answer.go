package worker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// An answer is what a sink's error says. The error is read once, where a panic
// in its methods is the sink's; after that, nobody calls them any more.
type answer struct {
	kind  verdict.Kind
	after time.Duration // before the next attempt, if told
	told  bool
	err   error    // as it is reported; nil if all was delivered
	items []answer // instead of the above: one for each record
}

// maxNesting bounds how deep a BatchError's items may be BatchErrors.
const maxNesting = 8

// read reads the error that a Write of n records has returned. The outermost
// verdict counts.
func (w *Worker) read(err error, n, nesting int) answer {
	if err == nil {
		return answer{}
	}
	switch v := outermost(err).(type) {
	case *verdict.Error:
		kind, after, told := verdict.Of(v)
		return answer{kind: kind, after: after, told: told, err: w.o.Redact(err)}
	case *sinks.BatchError:
		if wrong := check(v, n, nesting); wrong != nil {
			return answer{err: wrong}
		}
		if n == 1 {
			return w.read(v.Items[0], 1, nesting+1)
		}
		return w.readItems(v.Items, n, nesting)
	default:
		return answer{err: w.o.Redact(err)}
	}
}

// readItems reads a verdict for each record. Of each kind, one error is
// reported.
func (w *Worker) readItems(items map[int]error, n, nesting int) answer {
	if len(items) == 0 {
		return answer{}
	}
	answers := make([]answer, n)
	reported := make(map[verdict.Kind]error)
	for i, err := range items {
		if err == nil {
			continue
		}
		if v, ok := outermost(err).(*verdict.Error); ok {
			kind, after, told := verdict.Of(v)
			if reported[kind] == nil {
				reported[kind] = w.o.Redact(err)
			}
			answers[i] = answer{kind: kind, after: after, told: told, err: reported[kind]}
		} else {
			answers[i] = w.read(err, 1, nesting+1)
		}
	}
	return answer{items: answers}
}

// outermost returns the first error in err's chain that is a verdict or a
// BatchError, or nil.
func outermost(err error) error {
	for err != nil {
		switch e := err.(type) {
		case *verdict.Error, *sinks.BatchError:
			return err
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				if v := outermost(err); v != nil {
					return v
				}
			}
			return nil
		default:
			return nil
		}
	}
	return nil
}

// check returns what is wrong with a BatchError for n records. If something
// is, nothing is known about the batch.
func check(e *sinks.BatchError, n, nesting int) error {
	switch {
	case e == nil:
		return errors.New("the sink returned a nil *BatchError: return nil")
	case nesting > maxNesting:
		return errors.New("the sink's BatchErrors are nested too deeply")
	}
	for i := range e.Items {
		if i < 0 || i >= n {
			return fmt.Errorf("the sink's BatchError has an item %d, in a batch of %d records", i, n)
		}
	}
	return nil
}

// Reason returns the text of an error as far as it tells one reason from
// another: digits are those of times, ports and request ids.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
}

// A plainError has the text of another error, taken at one moment, and matches
// what that matches. The other is hidden from printers in closures.
type plainError struct {
	text string
	is   func(error) bool
	as   func(any) bool
}

func (e *plainError) Error() string        { return e.text }
func (e *plainError) Is(target error) bool { return e.is(target) }
func (e *plainError) As(target any) bool   { return e.as(target) }

// Plain returns err with the text that it has now.
func Plain(err error) error {
	if err == nil {
		return nil
	}
	return &plainError{
		text: err.Error(),
		is:   func(target error) bool { return errors.Is(err, target) },
		as:   func(target any) bool { return errors.As(err, target) },
	}
}
