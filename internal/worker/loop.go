package worker

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/fapilog/fapilog/internal/event"
)

type onWorkerKey struct{}

// onWorker marks a context as one that a worker of the given log gave to its
// sink.
func onWorker(ctx context.Context, o *event.Origin) context.Context {
	return context.WithValue(ctx, onWorkerKey{}, o)
}

// markGoroutine marks the running goroutine as one that calls a sink, for
// [FromSink]. The mark is a flag that every goroutine has and nearly nobody
// uses; besides, it turns a fault at an unexpected address, as a sink meets that
// reads a mapped file which was truncated, into a panic that can be recovered.
func markGoroutine() (unmark func()) {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}

// FromSink reports whether the caller was called by a sink that a worker of the
// given log called, directly or with the context that the sink was given. A
// record that is logged there must not get into the log: its delivery would log
// again.
//
// A sink that is itself the handler of another log passes the context on, which
// tells that log that there is no circle. Without the context, a sink of any
// log counts: it is not known which.
func FromSink(ctx context.Context, o *event.Origin) bool {
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

const packagePath = "github.com/fapilog/fapilog/internal/worker"

// calledByWorker reports whether a function of this package other than
// FromSink is on the stack.
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
