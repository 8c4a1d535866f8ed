package worker

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/event"
)

// guard calls a sink's method and makes an error of a panic.
func guard(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v%s", r, panicOrigin())
		}
	}()
	return call()
}

// panicOrigin says where the panic that is being recovered was raised.
func panicOrigin() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf(" (in %s, %s:%d)", path.Base(f.Function), path.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// Call calls a sink's or a constructor's method, and does not wait for it any
// longer than timeout and ctx allow, even if it ignores its context.
func Call(ctx context.Context, timeout time.Duration, method func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { answer <- err }()
		err = guard(func() error { return method(ctx) })
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
		return fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
}

// grace is what a method gets to return when its context has ended.
const grace = 100 * time.Millisecond

var errGoexit = errors.New("the sink ended its goroutine with runtime.Goexit")

type onWorkerKey struct{}

// onWorker marks a context as one that a worker of the given log gave to its
// sink.
func onWorker(ctx context.Context, o *event.Origin) context.Context {
	return context.WithValue(ctx, onWorkerKey{}, o)
}

// markGoroutine marks the running goroutine as one that calls a sink, for
// [Calls]. The mark is a flag that every goroutine has and nearly nobody uses;
// besides, it turns a fault at an unexpected address, as a sink meets that
// reads a mapped file which was truncated, into a panic that can be recovered.
func markGoroutine() (unmark func()) {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}

// Calls reports whether the caller was called by a sink that a worker of the
// given log called, directly or with the context that the sink was given. A
// record that is logged there must not get into the log: its delivery would log
// again.
//
// A sink that is itself the handler of another log passes the context on, which
// tells that log that there is no circle.
func Calls(ctx context.Context, o *event.Origin) bool {
	// The flag tells in 2 ns that this is no worker's goroutine. Where it is
	// set, a look at the stack tells who set it.
	onStack := false
	if debug.SetPanicOnFault(false) {
		debug.SetPanicOnFault(true)
		onStack = calledByWorker()
	}
	if ctx == nil {
		return onStack
	}
	if by, ok := ctx.Value(onWorkerKey{}).(*event.Origin); ok {
		return by == o
	}
	return onStack
}

// calledByWorker reports whether a function of this package other than Calls
// is on the stack.
func calledByWorker() bool {
	pcs := make([]uintptr, 64)
	n := runtime.Callers(3, pcs)
	for n == len(pcs) {
		pcs = make([]uintptr, 2*len(pcs))
		n = runtime.Callers(3, pcs)
	}
	frames := runtime.CallersFrames(pcs[:n])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, packagePath+".") {
			return true
		}
		if !more {
			return false
		}
	}
}

const packagePath = "github.com/fapilog/fapilog/internal/worker"
