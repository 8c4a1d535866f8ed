package slogtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// begin makes the destination fail. The function returned makes it work again,
// at the latest at the end of the test.
func (f Fault) begin(r *run) (end func()) {
	r.t.Helper()
	if f.Begin == nil || f.End == nil || f.Want == "" {
		r.t.Fatalf("slogtest: the fault %q must have Begin, End and Want", f.Name)
	}
	f.Begin()
	end = sync.OnceFunc(f.End)
	r.t.Cleanup(end)
	return end
}

// eachFault calls check with a new subject for each of its faults that is
// wanted.
func (r *run) eachFault(check func(*opened, Fault) error) (n int, err error) {
	var errs []error
	n = 1
	for i := 0; i < n; i++ {
		s := r.subject(r.t)
		if n = len(s.Faults); n == 0 {
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
		if f.Hangs {
			return nil // whatever the error says, the fan-out has waited for it as above
		}
		return r.checkAccount(s, f)
	})
	return err
}

// checkVerdict calls Write while the fault lasts.
func (r *run) checkVerdict(s *opened, f Fault) error {
	messages := numbered("verdicts", 5)
	b := writing(messages)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if f.Hangs {
		time.AfterFunc(s.hanging, cancel)
	}
	end := f.begin(r)
	err, broken := s.write(ctx, b.events)
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
		return fmt.Errorf("Write returned no error instead of the verdict %q", f.Want)
	}
	if !f.Delivers {
		if err := s.expect(arrived, false); err != nil {
			return err
		}
	}
	if f.Want == Permanent || f.Want == TooLarge {
		return nil
	}
	b.events = slices.DeleteFunc(b.events, func(e sinks.Event) bool { return slices.Contains(arrived, e.Message()) })
	if _, broken := s.deliver(b.events); broken != nil {
		return broken
	}
	return s.expect(messages, f.Delivers && !s.Idempotent)
}

// checkAccount has a fan-out deliver while the fault lasts and after it.
func (r *run) checkAccount(s *opened, f Fault) error {
	if err := s.start(r.t); err != nil {
		return err
	}
	during, after := numbered("during", 5), numbered("after", 5)
	end := f.begin(r)
	if err := s.log(during...); err != nil {
		return err
	}
	limit := time.NewTimer(s.patience)
	defer limit.Stop()
	select {
	case <-s.sink.failed:
	case <-limit.C:
		return errors.New("no Write fails")
	}
	final := f.Want == Permanent || f.Want == TooLarge
	if final {
		ctx, cancel := context.WithTimeout(context.Background(), s.patience)
		defer cancel()
		_ = s.out.Flush(ctx) // it tells of the records that are to be rejected
	}
	end()
	// Of what is held or retried, closing ends the waiting.
	if err := errors.Join(s.log(after...), s.close()); err != nil {
		return err
	}
	if !final {
		if err := s.expect(slices.Concat(during, after), f.Delivers && !s.Idempotent); err != nil {
			return err
		}
		return s.account(len(during)+len(after), 0)
	}
	records, err := s.arrived()
	if err != nil {
		return err
	}
	arrived := make([]string, 0, len(records))
	for _, r := range records {
		arrived = append(arrived, fmt.Sprint(r[slog.MessageKey]))
	}
	during = slices.DeleteFunc(during, func(m string) bool { return !slices.Contains(arrived, m) })
	if err := compare(arrived, slices.Concat(during, after), false); err != nil {
		return err
	}
	return s.account(len(arrived), 10-len(arrived))
}

func checkRefused(r *run) error {
	refused := r.subject(r.t).Refused
	if len(refused) == 0 {
		return notApplicable("Subject.Refused is empty")
	}
	var errs []error
	for i, record := range refused {
		name := fmt.Sprintf("Refused[%d]", i)
		s := r.subject(r.t)
		err, broken := s.write(context.Background(), newBatch([]slog.Record{record}).events)
		if broken != nil {
			return broken
		}
		a, broken := read(err, 1)
		if broken != nil {
			return broken
		}
		if v := a.verdicts[0]; v != Permanent && v != TooLarge {
			errs = append(errs, fmt.Errorf("%s is %s instead of refused: %w", name, v, err))
			continue
		}
		if err := r.checkNeighbours(record); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
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
	if err := errors.Join(s.log(after...), s.close()); err != nil {
		return err
	}
	if err := s.expect(slices.Concat(before, after), false); err != nil {
		return err
	}
	return s.account(len(before)+len(after), 1)
}

func checkIdempotent(r *run) error {
	s := r.subject(r.t)
	if !s.Idempotent {
		return notApplicable("Subject.Idempotent is not set")
	}
	messages := numbered("idempotent", 5)
	b := writing(messages)
	for range 3 {
		if _, broken := s.deliver(b.events); broken != nil {
			return broken
		}
	}
	return s.expect(messages, false)
}
