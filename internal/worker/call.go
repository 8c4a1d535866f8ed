package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fapilog/fapilog/internal/panics"
)

// errGoexit is the error of a call that did not return.
var errGoexit = errors.New("the sink ended its goroutine with runtime.Goexit")

// guard calls a function that calls a sink's code, and makes an error of a
// panic, which redact takes the secrets out of.
func guard(redact func(error) error, call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = redact(panics.Error("panic", r))
		}
	}()
	return call()
}

// grace is what a method gets to return when its context has ended.
const grace = 100 * time.Millisecond

// Bounded calls a method of a sink that no worker has yet, and does not wait
// for it any longer than timeout and ctx allow, even if it ignores its
// context. It returns the method's error, or its panic, after redact.
func Bounded(ctx context.Context, timeout time.Duration, redact func(error) error, method func(context.Context) error) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { answer <- err }()
		err = guard(redact, func() error { return redact(method(ctx)) })
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	// It may be about to say why.
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err
	case <-timer.C:
		if caller.Err() == nil {
			return fmt.Errorf("no answer within %v: %w", timeout, context.Cause(ctx))
		}
		return fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
}

// call calls a method of the sink, with a context that ends with the timeout.
// If the sink does not heed that, its status says so.
func (w *Worker) call(method func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(w.ctx, w.o.Timeout)
	defer cancel()
	w.enter()
	defer w.leave()
	err := guard(w.o.Redact, func() error { return method(ctx) })
	// A sink that gave up waiting may have left a goroutine behind that reads
	// the batch still.
	w.straggler = w.straggler || ctx.Err() != nil
	return err
}

// overdueAfter is what a sink gets to return after its context has ended,
// before it is said to hang.
const overdueAfter = time.Second

// enter notes that a call of the sink begins.
func (w *Worker) enter() {
	w.mu.Lock()
	w.entered = time.Now()
	w.mu.Unlock()
	w.overdue.Reset(w.o.Timeout + overdueAfter)
}

// leave notes that it has returned.
func (w *Worker) leave() {
	w.overdue.Stop()
	w.mu.Lock()
	w.entered = time.Time{}
	w.mu.Unlock()
}

// hangs notes that a call does not return. It runs when it should have.
func (w *Worker) hangs() {
	w.update(func(s *Status) {
		if w.entered.IsZero() || time.Since(w.entered) < w.o.Timeout {
			return // it did return, at the last moment
		}
		s.State = Hanging
		s.LastError = fmt.Errorf("the sink has not returned for %v, although its timeout of %v is over", w.o.Timeout+overdueAfter, w.o.Timeout)
	})
}
