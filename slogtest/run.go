package slogtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/warn"
	"github.com/fapilog/fapilog/sinks"
)

// A run is the check of one rule.
type run struct {
	*suite
	t *testing.T
}

// An opened is a subject whose sink is called directly or, after start, by a
// fan-out. It is for one goroutine.
type opened struct {
	Subject
	*suite
	sink   *observer
	out    *fapilog.Fanout // nil before start
	closed bool
}

// subject opens a subject, to be closed at the end of t.
func (s *suite) subject(t *testing.T) *opened {
	t.Helper()
	subject := s.open(t)
	if subject.Sink == nil || subject.Records == nil {
		t.Fatal("slogtest: the subject must have a Sink and Records")
	}
	o := &opened{Subject: subject, suite: s, sink: &observer{
		through: through{subject.Sink}, said: s.said, failed: make(chan struct{}),
	}}
	t.Cleanup(func() { _ = o.close() }) // what it returns was checked, or something else is broken
	return o
}

// start makes the sink the only one of a fan-out.
func (o *opened) start(t *testing.T) error {
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets:         []fapilog.Target{{Name: "subject", Sink: o.sink, Batch: 100, Linger: time.Millisecond}},
		ShutdownTimeout: o.patience,
		Fallback:        t.Output(),
	})
	o.out = out
	return err
}

// handler returns a handler that lets every level through.
func (o *opened) handler() slog.Handler {
	return fapilog.Handler(o.out, &slog.HandlerOptions{Level: slog.Level(math.MinInt)})
}

// log logs a record with each of the messages.
func (o *opened) log(messages ...string) error {
	for _, r := range records(messages...) {
		if err := o.handler().Handle(context.Background(), r); err != nil {
			return err
		}
	}
	return nil
}

// close closes the fan-out, or the sink if there is none.
func (o *opened) close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	if o.out != nil {
		return o.out.Close()
	}
	return within(o.patience, "Close", o.sink.Close)
}

// arrived returns what has arrived.
func (o *opened) arrived() ([]map[string]any, error) {
	records, err := o.Records()
	if err != nil {
		return nil, fmt.Errorf("what has arrived cannot be read back: %w", err)
	}
	return records, nil
}

// account compares the account of the fan-out, which must be closed.
func (o *opened) account(delivered, rejected int) error {
	st := o.out.Stats().Sinks[0]
	if st.Delivered == uint64(delivered) && st.Rejected == uint64(rejected) && st.Dropped == 0 && st.Pending == 0 {
		return nil
	}
	last := ""
	if st.LastError != nil {
		last = fmt.Sprintf("; last error: %v", st.LastError)
	}
	return fmt.Errorf("the account has %d delivered, %d rejected, %d dropped records, when %d have arrived and %d were to be rejected%s",
		st.Delivered, st.Rejected, st.Dropped, delivered, rejected, last)
}

// write calls Write. The second error says that it did not return, or how else
// it broke its contract.
func (o *opened) write(ctx context.Context, batch []sinks.Event) (err, broken error) {
	broken = within(o.patience, "Write", func() error {
		err = o.sink.Write(ctx, batch)
		return nil
	})
	if broken != nil {
		return nil, broken // err may still be written to
	}
	return err, nil
}

// deliver does what the fan-out does, without its waiting: it writes batch
// until every record is delivered or refused, and returns the number of the
// refused ones.
func (o *opened) deliver(batch []sinks.Event) (refused int, broken error) {
	todo := [][]sinks.Event{batch} // the next one last
	failures := 0
	for began := time.Now(); len(todo) > 0; {
		part := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		err, broken := o.write(context.Background(), part)
		if broken != nil {
			return refused, broken
		}
		a, broken := read(err, len(part))
		if broken != nil {
			return refused, broken
		}
		if v := a.verdicts[0]; a.whole && len(part) > 1 && (v == Permanent || v == TooLarge) {
			half := len(part) / 2
			todo = append(todo, part[half:len(part):len(part)], part[:half:half])
			continue
		}
		var left []sinks.Event
		for i, v := range a.verdicts {
			switch v {
			case delivered:
			case Permanent, TooLarge:
				refused++
			default:
				left = append(left, part[i])
			}
		}
		if len(left) == 0 {
			failures = 0
			continue
		}
		if time.Since(began) > o.patience {
			return refused, fmt.Errorf("%d records are not delivered after %v: %w", len(left), o.patience, err)
		}
		todo = append(todo, left)
		failures++
		pause(max(a.after, min(time.Millisecond<<failures, time.Second/4)))
	}
	return refused, nil
}

func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

var errGoexit = errors.New("it ended its goroutine with runtime.Goexit")

// A broke says that a call has panicked or not returned.
type broke struct{ text string }

func (e *broke) Error() string { return e.text }

// within returns what call returns, or that it did not within d, or panicked. A
// call that does not return is left behind.
func within(d time.Duration, what string, call func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if r := recover(); r != nil {
				err = &broke{fmt.Sprintf("%s panicked: %v\n%s", what, r, debug.Stack())}
			}
			done <- err
		}()
		err = call()
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return &broke{fmt.Sprintf("%s has not returned within %v", what, d)}
	}
}

// said is everything that sinks have said: their errors, and their warnings.
type said struct {
	mu   sync.Mutex
	errs []error // guarded by mu
}

func (s *said) add(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *said) all() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errs[:len(s.errs):len(s.errs)]
}

// An observer notes what the sink behind it says.
type observer struct {
	through
	said   *said
	once   sync.Once
	failed chan struct{} // closed when a Write has failed
}

func (o *observer) Write(ctx context.Context, batch []sinks.Event) error {
	err := o.through.Write(o.listen(ctx), batch)
	o.said.add(err)
	if err != nil {
		o.once.Do(func() { close(o.failed) })
	}
	return err
}

func (o *observer) Probe(ctx context.Context) error {
	err := o.through.Probe(o.listen(ctx))
	o.said.add(err)
	return err
}

func (o *observer) Close() error {
	err := o.through.Close()
	o.said.add(err)
	return err
}

// listen returns a context for a call in which the sink may warn.
func (o *observer) listen(ctx context.Context) context.Context {
	return warn.Context(ctx, func(err error) {
		o.said.add(err)
		warn.Send(ctx, err)
	})
}

var _ io.Closer = (*observer)(nil)
