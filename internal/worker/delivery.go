package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// Backoff says how long a worker waits between attempts.
type Backoff struct {
	Base  time.Duration // upper bound of the first wait; doubles with each failure
	Max   time.Duration // upper bound of any wait
	Hold  time.Duration // between two looks at a destination that needs an operator
	Drain time.Duration // upper bound of any wait while draining
}

// DefaultBackoff is what is used outside tests.
var DefaultBackoff = Backoff{
	Base:  200 * time.Millisecond,
	Max:   30 * time.Second,
	Hold:  30 * time.Second,
	Drain: 500 * time.Millisecond,
}

// after returns the wait after a number of failures in a row: random, from
// zero to a bound that doubles, so that the clients of a server that went down
// do not come back all at once.
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/,
// "full jitter")
func (b Backoff) after(failures int) time.Duration {
	bound := b.Max
	if shift := failures - 1; shift < 30 {
		bound = min(bound, b.Base<<shift)
	}
	return max(rand.N(bound+1), time.Millisecond)
}

// A delivery is what is left to do of one batch. It is kept in the worker, not
// on its stack, to survive the end of its goroutine.
type delivery struct {
	parts      []part // the next one last
	began      time.Time
	failures   int  // attempts in a row that achieved nothing
	attempting bool // a call of the sink has not returned
	held       bool // probe before the next attempt
}

// A part is a run of records to be sent with one Write. Its boundaries change
// only by the sink's verdict, so that what a sink derives from them, such as
// an idempotency key, is the same for each attempt.
type part struct {
	events []sinks.Event
	tried  bool
}

func (d *delivery) start(events []sinks.Event) {
	clear(d.parts)
	*d = delivery{parts: d.parts[:0], began: time.Now()}
	if len(events) > 0 {
		d.push(events, false)
	}
}

func (d *delivery) push(events []sinks.Event, tried bool) {
	d.parts = append(d.parts, part{events, tried})
}

func (d *delivery) pop() part {
	p := d.parts[len(d.parts)-1]
	d.parts = d.parts[:len(d.parts)-1]
	return p
}

// deliver sends what is to do until nothing is left of it.
func (w *Worker) deliver() {
	d := &w.todo
	if d.attempting { // by a goroutine that is no more
		d.attempting = false
		w.judge(d.pop(), errGoexit)
	}
	for len(d.parts) > 0 {
		switch {
		case w.ctx.Err() != nil:
			w.drop(func(o *journal.Outcome, n uint64) { o.Shutdown = n })
		case w.expired():
			w.drop(func(o *journal.Outcome, n uint64) { o.Expired = n })
		case d.held && !w.probe():
		default:
			d.held = false
			d.attempting = true
			err := w.attempt(d.parts[len(d.parts)-1])
			d.attempting = false
			w.judge(d.pop(), err)
		}
	}
}

// expired reports that the batch is older than it may get. It is always tried
// once.
func (w *Worker) expired() bool {
	return w.o.RetryMaxAge > 0 && w.todo.failures > 0 && time.Since(w.todo.began) >= w.o.RetryMaxAge
}

// drop gives up what is left.
func (w *Worker) drop(reason func(*journal.Outcome, uint64)) {
	for len(w.todo.parts) > 0 {
		n, _ := count(w.todo.pop().events)
		var o journal.Outcome
		reason(&o, n)
		w.cursor.Settle(o)
	}
}

// attempt calls the sink.
func (w *Worker) attempt(p part) error {
	if p.tried {
		w.update(func(s *Status) { s.Retries++ })
	}
	return w.call(func(ctx context.Context) error { return w.o.Sink.Write(ctx, p.events) })
}

// call calls a method of the sink, within the timeout if it heeds its context.
// If it does not, that shows in the status.
func (w *Worker) call(method func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(w.ctx, w.o.Timeout)
	defer cancel()
	w.calls(time.Now())
	defer w.calls(time.Time{})
	w.overdue.Reset(w.o.Timeout + overdueAfter)
	defer w.overdue.Stop()
	return guard(func() error { return method(ctx) })
}

// calls notes when the call began that the sink is in, or that it is in none.
func (w *Worker) calls(since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callSince = since
}

// overdueAfter is what a sink gets to return after its context has ended,
// before it is said to hang.
const overdueAfter = time.Second

// hangs notes that a call does not return. It runs when it should have.
func (w *Worker) hangs() {
	w.update(func(s *Status) {
		if w.callSince.IsZero() || time.Since(w.callSince) < w.o.Timeout {
			return // it did return, at the last moment
		}
		s.State = Hanging
		s.LastError = fmt.Errorf("the sink has not returned for %v, although its context has ended", w.o.Timeout+overdueAfter)
	})
}

// judge acts on the verdict err on part p, which is not in the delivery any
// more.
func (w *Worker) judge(p part, err error) {
	if items, ok := errors.AsType[*sinks.BatchError](err); ok {
		if err = checkItems(items.Items, len(p.events)); err == nil {
			w.judgeItems(p.events, items.Items)
			return
		}
	}
	if err == nil {
		w.delivered(p.events)
		w.answered()
		return
	}
	switch kind, after, told := verdict.Of(err); kind {
	case verdict.Permanent, verdict.TooLarge:
		if len(p.events) == 1 {
			w.reject(p.events, err)
			w.answered()
			return
		}
		half := len(p.events) / 2
		w.todo.push(p.events[half:], true)
		w.todo.push(p.events[:half], true)
	case verdict.Hold:
		w.todo.push(p.events, true)
		w.hold(err)
	default:
		w.todo.push(p.events, true)
		w.failed(err, after, told)
	}
}

// checkItems returns an error if items does not fit a batch of n records, in
// which case nothing is known about it.
func checkItems(items map[int]error, n int) error {
	for i := range items {
		if i < 0 || i >= n {
			return fmt.Errorf("the sink's BatchError has an item %d, in a batch of %d records", i, n)
		}
	}
	return nil
}

// judgeItems acts on a verdict for each of events.
func (w *Worker) judgeItems(events []sinks.Event, items map[int]error) {
	var (
		done, left    []sinks.Event
		held, failed  error
		after         time.Duration
		allTold, told bool
	)
	for i, e := range events {
		err := items[i]
		if err == nil {
			done = append(done, e)
			continue
		}
		switch kind, d, t := verdict.Of(err); kind {
		case verdict.Permanent, verdict.TooLarge:
			w.reject(events[i:i+1], err)
			continue
		case verdict.Hold:
			held = cmp.Or(held, err)
		default:
			allTold = t && (allTold || failed == nil)
			told, after = allTold, max(after, d)
			failed = cmp.Or(failed, err)
		}
		left = append(left, e)
	}
	if len(done) > 0 {
		w.delivered(done)
	}
	if len(done) > 0 || len(left) == 0 {
		w.answered()
	}
	if len(left) == 0 {
		return
	}
	w.todo.push(left, true)
	if held != nil {
		w.hold(held)
	} else {
		w.failed(failed, after, told)
	}
}

// delivered accounts for records that were delivered.
func (w *Worker) delivered(events []sinks.Event) {
	n, bytes := count(events)
	w.cursor.Settle(journal.Outcome{Delivered: n, Bytes: bytes})
	w.update(func(s *Status) { s.LastSuccess = time.Now() })
}

// reject accounts for a record that the destination refuses.
func (w *Worker) reject(event []sinks.Event, err error) {
	w.update(func(s *Status) { s.LastError = w.o.Redact(err) })
	n, _ := count(event)
	w.cursor.Settle(journal.Outcome{Rejected: n})
}

// count returns the number of events that the account knows, which marks of
// gaps are not, and the size of their frames.
func count(events []sinks.Event) (n, bytes uint64) {
	for _, e := range events {
		if v := event.View(e); !v.IsMark() {
			n++
			bytes += uint64(len(v.Frame()))
		}
	}
	return n, bytes
}

// answered notes that the destination works.
func (w *Worker) answered() {
	w.todo.failures = 0
	w.update(func(s *Status) { s.State = Running })
}

// failed notes that an attempt achieved nothing, and waits before the next.
func (w *Worker) failed(err error, after time.Duration, told bool) {
	w.todo.failures++
	w.update(func(s *Status) { s.State, s.LastError = Retrying, w.o.Redact(err) })
	if !told {
		after = w.o.Backoff.after(w.todo.failures)
	}
	w.wait(after, told)
}

// hold notes that an operator must act, and waits for that.
func (w *Worker) hold(err error) {
	w.todo.failures++
	w.todo.held = true
	w.update(func(s *Status) { s.State, s.LastError = Held, w.o.Redact(err) })
	w.wait(w.o.Backoff.Hold, false)
}

// probe asks a held destination whether it is usable again. If it cannot be
// asked, the next attempt will tell.
func (w *Worker) probe() bool {
	p, ok := w.o.Sink.(sinks.Prober)
	if !ok {
		return true
	}
	w.todo.attempting = true
	err := w.call(p.Probe)
	w.todo.attempting = false
	if err == nil {
		return true
	}
	w.hold(err)
	return false
}

// wait waits for d, less if the batch gets too old before, and not much if the
// worker drains, unless it was the destination that told d.
func (w *Worker) wait(d time.Duration, told bool) {
	if w.o.RetryMaxAge > 0 {
		d = min(d, w.o.RetryMaxAge-time.Since(w.todo.began))
	}
	draining := w.draining
	select {
	case <-draining:
		draining = nil
		if !told {
			d = min(d, w.o.Backoff.Drain)
		}
	default:
		if told {
			draining = nil
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-draining:
	case <-w.ctx.Done():
	}
}

// update changes the status, and tells if that changed the state.
func (w *Worker) update(change func(*Status)) {
	w.mu.Lock()
	old := w.status.State
	change(&w.status)
	changed := w.status.State != old
	w.mu.Unlock()
	if changed {
		w.o.OnChange()
	}
}
