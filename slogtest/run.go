package slogtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapilog/fapilog"
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
	hung   bool // the sink is in a call that does not return
}

// subject opens a subject, to be closed at the end of t. It ends t if there is
// none.
func (s *suite) subject(t *testing.T) *opened {
	t.Helper()
	var subject Subject
	err := within(s.opening, "open", func() error {
		subject = s.open(t)
		return subject.check()
	})
	if t.Skipped() { // by open, on the goroutine that it was called on
		t.SkipNow()
	}
	if err != nil {
		s.stop("there is no subject to test")
		if errors.Is(err, errGoexit) && t.Failed() { // open has said why
			t.FailNow()
		}
		t.Fatalf("slogtest: the subject that open returns: %v", err)
	}
	s.digest = &subject.Digest
	o := &opened{Subject: subject, suite: s, sink: &observer{
		through: through{subject.Sink}, said: s.said, tally: &s.tally, deaf: s.noProbe, failed: make(chan struct{}),
	}}
	t.Cleanup(func() { _ = o.close() }) // what it returns was checked, or something else is broken
	return o
}

// start makes the sink the only one of a fan-out.
func (o *opened) start(t *testing.T) error {
	o.sink.fanned.Store(true)
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets:  []fapilog.Target{{Name: "subject", Sink: o.sink, Level: slog.Level(math.MinInt), Batch: 100, Linger: time.Millisecond, Timeout: o.limit}},
		Fallback: t.Output(),
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

// close closes the fan-out, or the sink if there is none. The sink is not closed
// while it is in a call.
func (o *opened) close() error {
	if o.closed || o.hung {
		return nil
	}
	o.closed = true
	if o.out == nil {
		return o.call("Close", func(context.Context) error { return o.sink.Close() })
	}
	patience := o.patient(o.patience, 2*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := o.out.Shutdown(ctx)
	if ctx.Err() != nil {
		o.waited(patience)
	}
	return err
}

// closeAll is close after records with the given messages were logged. If they
// are not delivered, the error names them.
func (o *opened) closeAll(messages []string) error {
	err := o.close()
	if err == nil || o.out.Stats().Sinks[0].Drops.Shutdown == 0 {
		return err
	}
	if missing := o.missing(messages); missing != "" {
		return fmt.Errorf("%w; not arrived: %s", err, missing)
	}
	return err
}

// missing names those of the messages that have not arrived.
func (o *opened) missing(messages []string) string {
	records, err := o.arrived()
	if err != nil {
		return ""
	}
	there := make(map[string]bool)
	for _, r := range records {
		there[fmt.Sprint(r[slog.MessageKey])] = true
	}
	return some(slices.DeleteFunc(slices.Clone(messages), func(m string) bool { return there[m] }))
}

// some lists the first few of some messages.
func some(messages []string) string {
	const few = 3
	var b strings.Builder
	for i, m := range messages[:min(len(messages), few)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.60q", m)
	}
	if len(messages) > few {
		fmt.Fprintf(&b, " and %d more", len(messages)-few)
	}
	return b.String()
}

// messagesOf returns the messages of a batch.
func messagesOf(batch []sinks.Event) []string {
	var messages []string
	for _, e := range batch {
		messages = append(messages, strings.Clone(e.Message()))
	}
	return messages
}

// arrived returns what has arrived.
func (o *opened) arrived() ([]map[string]any, error) {
	records, err := o.Records()
	if err != nil {
		return nil, fmt.Errorf("what has arrived cannot be read back: %w", err)
	}
	return records, nil
}

// account compares the account of the fan-out, which must be closed. missing
// names what was logged and has not arrived.
func (o *opened) account(delivered, rejected int, missing string) error {
	st := o.out.Stats().Sinks[0]
	if st.Delivered == uint64(delivered) && st.Rejected == uint64(rejected) && st.Dropped == 0 && st.Pending == 0 {
		return nil
	}
	more := ""
	if missing != "" {
		more = "; not arrived: " + missing
	}
	if st.LastError != nil {
		more += fmt.Sprintf("; last error: %v", st.LastError)
	}
	return fmt.Errorf("the account has %d delivered, %d rejected, %d dropped records, when %d have arrived and %d were to be rejected%s",
		st.Delivered, st.Rejected, st.Dropped, delivered, rejected, more)
}

// write calls Write. The second error says that it did not return, or how else
// it broke its contract.
func (o *opened) write(batch []sinks.Event) (err, broken error) {
	var answer error
	began := time.Now()
	broken = o.call("Write", func(ctx context.Context) error {
		answer = o.sink.Write(ctx, batch)
		return nil
	})
	if broken != nil {
		return nil, broken // answer may still be written to
	}
	if broken := asBroke(answer); broken != nil {
		return nil, broken
	}
	if waited := time.Since(began); answer != nil && waited >= o.limit {
		o.hangs(o.key("Write"), waited)
		hint := ""
		if o.sink.during() != "" {
			hint = "; if the destination does not answer while this fault lasts, set Fault.Hangs"
		}
		return nil, fmt.Errorf("Write has not returned before its context ended after %v: %w%s", o.limit, answer, hint)
	}
	return answer, nil
}

// deliver does what the fan-out does, without its waiting: it writes batch
// until every record is delivered or refused, and returns the number of the
// refused ones.
func (o *opened) deliver(batch []sinks.Event) (refused int, broken error) {
	todo := [][]sinks.Event{batch} // the next one last
	failures := 0
	patience := o.patient(o.retrying, o.retrying/8)
	for began := time.Now(); len(todo) > 0; {
		part := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		err, broken := o.write(part)
		if broken != nil {
			return refused, broken
		}
		a, broken := read(err, len(part))
		if broken != nil {
			return refused, broken
		}
		if v := a.verdicts[0]; a.whole && len(part) > 1 && (v == Permanent || v == TooLarge) {
			todo = append(todo, halves(part)...)
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
		if spent := time.Since(began); spent > patience {
			o.waited(spent)
			return refused, fmt.Errorf("%s: not delivered after %v of trying: %w", some(messagesOf(left)), patience, err)
		}
		todo = append(todo, left)
		failures++
		pause(max(min(a.after, time.Second), min(time.Millisecond<<failures, time.Second/4)))
	}
	return refused, nil
}

// halves returns the two parts of a batch, the first one last.
func halves(batch []sinks.Event) [][]sinks.Event {
	half := len(batch) / 2
	return [][]sinks.Event{batch[half:len(batch):len(batch)], batch[:half:half]}
}

func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

var errGoexit = errors.New("it ended its goroutine with runtime.Goexit")

// A broke says that a call has panicked or not returned.
type broke struct {
	text  string
	hangs bool
}

func (e *broke) Error() string { return e.text }

// within returns what call returns, or that it did not within d, or panicked. A
// call that does not return is left behind.
func within(d time.Duration, what string, call func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if r := recover(); r != nil {
				err = &broke{text: fmt.Sprintf("%s panicked: %v\n%s", what, r, debug.Stack())}
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
		return &broke{text: fmt.Sprintf("%s has not returned within %v", what, d), hangs: true}
	}
}
