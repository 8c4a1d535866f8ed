package fapilog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/worker"
)

// ErrClosed is returned by a handler, and by Flush, after the fan-out was shut
// down.
var ErrClosed = errors.New("fapilog: closed")

// grace is what sinks get to return and to close themselves when the time for
// a shutdown is over.
const grace = 250 * time.Millisecond

// A Fanout delivers records to its sinks. [Handler] makes handlers for it. It
// must be closed, or what is not delivered yet is lost when the program ends.
//
// All methods may be called from several goroutines at once.
type Fanout struct {
	journal  *journal.Journal
	origin   *event.Origin
	workers  []*worker.Worker
	targets  []*target // of the workers, in the same order
	report   *reporter
	level    slog.Leveler // of handlers that have none of their own
	minLevel slog.Level   // below it, no sink wants anything
	timeout  time.Duration
	refused  refusals

	closeOnce sync.Once
	closed    chan struct{} // closed when the shutdown is complete
	closeErr  error         // valid then
}

// start starts delivering to targets that have been opened.
func start(cfg Config, targets []*target) *Fanout {
	f := &Fanout{
		targets:  targets,
		level:    cfg.Level,
		minLevel: minLevel(targets),
		timeout:  cfg.ShutdownTimeout,
		origin:   &event.Origin{Log: rand.Text(), Service: cfg.Service},
		closed:   make(chan struct{}),
	}
	f.report = newReporter(cfg.Fallback, f)
	f.journal = journal.New(journal.Options{
		Limit:       cfg.Buffer,
		SegmentSize: cfg.segmentSize,
		OnNews:      f.report.lost,
	})
	for _, t := range targets {
		o := t.options
		o.OnChange, o.OnWarning = f.report.changed, f.report.lost
		f.workers = append(f.workers, worker.Start(f.journal, f.origin, o))
	}
	f.report.start()
	if len(targets) == 0 {
		f.report.say("every sink is disabled: what is logged goes nowhere")
	}
	for _, t := range targets {
		for _, warning := range t.said() {
			f.report.say(fmt.Sprintf("%s: warning: %v", t, warning))
		}
		if t.soft != nil {
			f.report.say(fmt.Sprintf("%s: started although it cannot be used yet: %v", t, t.soft))
		}
	}
	return f
}

// minLevel returns the lowest level that a target wants.
func minLevel(targets []*target) slog.Level {
	const lowest, highest = slog.Level(math.MinInt), slog.Level(math.MaxInt)
	lvl := highest
	for _, t := range targets {
		switch l := t.options.Level.(type) {
		case slog.Level:
			lvl = min(lvl, l)
		default: // none, or one that can change
			return lowest
		}
	}
	return lvl
}

// append appends a record in its encoded form.
func (f *Fanout) append(record []byte) error {
	err := f.journal.Append(record)
	if err == nil {
		return nil
	}
	if errors.Is(err, journal.ErrClosed) {
		f.refused.late.Add(1)
		f.report.sayLate(record)
		return ErrClosed
	}
	f.refused.large.Add(1)
	f.report.lost()
	return fmt.Errorf("fapilog: append record of %d bytes: %w", len(record), err)
}

// refuseCircular refuses a record that a sink logged while it was called.
func (f *Fanout) refuseCircular(record []byte) {
	f.refused.circular.Add(1)
	line := frame.Frame(record).AppendJSON(nil)
	f.report.say(f.redact(fmt.Sprintf("not delivered, because a sink logged it: %s", line)))
}

// refusals count the records that were not appended, by reason.
type refusals struct {
	late, large, circular atomic.Uint64
}

func (r *refusals) total() uint64 { return r.late.Load() + r.large.Load() + r.circular.Load() }

// Flush delivers all that was logged before the call, without waiting for
// batches to fill, and returns when that is done or ctx has ended. It returns
// nil if every sink has got those of the records that it had not got before, or
// filtered them. Else the error names each sink that has not, says how many
// records it lacks, and why; records that are lost in the meantime count, too.
//
// Flush does not end the wait of a sink whose destination fails.
func (f *Fanout) Flush(ctx context.Context) error {
	select {
	case <-f.closed:
		return ErrClosed
	default:
	}
	before := f.Stats()
	settled := make([]<-chan struct{}, len(f.workers))
	for i, w := range f.workers {
		var forget func()
		settled[i], forget = w.Cursor().Await(before.Appended)
		defer forget()
	}
	var errs []error
	for i, w := range f.workers {
		select {
		case <-settled[i]:
		case <-ctx.Done():
		}
		undelivered := w.Cursor().Unsettled(before.Appended)
		now := f.sinkStats(i)
		var err error
		if lost := now.lost() - before.Sinks[i].lost(); undelivered > 0 {
			err = fmt.Errorf("%s undelivered: %w", records(undelivered), context.Cause(ctx))
		} else if lost > 0 {
			err = fmt.Errorf("%s lost (%d dropped, %d rejected)", records(lost),
				now.Dropped-before.Sinks[i].Dropped, now.Rejected-before.Sinks[i].Rejected)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("fapilog: flush %s: %w%s", f.targets[i], err, lastError(now)))
		}
	}
	return errors.Join(errs...)
}

func (f *Fanout) sinkStats(i int) SinkStats {
	return sinkStats(f.workers[i], f.workers[i].Cursor().Account())
}

// lastError is appended to messages about a sink that does not deliver.
func lastError(s SinkStats) string {
	if s.LastError == nil {
		return ""
	}
	return fmt.Sprintf("; last error: %v", s.LastError)
}

// Close is Shutdown with the configured limit, 5 seconds by default.
func (f *Fanout) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
	defer cancel()
	return f.Shutdown(ctx)
}

// Shutdown stops taking records, lets every sink deliver what is left until
// ctx ends, and closes the sinks. What is undelivered then is dropped, and the
// error names each sink with undelivered records, how many there are, and why;
// it also tells of sinks that did not close well.
//
// A sink that does not return from a call when its context ends is given up a
// quarter of a second after that. It is named, too. Its goroutine is the only
// one that is left, unless the fallback output stalls.
//
// Further calls, also of Close, wait for the first and return its result.
func (f *Fanout) Shutdown(ctx context.Context) error {
	ended := ctx.Done()
	first := false
	f.closeOnce.Do(func() { first = true })
	if first {
		f.closeErr = f.shutdown(ctx)
		close(f.closed)
		return f.closeErr
	}
	select {
	case <-f.closed:
	case <-ended:
		select {
		case <-f.closed:
		default:
			return fmt.Errorf("fapilog: shut down: another call is not done yet: %w", context.Cause(ctx))
		}
	}
	return f.closeErr
}

func (f *Fanout) shutdown(ctx context.Context) error {
	f.journal.Close()
	deadline, _ := ctx.Deadline()
	for _, w := range f.workers {
		w.Drain(deadline)
	}
	await(f.workers, ctx.Done())
	for _, w := range f.workers {
		w.Cancel()
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	hanging := await(f.workers, timer.C)

	var errs []error
	for i, w := range f.workers {
		why := lastError(f.sinkStats(i))
		w.GiveUp()
		st := f.sinkStats(i)
		add := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("fapilog: shut down %s: "+format, append([]any{f.targets[i]}, args...)...))
		}
		switch {
		case st.Drops.Shutdown > 0 && hanging[i]:
			add("%s undelivered: the sink does not return%s", records(st.Drops.Shutdown), why)
		case st.Drops.Shutdown > 0:
			add("%s undelivered%s", records(st.Drops.Shutdown), why)
		case hanging[i]:
			add("the sink does not return")
		}
		if !hanging[i] && w.CloseErr() != nil {
			add("%w", w.CloseErr())
		}
	}
	f.journal.Stop()
	f.report.stop()
	return errors.Join(errs...)
}

// await waits until all workers have ended or stop is ready, and reports for
// each worker whether it still runs.
func await[T any](workers []*worker.Worker, stop <-chan T) (running []bool) {
	running = make([]bool, len(workers))
	stopped := false
	for i, w := range workers {
		if !stopped {
			select {
			case <-w.Done():
			case <-stop:
				stopped = true
			}
		}
		select {
		case <-w.Done():
		default:
			running[i] = true
		}
	}
	return running
}
