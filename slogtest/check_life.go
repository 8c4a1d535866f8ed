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
	if err := s.soonOf("Probe", func() error { _ = s.sink.Probe(ended); return nil }); err != nil {
		return err
	}
	messages := numbered("context", 3)
	b := writing(messages)
	var err error
	if broken := s.soonOf("Write", func() error { err = s.sink.Write(ended, b.events); return nil }); broken != nil {
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
			return fmt.Errorf("Write with a context that has ended delivered %d records, and claimed %d", len(records), len(claimed))
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
	end := f.begin(r)
	defer end()
	call := func(what string, call func(context.Context) error) (err, broken error) {
		ctx, cancel := context.WithTimeout(context.Background(), s.hanging)
		defer cancel()
		broken = s.soonOf(what, func() error { err = call(ctx); return nil })
		return err, broken
	}
	b := writing(numbered("context", 3))
	err, broken := call("Write", func(ctx context.Context) error { return s.sink.Write(ctx, b.events) })
	if broken == nil && err == nil {
		broken = errors.New("Write returned nil")
	}
	if broken == nil {
		_, broken = call("Probe", s.sink.Probe)
	}
	return broken
}

// soonOf is within for a call whose context has ended, or is about to.
func (o *opened) soonOf(what string, call func() error) error {
	return within(o.soon, what+" with a context that has ended", call)
}

func checkProbe(r *run) error {
	s := r.subject(r.t)
	if _, ok := s.Sink.(sinks.Prober); !ok {
		return notApplicable("the sink is no sinks.Prober")
	}
	probe := func(times int) error {
		for i := range times {
			ctx, cancel := context.WithTimeout(context.Background(), s.patience)
			err := within(s.patience, "Probe", func() error { return s.sink.Probe(ctx) })
			cancel()
			if err != nil {
				return fmt.Errorf("time %d: %w", i+1, err)
			}
		}
		return nil
	}
	if err := probe(5); err != nil {
		return err
	}
	if err := s.expect(nil, false); err != nil {
		return err
	}
	messages := numbered("probe", 3)
	if err := errors.Join(s.deliverAll(writing(messages).events), probe(2), s.close()); err != nil {
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
	if err := errors.Join(used.deliverAll(writing(messages).events), used.close()); err != nil {
		return err
	}
	for range 2 {
		if err := within(used.patience, "Close", used.sink.Close); err != nil {
			return fmt.Errorf("Close once more: %w", err)
		}
	}
	if err := used.expect(messages, false); err != nil {
		return err
	}
	late := writing(numbered("late", 1))
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, s := range []*opened{unused, used} {
		err, broken := s.write(ctx, late.events)
		if broken != nil {
			return fmt.Errorf("after Close: %w", broken)
		}
		if err != nil {
			continue
		}
		records, err := s.arrived()
		if err != nil {
			return err
		}
		if len(records) == 0 || fmt.Sprint(records[len(records)-1][slog.MessageKey]) != late.events[0].Message() {
			return errors.New("Write after Close returned nil and has delivered nothing")
		}
	}
	return nil
}
