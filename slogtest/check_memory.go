package slogtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/fapilog/fapilog/sinks"
)

// checkNotRetained puts something else into the memory of each batch as soon as
// Write has returned. Under the race detector, a goroutine that goes on reading
// is a race.
func checkNotRetained(r *run) error {
	s := r.subject(r.t)
	var want []string
	for i := range 3 {
		messages := numbered(fmt.Sprintf("not-retained %d", i+1), 3)
		want = append(want, messages...)
		b := writing(messages)
		err, broken := s.write(b.events) // whose context is cancelled then, as the fan-out does
		if broken != nil {
			return broken
		}
		if a, broken := read(err, len(messages)); broken != nil {
			return broken
		} else if i := slices.IndexFunc(a.verdicts, func(v Verdict) bool { return v != delivered }); i >= 0 {
			return fmt.Errorf("Write failed for %q: %w", messages[i], err)
		}
		b.reuse()
	}
	if err := s.close(); err != nil {
		return err
	}
	if err := s.expect(want, false); err != nil {
		return err
	}
	if err := s.checkResidue(); err != nil {
		return err
	}
	// When the context of a call ends, the fan-out leaves the batch to whoever
	// reads it still: so not with faults that hang.
	_, err := r.eachFault(func(s *opened, f Fault) error {
		if f.Hangs {
			return nil
		}
		return r.checkFailedNotRetained(s, f)
	})
	return err
}

// checkFailedNotRetained is checkNotRetained for a Write that has failed. The
// fan-out may give its batch up.
func (r *run) checkFailedNotRetained(s *opened, f Fault) error {
	failing := numbered("not-retained in failure", 3)
	b := writing(failing)
	end := s.begin(r.t, f)
	_, broken := s.write(b.events)
	end()
	if broken != nil {
		return broken
	}
	b.reuse()
	want := numbered("not-retained after failure", 3)
	if err := errors.Join(s.deliverAll(writing(want).events), s.close()); err != nil {
		return fmt.Errorf("after a Write that failed: %w", err)
	}
	got, err := s.messages()
	if err == nil {
		err = compare(slices.DeleteFunc(got, func(m string) bool { return slices.Contains(failing, m) }), want, false, true)
	}
	if err == nil {
		err = s.checkResidue()
	}
	if err != nil {
		return fmt.Errorf("after a Write that failed: %w", errors.Join(flatten(err)[:1]...))
	}
	return nil
}

// checkResidue looks for what reuse leaves in memory.
func (o *opened) checkResidue() error {
	records, err := o.arrived()
	if err != nil {
		return err
	}
	for _, r := range records {
		text := fmt.Sprint(r)
		for _, residue := range []string{overwritten, string([]byte{poison, poison, poison}), "\ufffd\ufffd\ufffd"} {
			if strings.Contains(text, residue) {
				return fmt.Errorf("%.60q has something in it that was read from an earlier batch after its Write had returned: %.300q", r[slog.MessageKey], text)
			}
		}
	}
	return nil
}

func checkUnchanged(r *run) error {
	s := r.subject(r.t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, write := range []func([]sinks.Event) (error, error){
		s.write,
		func(batch []sinks.Event) (error, error) {
			return s.soonOf("Write", func() error { return s.sink.Write(ended, batch) })
		},
	} {
		b := writing(numbered("unchanged", 5))
		before := b.snapshot()
		if _, broken := write(b.events); broken != nil {
			return broken
		}
		if err := b.changed(before); err != nil {
			return err
		}
	}
	return nil
}

// checkConcurrency writes to several sinks at once: to each what is for it
// alone, and events that all of them get.
func checkConcurrency(r *run) error {
	const sinks, rounds, each = 3, 5, 4
	var (
		subjects [sinks]*opened
		want     [sinks][]string
		own      [sinks][rounds]*batch
		shared   [rounds]*batch
		errs     [sinks]error
	)
	for i := range subjects {
		subjects[i] = r.subject(r.t)
	}
	for round := range rounds {
		all := numbered(fmt.Sprintf("for all sinks, round %d, record", round+1), each)
		for i := range subjects {
			messages := numbered(fmt.Sprintf("for sink %d, round %d, record", i+1, round+1), each)
			own[i][round] = writing(messages)
			want[i] = slices.Concat(want[i], messages, all)
		}
		shared[round] = writing(all) // rendered by whichever sink asks first, beside the others
	}
	var wg sync.WaitGroup
	for i, s := range subjects {
		wg.Go(func() {
			for round := range rounds {
				if errs[i] = errors.Join(s.deliverAll(own[i][round].events), s.deliverAll(shared[round].events)); errs[i] != nil {
					return
				}
			}
			errs[i] = s.close()
		})
	}
	wg.Wait()
	for i, s := range subjects {
		if errs[i] == nil {
			errs[i] = s.expect(want[i], false)
		}
		if errs[i] != nil {
			errs[i] = fmt.Errorf("sink %d of %d: %w", i+1, len(subjects), errors.Join(flatten(errs[i])[:1]...))
		}
	}
	return errors.Join(errs[:]...)
}

// deliverAll is deliver for records none of which is to be refused.
func (o *opened) deliverAll(batch []sinks.Event) error {
	refused, broken := o.deliver(batch)
	if broken == nil && refused > 0 {
		return fmt.Errorf("%d records of a batch that begins with %.60q are refused", refused, batch[0].Message())
	}
	return broken
}
