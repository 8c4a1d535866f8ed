package slogtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
		ctx, cancel := context.WithCancel(context.Background())
		err, broken := s.write(ctx, b.events)
		cancel() // as the fan-out does
		if broken != nil {
			return broken
		}
		if err != nil {
			return fmt.Errorf("Write failed: %w", err)
		}
		b.reuse()
	}
	if err := s.close(); err != nil {
		return err
	}
	return s.expect(want, false)
}

func checkUnchanged(r *run) error {
	s := r.subject(r.t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ctx := range []context.Context{context.Background(), ended} {
		b := writing(numbered("unchanged", 5))
		before := b.snapshot()
		if _, broken := s.write(ctx, b.events); broken != nil {
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
		return fmt.Errorf("%d records are refused", refused)
	}
	return broken
}
