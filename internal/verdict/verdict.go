// Package verdict holds the error that package sinks' constructors return, so
// that the worker can read it without a public type.
package verdict

import (
	"errors"
	"time"
)

// Kind is what an error means for the batch it was returned for.
type Kind uint8

// The zero Kind is what any error means that carries no verdict.
const (
	Retry Kind = iota // send the same batch again later
	TooLarge
	Permanent
	Hold
)

// Error is an error with a verdict.
type Error struct {
	kind  Kind
	err   error
	after time.Duration
}

// New returns err with a verdict, or nil if err is nil.
func New(kind Kind, err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &Error{kind: kind, err: err, after: max(after, 0)}
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Of returns the verdict err carries. The outermost wins. told reports that
// the destination said when to come back, after that duration.
func Of(err error) (kind Kind, after time.Duration, told bool) {
	if v, ok := errors.AsType[*Error](err); ok {
		return v.kind, v.after, v.kind == Retry
	}
	return Retry, 0, false
}
