package slogtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

func checkContext(r *run) error {
	err := r.checkEnded()
	if err != nil {
		return err
	}
	_, err = r.eachFault(func(s *opened, f Fault) error {
		if !f.Hangs {
			return nil
		}
		return r.checkHanging(s, f)
	})
	return err
}

// checkEnded calls Write and Probe with a context that has ended already. The
// destination works, so both may succeed.
func (r *run) checkEnded() error {
	s := r.subject(r.t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, broken := s.soonOf("Probe", func() error { return s.sink.Probe(ended) }); broken != nil {
		return broken
	}
	messages := numbered("context", 3)
	b := writing(messages)
	err, broken := s.soonOf("Write", func() error { return s.sink.Write(ended, b.events) })
	if broken != nil {
		return broken
	}
	a, broken := read(err, len(messages))
	if broken != nil {
		return broken
	}
	var (
		claimed []string
		left    []sinks.Event
	)
	for i, v := range a.verdicts {
		switch v {
		case delivered:
			claimed = append(claimed, messages[i])
		case Retry, RetryAfter:
			left = append(left, b.events[i])
		default:
			return fmt.Errorf("Write with a context that has ended returned the verdict %q, which says something about the destination: %w", v, err)
		}
	}
	if len(left) < len(messages) {
		records, err := s.arrived()
		if err != nil {
			return err
		}
		if len(records) < len(claimed) {
			return fmt.Errorf("Write with a context that has ended delivered %d records, and claimed %d: %s", len(records), len(claimed), some(claimed))
		}
	}
	if len(left) > 0 {
		if err := s.deliverAll(left); err != nil {
			return err
		}
	}
	return s.expect(messages, true)
}

// checkHanging calls Probe and Write of a destination that does not answer.
// Probe may succeed: it need not ask for more than a connection.
func (r *run) checkHanging(s *opened, f Fault) error {
	defer s.begin(r.t, f)()
	b := writing(numbered("context", 3))
	early := 0
	for _, end := range []func(context.Context, time.Duration) (context.Context, context.CancelFunc){context.WithTimeout, withCancelAfter} {
		ctx, cancel := end(context.Background(), s.hanging)
		began := time.Now()
		err, broken := s.soonOf("Write", func() error { return s.sink.Write(ctx, b.events) })
		cancel()
		switch {
		case broken != nil:
			return broken
		case err == nil:
			return errors.New("Write returned nil")
		case time.Since(began) < s.hanging/2:
			// The first may have found a connection that was cut by Begin.
			if early++; early == 2 {
				return fmt.Errorf("Write returned before its context ended, although Fault.Hangs is set: %w", err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.hanging)
	defer cancel()
	_, broken := s.soonOf("Probe", func() error { return s.sink.Probe(ctx) })
	return broken
}

// withCancelAfter returns a context that has no deadline and ends all the same.
func withCancelAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(d, cancel)
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

// soonOf calls a method whose context has ended, or is about to.
func (o *opened) soonOf(what string, call func() error) (err, broken error) {
	var answer error
	broken = o.within(o.soon, what+" with a context that has ended", func() error { answer = call(); return nil })
	if broken != nil {
		return nil, broken // answer may still be written to
	}
	return answer, asBroke(answer)
}

func checkProbe(r *run) error {
	s := r.subject(r.t)
	if _, ok := s.Sink.(sinks.Prober); !ok {
		return notApplicable("the sink is no sinks.Prober")
	}
	probe := func(times int) error {
		for i := range times {
			if err := s.call("Probe", s.sink.Probe); err != nil {
				s.noProbe = true
				return fmt.Errorf("time %d: %w", i+1, err)
			}
		}
		return nil
	}
	if err := probe(5); err != nil {
		return err
	}
	if err := s.expect(nil, false); err != nil {
		s.noProbe = true
		return err
	}
	messages := numbered("probe", 3)
	if err := errors.Join(s.deliverAll(writing(messages).events), s.expect(messages, false)); err != nil {
		return notDelivered(err)
	}
	if err := errors.Join(probe(2), s.close()); err != nil {
		return err
	}
	return s.expect(messages, false)
}

func checkClose(r *run) error {
	unused := r.subject(r.t)
	if _, ok := unused.Sink.(io.Closer); !ok {
		return notApplicable("the sink is no io.Closer")
	}
	if err := unused.close(); err != nil {
		return fmt.Errorf("Close of a sink that was not written to: %w", err)
	}
	used := r.subject(r.t)
	messages := numbered("close", 3)
	undelivered := used.deliverAll(writing(messages).events)
	if used.hung {
		return notDelivered(undelivered)
	}
	if undelivered == nil {
		undelivered = used.expect(messages, false)
	}
	if err := used.close(); err != nil {
		return err
	}
	for range 2 {
		if err := used.call("Close", func(context.Context) error { return used.sink.Close() }); err != nil {
			return fmt.Errorf("Close once more: %w", err)
		}
	}
	if undelivered != nil {
		return notDelivered(undelivered)
	}
	if err := used.expect(messages, false); err != nil {
		return fmt.Errorf("after Close: %w", err)
	}
	for _, s := range []*opened{unused, used} {
		if err := s.checkLate(); err != nil {
			return err
		}
	}
	return nil
}

// notDelivered leaves it to the rule "once" to say that nothing arrives.
func notDelivered(err error) error {
	return notApplicable(fmt.Sprintf("nothing is delivered, which the rule \"once\" is about: %v", flatten(err)[0]))
}

// checkLate writes to a sink that is closed.
func (o *opened) checkLate() error {
	late := writing(numbered("late", 1))
	ctx, cancel := context.WithTimeout(context.Background(), min(time.Second, o.limit))
	defer cancel()
	var answer error
	broken := o.within(o.endless(), "Write to a closed sink", func() error { answer = o.sink.Write(ctx, late.events); return nil })
	if broken == nil {
		broken = asBroke(answer)
	}
	if broken != nil {
		return fmt.Errorf("after Close: %w", broken)
	}
	if a, broken := read(answer, 1); broken != nil || a.verdicts[0] != delivered {
		return broken
	}
	records, err := o.arrived()
	if err != nil {
		return err
	}
	if len(records) == 0 || fmt.Sprint(records[len(records)-1][slog.MessageKey]) != late.events[0].Message() {
		return errors.New("Write after Close returned nil and has delivered nothing")
	}
	return nil
}
