// Package worker delivers the records of a journal to one sink: it reads,
// filters, forms batches, calls the sink and acts on its verdict. Whatever
// the sink does, fail, hang, panic or end its goroutine, nothing but this
// worker is affected.
package worker

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/match"
	"github.com/fapilog/fapilog/internal/warn"
	"github.com/fapilog/fapilog/sinks"
)

// Options configure a worker. All of them must be set, but where a zero value
// is documented.
type Options struct {
	Name         string
	Sink         sinks.Sink
	Redact       func(error) error // what of an error of the sink is reported; nil for nil
	Level        slog.Leveler      // nil: every level
	Match        match.Expr        // zero: every record
	Batch        int
	BatchBytes   int
	Linger       time.Duration
	Interval     time.Duration // from a Write to that of the next batch; zero: none
	Timeout      time.Duration // of one Write or Probe
	RetryMaxAge  time.Duration // zero: none
	Overflow     journal.Overflow
	BlockTimeout time.Duration
	Backoff      Backoff
	OnChange     func() // called, without locks held, when State has changed, or the Reason for it
	OnWarning    func() // called, without locks held, when Warnings has changed
}

// State is how a worker fares.
type State string

// The states of a worker.
const (
	Running  State = "ok"       // delivers, or has nothing to deliver
	Retrying State = "retrying" // the last attempt failed; tries again by itself
	Held     State = "held"     // an operator must act
	Hanging  State = "hanging"  // the sink does not return although its context has ended
	Closed   State = "closed"   // has ended
)

// A Status is what a worker tells about its sink.
type Status struct {
	State       State
	Retries     uint64    // attempts that were not the first for their records
	LastError   error     // of the newest failed attempt, redacted; kept after a success
	LastSuccess time.Time // end of the newest successful attempt
	NextAttempt time.Time // that the destination has asked for; zero: none
	Warnings    uint64    // of sinks.Warn
	LastWarning error     // the newest, redacted
}

// A Worker delivers to one sink.
type Worker struct {
	o      Options
	cursor *journal.Cursor
	batch  *event.Batch

	ctx      context.Context // of the sink's calls
	cancel   context.CancelFunc
	overdue  *time.Timer   // of the call that the sink is in
	draining chan struct{} // closed when waiting for better times is over
	deadline time.Time     // of the draining, once it is closed; zero: none
	done     chan struct{} // closed when the sink is closed

	// Of the goroutine that runs.
	level     slog.Level
	buf       []byte // the frames of the batch
	events    []sinks.Event
	todo      delivery
	lost      gap       // of batches that were given up, to be marked
	marks     bool      // the sink wants gaps marked
	straggler bool      // a goroutine of the sink may still read the batch
	wrote     time.Time // when the last Write has returned

	mu       sync.Mutex
	status   Status
	entered  time.Time // when the call began that the sink is in
	closeErr error
}

// Start starts delivering what is appended to j from now on.
func Start(j *journal.Journal, origin *event.Origin, o Options) *Worker {
	w := &Worker{
		o: o,
		cursor: j.NewCursor(journal.CursorOptions{
			Overflow:     o.Overflow,
			BlockTimeout: o.BlockTimeout,
			Batch:        o.Batch,
			BatchBytes:   o.BatchBytes,
			Linger:       o.Linger,
		}),
		batch:    event.NewBatch(origin),
		draining: make(chan struct{}),
		done:     make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancel(warn.Context(onWorker(context.Background(), origin), w.warned))
	w.status.State = Running
	w.level = lowest
	w.overdue = time.AfterFunc(time.Hour, w.hangs)
	w.overdue.Stop()
	if m, ok := o.Sink.(sinks.GapMarker); ok {
		w.marks = m.MarksGaps()
	}
	go w.run()
	return w
}

// Cursor returns the worker's position in the journal, which keeps its account.
func (w *Worker) Cursor() *journal.Cursor { return w.cursor }

// Name returns the sink's name.
func (w *Worker) Name() string { return w.o.Name }

// Status returns the current status.
func (w *Worker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// warned notes what the sink has to say about itself.
func (w *Worker) warned(err error) {
	err = guard(w.o.Redact, func() error { return w.o.Redact(err) })
	w.mu.Lock()
	w.status.Warnings++
	w.status.LastWarning = err
	w.mu.Unlock()
	w.o.OnWarning()
}

// Drain tells the worker that the journal was closed: what is left is to be
// delivered without waiting longer than necessary, until the deadline, if
// there is one.
func (w *Worker) Drain(deadline time.Time) {
	w.deadline = deadline
	close(w.draining)
}

// Cancel ends the worker's attempts: what is not delivered is dropped.
func (w *Worker) Cancel() { w.cancel() }

// GiveUp notes that nobody waits for the worker any more, if it has not ended.
// What it settles from now on does not count.
func (w *Worker) GiveUp() {
	w.cursor.Abandon()
	select {
	case <-w.done:
	default:
		w.update(func(s *Status) {
			s.State = Hanging
			s.LastError = cmp.Or[error](s.LastError, errGivenUp)
		})
	}
}

var errGivenUp = errors.New("the sink did not return in time for the shutdown")

// Done is closed when the worker has ended and its sink is closed.
func (w *Worker) Done() <-chan struct{} { return w.done }

// CloseErr returns the error of closing the sink, once Done is closed.
func (w *Worker) CloseErr() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closeErr
}

// run is the worker's goroutine. A sink that calls runtime.Goexit, as a test
// helper does that fails, ends it; another one then takes over with the batch
// as it was.
func (w *Worker) run() {
	defer markGoroutine()()
	finished := false
	defer func() {
		if !finished {
			go w.run()
		}
	}()
	w.deliver()
	for w.ctx.Err() == nil && w.cursor.Wait() {
		w.fill()
		w.gather()
		w.deliver()
		// Where there are more workers than processors, let them take turns
		// batch by batch: then they share the JSON of the same records, and the
		// program does not wait for a time slice of 10 ms.
		runtime.Gosched()
	}
	finished = true
	w.cursor.Abandon() // there is something left only if the worker was cancelled
	w.close()
}

// close closes the sink.
func (w *Worker) close() {
	defer close(w.done)
	defer w.cancel()
	err := errGoexit
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.closeErr, w.status.State = err, Closed
	}()
	c, ok := w.o.Sink.(io.Closer)
	if !ok {
		err = nil
		return
	}
	w.enter()
	defer w.leave()
	err = guard(w.o.Redact, func() error { return w.o.Redact(c.Close()) })
}
