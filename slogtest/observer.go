package slogtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fapilog/fapilog/internal/panics"
	"github.com/fapilog/fapilog/internal/warn"
	"github.com/fapilog/fapilog/sinks"
)

// A saying is something that a sink has said.
type saying struct {
	err   error
	kind  string // "an error", "a warning" or "a panic"
	where string // the call, the rule and the fault
}

// said is everything that sinks have said: their errors, their warnings, and
// what they have panicked with.
type said struct {
	mu  sync.Mutex
	all []saying // guarded by mu
}

func (s *said) add(what saying) {
	if what.err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, what)
}

func (s *said) list() []saying {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[:len(s.all):len(s.all)]
}

// An observer notes what the sink behind it says.
type observer struct {
	through
	said    *said
	tally   *tally
	fault   atomic.Pointer[string] // that the destination has
	partial atomic.Bool            // a Write has delivered some of its records, and others are to come later
	fanned  atomic.Bool            // a fan-out calls, not the test
	deaf    bool                   // Probe is broken, which was said: the fan-out does not ask it
	once    sync.Once
	failed  chan struct{} // closed when a Write has failed
}

// during returns the fault that the destination has, or "".
func (o *observer) during() string {
	if name := o.fault.Load(); name != nil {
		return *name
	}
	return ""
}

func (o *observer) Write(ctx context.Context, batch []sinks.Event) error {
	err := o.observe(ctx, "Write", func(ctx context.Context) error { return o.through.Write(ctx, batch) })
	if err != nil {
		if a, broken := read(err, len(batch)); broken == nil && slices.Contains(a.verdicts, delivered) && slices.ContainsFunc(a.verdicts, Verdict.again) {
			o.partial.Store(true)
		}
		o.once.Do(func() { close(o.failed) })
	}
	return err
}

func (o *observer) Probe(ctx context.Context) error {
	if o.deaf && o.fanned.Load() {
		return nil
	}
	return o.observe(ctx, "Probe", o.through.Probe)
}

func (o *observer) Close() error {
	return o.observe(context.Background(), "Close", func(context.Context) error { return o.through.Close() })
}

// observe makes a call in which the sink may warn. A panic becomes an error.
func (o *observer) observe(ctx context.Context, call string, method func(context.Context) error) (err error) {
	where := fmt.Sprintf("%s, rule %q", call, o.tally.now())
	if fault := o.during(); fault != "" {
		where = fmt.Sprintf("%s, fault %q", where, fault)
	}
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		value, ok := r.(error)
		if !ok {
			value = fmt.Errorf("%v", r)
		}
		o.said.add(saying{value, "a panic", where})
		if o.fanned.Load() {
			err = panics.Error("panic", r)
		} else {
			err = &broke{text: fmt.Sprintf("%s panicked: %v\n%s", call, r, debug.Stack())}
		}
	}()
	err = method(warn.Context(ctx, func(err error) {
		o.said.add(saying{err, "a warning", where})
		warn.Send(ctx, err)
	}))
	o.said.add(saying{err, "an error", where})
	return err
}

var _ io.Closer = (*observer)(nil)

// asBroke returns that a call has panicked or not returned, or nil.
func asBroke(err error) error {
	if b, ok := errors.AsType[*broke](err); ok {
		return b
	}
	if n, ok := errors.AsType[notApplicable](err); ok {
		return n
	}
	return nil
}
