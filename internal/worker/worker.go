// Package worker delivers the records of a journal to one sink: it reads,
// filters, forms batches, calls the sink and acts on its verdict. Whatever
// the sink does, fail, hang, panic or end its goroutine, nothing but this
// worker is affected.
package worker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/match"
	"github.com/fapilog/fapilog/sinks"
)

// Options configure a worker. All of them must be set, but where a zero value
// is documented.
type Options struct {
	Name         string
	Sink         sinks.Sink
	Redact       func(error) error // applied to every error of the sink that is kept
	Level        slog.Leveler      // nil: every level
	Match        match.Expr        // zero: every record
	Batch        int
	BatchBytes   int
	Linger       time.Duration
	Timeout      time.Duration // of one Write or Probe
	RetryMaxAge  time.Duration // zero: none
	Overflow     journal.Overflow
	BlockTimeout time.Duration
	Backoff      Backoff
	OnChange     func() // called, without locks held, when State has changed
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
	done     chan struct{} // closed when the sink is closed

	// Of the goroutine that runs.
	buf    []byte // the frames of the batch
	events []sinks.Event
	todo   delivery
	marks  bool // the sink wants gaps marked

	mu        sync.Mutex
	status    Status
	callSince time.Time
	closeErr  error
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
	w.ctx, w.cancel = context.WithCancel(onWorker(context.Background(), origin))
	w.status.State = Running
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

// Drain tells the worker that the journal was closed: what is left is to be
// delivered without waiting longer than necessary.
func (w *Worker) Drain() { close(w.draining) }

// Cancel ends the worker's attempts: what is not delivered is dropped.
func (w *Worker) Cancel() { w.cancel() }

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

// fill reads the next batch into w.events.
func (w *Worker) fill() {
	w.batch.Reset()
	w.events = w.events[:0]
	if cap(w.buf) > 2*w.o.BatchBytes || w.batch.Size() > 8*w.o.BatchBytes {
		// There was a huge record in it. Do not keep as much for ever.
		w.buf, w.events = nil, nil
		w.batch.Free()
	}
	level := slog.Level(math.MinInt)
	if w.o.Level != nil {
		level = w.o.Level.Level()
	}
	var filtered uint64
	w.buf = w.buf[:0]
	for read := 0; read < w.o.Batch; {
		var chunk journal.Chunk
		// If the memory grows, frames that were read before stay where they are.
		w.buf, chunk = w.cursor.Read(w.buf, w.o.Batch-read, w.o.BatchBytes-len(w.buf), read == 0)
		if chunk.Gap.Last != 0 && w.marks {
			w.mark(chunk.Gap)
		}
		if chunk.Count == 0 {
			break
		}
		read += chunk.Count
		for rest, seq := chunk.Frames, chunk.First; len(rest) > 0; seq++ {
			var f []byte
			f, rest = journal.Next(rest)
			if !w.wants(f, level) {
				filtered++
				continue
			}
			w.events = append(w.events, sinks.Event(w.batch.Add(f, seq)))
		}
	}
	if filtered > 0 {
		w.cursor.Settle(journal.Outcome{Filtered: filtered})
	}
	w.todo.start(w.events)
}

func (w *Worker) wants(f frame.Frame, level slog.Level) bool {
	return f.Level() >= level && w.o.Match.Match(f)
}

// mark adds a record to the batch that tells of a gap. It bears the number of
// the last record of the gap, which can have no other use, so that sending it
// again is as harmless as with any record.
func (w *Worker) mark(g journal.Gap) {
	n := g.Last - g.First + 1
	r := slog.NewRecord(time.Now(), slog.LevelWarn, fmt.Sprintf("%d records dropped", n), 0)
	r.AddAttrs(slog.Group("fapilog",
		slog.String("sink", w.o.Name),
		slog.Uint64("dropped", n),
		slog.Uint64("first", g.First),
		slog.Uint64("last", g.Last)))
	f := frame.NewEncoder(nil).Append(nil, r)
	w.events = append(w.events, sinks.Event(w.batch.AddMark(f, g.Last)))
}

// close closes the sink.
func (w *Worker) close() {
	defer close(w.done)
	defer w.cancel()
	var err error
	if c, ok := w.o.Sink.(io.Closer); ok {
		err = w.o.Redact(guard(c.Close))
	}
	w.mu.Lock()
	w.closeErr = err
	w.status.State = Closed
	w.mu.Unlock()
}
