package slogtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// begin makes the destination fail. The function returned makes it work again,
// at the latest at the end of t.
func (o *opened) begin(t *testing.T, f Fault) (end func()) {
	o.sink.fault.Store(&f.Name)
	f.Begin()
	end = sync.OnceFunc(func() {
		f.End()
		o.sink.fault.Store(nil)
	})
	t.Cleanup(end)
	return end
}

// eachFault calls check with a new subject for each of its faults.
func (r *run) eachFault(check func(*opened, Fault) error) (n int, err error) {
	var errs []error
	n = 1
	for i := 0; i < n; i++ {
		if why := r.stopped(); why != nil {
			return n, errors.Join(append(errs, why)...)
		}
		s := r.subject(r.t)
		if n = len(s.Faults); i >= n {
			break
		}
		f := s.Faults[i]
		for _, err := range flatten(check(s, f)) {
			errs = append(errs, fmt.Errorf("fault %q: %w", f.Name, err))
		}
	}
	return n, errors.Join(errs...)
}

func checkVerdicts(r *run) error {
	n, err := r.eachFault(func(s *opened, f Fault) error { return r.checkVerdict(s, f) })
	if n == 0 {
		return notApplicable("Subject.Faults is empty")
	}
	if err != nil {
		return err
	}
	_, err = r.eachFault(func(s *opened, f Fault) error {
		if f.Hangs || f.After > shortAfter {
			return nil // the fan-out would wait: whatever the error says, it has been written again as above
		}
		return r.checkAccount(s, f)
	})
	return err
}

// checkVerdict calls Write while the fault lasts.
func (r *run) checkVerdict(s *opened, f Fault) error {
	messages := numbered("verdicts", 5)
	b := writing(messages)
	end := s.begin(r.t, f)
	err, broken := s.writeIn(f, b.events)
	end()
	if broken != nil {
		return broken
	}
	a, broken := read(err, len(b.events))
	if broken != nil {
		return broken
	}
	var arrived []string
	for i, v := range a.verdicts {
		switch v {
		case f.Want:
		case delivered:
			arrived = append(arrived, messages[i])
		default:
			return fmt.Errorf("Write returned the verdict %q instead of %q: %w", v, f.Want, err)
		}
	}
	if len(arrived) == len(messages) {
		return s.noError(f, messages)
	}
	if err := f.checkAfter(a.after); err != nil {
		return err
	}
	if !f.Delivers {
		if err := s.expect(arrived, false); err != nil {
			return err
		}
	}
	left := slices.DeleteFunc(slices.Clone(b.events), func(e sinks.Event) bool { return slices.Contains(arrived, e.Message()) })
	if f.Want == Permanent || f.Want == TooLarge {
		if !a.whole || f.Delivers {
			return nil
		}
		// The fan-out splits the batch. A sink that remembers it must not take a
		// part for the whole.
		for _, half := range slices.Backward(halves(left)) {
			if broken := s.deliverAll(half); broken != nil {
				return fmt.Errorf("a part of the batch, after the fault: %w", broken)
			}
		}
		if err := s.expect(messages, false); err != nil {
			return fmt.Errorf("the batch in two parts, after the fault: %w", err)
		}
		return nil
	}
	if _, broken := s.deliver(left); broken != nil {
		return broken
	}
	return s.expect(messages, f.Delivers && !s.Idempotent)
}

// writeIn calls Write while a fault lasts.
func (o *opened) writeIn(f Fault, batch []sinks.Event) (err, broken error) {
	if !f.Hangs {
		return o.write(batch)
	}
	ctx, cancel := withCancelAfter(context.Background(), o.hanging)
	defer cancel()
	return o.soonOf("Write", func() error { return o.sink.Write(ctx, batch) })
}

// noError says that Write has failed for none of the messages.
func (o *opened) noError(f Fault, messages []string) error {
	missing := o.missing(messages)
	switch {
	case missing != "":
		missing = "; not arrived: " + missing
	case !f.Delivers:
		missing = ": Begin has had no effect, all records have arrived"
	}
	return fmt.Errorf("Write returned no error instead of the verdict %q%s", f.Want, missing)
}

// checkAccount has a fan-out deliver while the fault lasts and after it.
func (r *run) checkAccount(s *opened, f Fault) error {
	if err := s.start(r.t); err != nil {
		return err
	}
	during, after := numbered("during", 5), numbered("after", 5)
	end := s.begin(r.t, f)
	if err := s.log(during...); err != nil {
		return err
	}
	patience := s.patient(s.patience, 2*time.Second)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-s.sink.failed:
	case <-limit.C:
		s.waited(patience)
		return errors.New("no Write fails when the fan-out calls it")
	}
	final := f.Want == Permanent || f.Want == TooLarge
	if final {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.out.Flush(ctx) // it tells of the records that are to be rejected
		if ctx.Err() != nil {
			s.waited(patience)
		}
	}
	end()
	all := slices.Concat(during, after)
	// Of what is held or retried, closing ends the waiting.
	if err := errors.Join(s.log(after...), s.closeAll(all)); err != nil {
		return err
	}
	missing := s.missing(all)
	if !final {
		if err := s.expect(all, f.Delivers && !s.Idempotent); err != nil {
			return err
		}
		return s.account(len(all), 0, missing)
	}
	arrived, err := s.messages()
	if err != nil {
		return err
	}
	during = slices.DeleteFunc(during, func(m string) bool { return !slices.Contains(arrived, m) })
	if err := compare(arrived, slices.Concat(during, after), false, !s.sink.partial.Load()); err != nil {
		return err
	}
	delivered := len(arrived)
	if f.Delivers { // a sink that gives up what may have arrived counts it as rejected
		delivered = min(delivered, int(s.out.Stats().Sinks[0].Delivered))
	}
	return s.account(delivered, len(all)-delivered, missing)
}

func checkRefused(r *run) error {
	refused := r.subject(r.t).Refused
	if len(refused) == 0 {
		return notApplicable("Subject.Refused is empty")
	}
	var errs []error
	for i, record := range refused {
		if why := r.stopped(); why != nil {
			return errors.Join(append(errs, why)...)
		}
		name := fmt.Sprintf("Refused[%d] %.40q", i, record.Message)
		s := r.subject(r.t)
		err, broken := s.write(newBatch([]slog.Record{record}).events)
		if broken != nil {
			return broken
		}
		a, broken := read(err, 1)
		if broken != nil {
			return broken
		}
		switch v := a.verdicts[0]; {
		case v == delivered:
			errs = append(errs, fmt.Errorf("%s is delivered instead of refused", name))
		case v != Permanent && v != TooLarge:
			errs = append(errs, fmt.Errorf("%s is %s instead of refused: %w", name, v, err))
		default:
			for _, err := range flatten(r.checkNeighbours(record)) {
				errs = append(errs, fmt.Errorf("%s among others: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// checkNeighbours logs a record that is refused between others.
func (r *run) checkNeighbours(refused slog.Record) error {
	s := r.subject(r.t)
	if err := s.start(r.t); err != nil {
		return err
	}
	before, after := numbered("before", 5), numbered("after", 4)
	if err := s.log(before...); err != nil {
		return err
	}
	if err := s.handler().Handle(context.Background(), refused); err != nil {
		return err
	}
	all := slices.Concat(before, after)
	if err := errors.Join(s.log(after...), s.closeAll(all)); err != nil {
		return err
	}
	if err := s.expect(all, false); err != nil {
		return err
	}
	return s.account(len(all), 1, "")
}

// checkIdempotent writes a batch again and again, and then one of another log
// whose records have the same numbers: a program that was started again has
// such.
func checkIdempotent(r *run) error {
	s := r.subject(r.t)
	if !s.Idempotent {
		return notApplicable("Subject.Idempotent is not set")
	}
	messages, others := numbered("idempotent", 5), numbered("of another log", 5)
	b := writing(messages)
	other := newBatchOf(rand.Text(), b.events[0].ID().Seq, records(others...))
	for range 3 {
		if err := s.deliverAll(b.events); err != nil {
			return err
		}
	}
	if err := s.expect(messages, false); err != nil {
		return err
	}
	if err := s.deliverAll(other.events); err != nil {
		return fmt.Errorf("a log with the same sequence numbers: %w", err)
	}
	if err := s.expectUnordered(slices.Concat(messages, others), false); err != nil {
		return fmt.Errorf("with two logs, which have the same sequence numbers: %w", errors.Join(flatten(err)[:1]...))
	}
	return nil
}
