package worker

import (
	"cmp"
	"context"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

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

// push adds a part. It is clipped, lest a sink that appends to its batch writes
// into the next part.
func (d *delivery) push(events []sinks.Event, tried bool) {
	d.parts = append(d.parts, part{events[:len(events):len(events)], tried})
}

func (d *delivery) pop() part {
	p := d.parts[len(d.parts)-1]
	d.parts = d.parts[:len(d.parts)-1]
	return p
}

// oldest returns the sequence number of the oldest record that is left, or 0.
func (d *delivery) oldest() (seq uint64) {
	for _, p := range d.parts {
		if first := event.View(p.events[0]).Seq(); seq == 0 || first < seq {
			seq = first
		}
	}
	return seq
}

// deliver sends what is to do until nothing is left of it.
func (w *Worker) deliver() {
	d := &w.todo
	if d.attempting { // by a goroutine that is no more
		d.attempting = false
		if d.held {
			w.hold(errGoexit)
		} else {
			w.judge(d.pop(), answer{err: errGoexit})
		}
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
			a := w.attempt(d.parts[len(d.parts)-1])
			d.attempting = false
			w.judge(d.pop(), a)
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
		p := w.todo.pop()
		n, _ := count(p.events)
		w.lost.add(p.events, n)
		var o journal.Outcome
		reason(&o, n)
		w.settle(o)
	}
}

// attempt calls the sink.
func (w *Worker) attempt(p part) (a answer) {
	if p.tried {
		w.update(func(s *Status) { s.Retries++ })
	}
	defer func() { w.wrote = time.Now() }() // also if the goroutine ends
	err := w.call(func(ctx context.Context) error {
		a = w.read(w.o.Sink.Write(ctx, p.events), len(p.events), 0)
		return nil
	})
	if err != nil { // a panic
		a = answer{err: err}
	}
	return a
}

// judge acts on the answer for part p, which is not in the delivery any more.
func (w *Worker) judge(p part, a answer) {
	switch {
	case a.items != nil:
		w.judgeItems(p.events, a.items)
	case a.err == nil:
		w.settled(p.events, nil, nil)
	case (a.kind == verdict.Permanent || a.kind == verdict.TooLarge) && len(p.events) == 1:
		w.settled(nil, p.events, a.err)
	case a.kind == verdict.Permanent || a.kind == verdict.TooLarge:
		half := len(p.events) / 2
		w.todo.push(p.events[half:], true)
		w.todo.push(p.events[:half], true)
	default:
		w.todo.push(p.events, true)
		w.postpone(a)
	}
}

// judgeItems acts on an answer for each of events.
func (w *Worker) judgeItems(events []sinks.Event, answers []answer) {
	var (
		done, refused, left []sinks.Event
		why                 error // of the first refused one
		next                answer
	)
	for i, e := range events {
		switch a := answers[i]; {
		case a.err == nil:
			done = append(done, e)
		case a.kind == verdict.Permanent || a.kind == verdict.TooLarge:
			refused = append(refused, e)
			why = cmp.Or(why, a.err)
		default:
			left = append(left, e)
			next = later(next, a)
		}
	}
	if len(left) > 0 {
		w.todo.push(left, true)
	}
	if len(done)+len(refused) > 0 {
		w.settled(done, refused, why)
	}
	if len(left) > 0 {
		w.postpone(next)
	}
}

// later returns the one of two answers that demands more patience.
func later(a, b answer) answer {
	switch {
	case a.err == nil:
		return b
	case a.kind == verdict.Hold:
		return a
	case b.kind == verdict.Hold:
		return b
	case a.told != b.told: // the backoff decides
		a.told = false
		return a
	case a.after < b.after:
		return b
	default:
		return a
	}
}

// settled accounts, at once, for records that were delivered and for those that the
// destination refuses, and notes that it works.
func (w *Worker) settled(delivered, refused []sinks.Event, why error) {
	if len(refused) > 0 {
		w.update(func(s *Status) { s.LastError = why })
	}
	var o journal.Outcome
	o.Delivered, o.Bytes = count(delivered)
	o.Rejected, _ = count(refused)
	w.settle(o)
	w.todo.failures = 0
	w.update(func(s *Status) {
		s.State, s.NextAttempt = Running, time.Time{}
		if len(delivered) > 0 {
			s.LastSuccess = time.Now()
		}
	})
}

// settle accounts for records that are no longer to do.
func (w *Worker) settle(o journal.Outcome) { w.cursor.Settle(o, w.todo.oldest()) }

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

// postpone notes that an attempt achieved nothing, and waits before the next.
func (w *Worker) postpone(a answer) {
	if a.kind == verdict.Hold {
		w.hold(a.err)
		return
	}
	w.todo.failures++
	var next time.Time
	if a.told {
		a.after = max(a.after, leastWait)
		next = time.Now().Add(a.after)
	} else {
		a.after = w.o.Backoff.after(w.todo.failures)
	}
	w.fail(Retrying, a.err, next)
	w.wait(a.after, a.told)
}

// leastWait keeps a destination that always says "now" from being asked without
// end.
const leastWait = 10 * time.Millisecond

// hold notes that an operator must act, and waits for that.
func (w *Worker) hold(err error) {
	w.todo.failures++
	w.todo.held = true
	w.fail(Held, err, time.Time{})
	w.wait(w.o.Backoff.held(w.todo.failures), false)
}

// fail changes the state. An error that comes of the worker's being cancelled
// does not take the place of one that says more.
func (w *Worker) fail(state State, err error, next time.Time) {
	w.update(func(s *Status) {
		s.State, s.NextAttempt = state, next
		if w.ctx.Err() == nil || s.LastError == nil {
			s.LastError = err
		}
	})
}

// probe asks a held destination whether it is usable again. If it cannot be
// asked, the next attempt will tell.
func (w *Worker) probe() bool {
	p, ok := w.o.Sink.(sinks.Prober)
	if !ok {
		return true
	}
	w.todo.attempting = true
	err := w.call(func(ctx context.Context) error { return w.o.Redact(p.Probe(ctx)) })
	w.todo.attempting = false
	if err == nil {
		return true
	}
	w.hold(err)
	return false
}

// wait waits for d, less if the batch gets too old before, and not much if the
// worker drains. If the destination told d, that is respected as long as there
// is time for another attempt afterwards.
func (w *Worker) wait(d time.Duration, told bool) {
	if w.o.RetryMaxAge > 0 {
		d = min(d, w.o.RetryMaxAge-time.Since(w.todo.began))
	}
	draining := w.draining
	select {
	case <-draining:
		draining = nil
		d = min(d, w.drainWait(told))
	default:
	}
	until := time.Now().Add(d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	case <-draining:
		if told {
			w.wait(time.Until(until), told)
		}
	}
}

// drainWait bounds a wait while draining.
func (w *Worker) drainWait(told bool) time.Duration {
	if !told {
		return w.o.Backoff.Drain
	}
	if w.deadline.IsZero() {
		return 1<<63 - 1
	}
	return max(time.Until(w.deadline)-w.o.Backoff.Drain, w.o.Backoff.Drain)
}

// update changes the status, and tells if that changed the state, or the reason
// for it.
func (w *Worker) update(change func(*Status)) {
	w.mu.Lock()
	old := w.status
	change(&w.status)
	changed := w.status.State != old.State ||
		w.status.State != Running && Reason(w.status.LastError) != Reason(old.LastError)
	w.mu.Unlock()
	if changed {
		w.o.OnChange()
	}
}
