package slogtest

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing/slogtest"

	"github.com/fapilog/fapilog"
)

// checkSlog runs the tests of package testing/slogtest through a fan-out.
func checkSlog(r *run) error {
	if r.isDigest() {
		return noDetails
	}
	s := r.subject(r.t)
	if err := s.start(r.t); err != nil {
		return err
	}
	var unread error
	err := slogtest.TestHandler(fapilog.Handler(s.out, nil), func() []map[string]any {
		closed := s.close()
		records, err := s.arrived()
		unread = errors.Join(closed, err)
		return records
	})
	if unread != nil {
		return unread
	}
	return err
}

// How much checkOrder and checkOnce log: more than fits into one batch.
const goroutines, perGoroutine = 4, 125

// A parcel is one of the records of several goroutines.
type parcel struct{ goroutine, number int }

func (p parcel) String() string {
	return fmt.Sprintf("record %d of goroutine %d", p.number, p.goroutine)
}

// parcels logs from several goroutines at once, closes the fan-out, and returns
// what has arrived.
func (r *run) parcels() (*opened, []parcel, error) {
	s := r.subject(r.t)
	if err := s.start(r.t); err != nil {
		return nil, nil, err
	}
	var wg sync.WaitGroup
	for g := range goroutines {
		log := slog.New(s.handler()).With("goroutine", g+1)
		wg.Go(func() {
			for i := range perGoroutine {
				log.Info(fmt.Sprintf("record %d", i+1))
			}
		})
	}
	wg.Wait()
	err := s.close()
	if s.out.Stats().Sinks[0].Drops.Shutdown == 0 && err != nil {
		return nil, nil, err
	}
	undelivered := err
	records, err := s.arrived()
	if err != nil {
		return nil, nil, errors.Join(undelivered, err)
	}
	var arrived []parcel
	for _, r := range records {
		var p parcel
		if _, err := fmt.Sscanf(fmt.Sprint(r[slog.MessageKey], " ", r["goroutine"]), "record %d %d", &p.number, &p.goroutine); err != nil ||
			p.number < 1 || p.number > perGoroutine || p.goroutine < 1 || p.goroutine > goroutines {
			return nil, nil, fmt.Errorf("a record arrived that was not logged: %v", r)
		}
		arrived = append(arrived, p)
	}
	if undelivered != nil {
		return nil, nil, fmt.Errorf("%w; not arrived: %s", undelivered, missingOf(arrived))
	}
	return s, arrived, nil
}

// missingOf lists the first few of the records that have not arrived.
func missingOf(arrived []parcel) string {
	var missing []string
	for g := range goroutines {
		for i := range perGoroutine {
			if p := (parcel{g + 1, i + 1}); !slices.Contains(arrived, p) {
				missing = append(missing, p.String())
			}
		}
	}
	return some(missing)
}

func checkOrder(r *run) error {
	if r.isDigest() {
		return noDetails
	}
	_, arrived, err := r.parcels()
	if err != nil {
		return err
	}
	var (
		errs   []error
		newest [goroutines]int
		seen   = make(map[parcel]bool)
	)
	for _, p := range arrived {
		before := &newest[p.goroutine-1]
		if !seen[p] && p.number < *before {
			errs = append(errs, fmt.Errorf("%v arrived after record %d", p, *before))
		}
		seen[p] = true
		*before = max(*before, p.number)
	}
	return errors.Join(errs...)
}

func checkOnce(r *run) error {
	if r.isDigest() {
		return r.checkCounts()
	}
	if err := r.checkBatches(); err != nil {
		return err
	}
	s, arrived, err := r.parcels()
	if err != nil {
		return err
	}
	times := make(map[parcel]int)
	for _, p := range arrived {
		times[p]++
	}
	var errs []error
	for g := range goroutines {
		for i := range perGoroutine {
			p := parcel{g + 1, i + 1}
			if n := times[p]; n != 1 {
				errs = append(errs, fmt.Errorf("%v arrived %d times", p, n))
			}
		}
	}
	if len(errs) == 0 {
		errs = append(errs, s.account(len(arrived), 0, ""))
	}
	return errors.Join(errs...)
}

// How many records checkBatches writes at once: what a sink gets at most if
// nothing else is configured, or what it asks for itself, if that is more.
const (
	mostByDefault = fapilog.DefaultBatch
	mostAtAll     = 10_000
)

// checkBatches writes the smallest batch, and the largest. Without a single
// record that arrives there is nothing else to check.
func (r *run) checkBatches() error {
	s := r.subject(r.t)
	single := numbered("single", 1)
	if err := s.deliverSingle(single); err != nil {
		return err
	}
	many := numbered("one of many", max(mostByDefault, min(s.sink.Batching().Records, mostAtAll)))
	if err := errors.Join(s.deliverAll(writing(many).events), s.close()); err != nil {
		return fmt.Errorf("a batch of %d records: %w", len(many), err)
	}
	if err := s.expectUnordered(slices.Concat(single, many), false); err != nil {
		return fmt.Errorf("with a batch of %d records: %w", len(many), errors.Join(flatten(err)[:1]...))
	}
	return nil
}

// deliverSingle writes a batch of one record.
func (o *opened) deliverSingle(single []string) error {
	err := o.deliverAll(writing(single).events)
	if err == nil {
		err = o.expect(single, true)
	}
	if err != nil {
		o.stop("not even a single record arrives")
		return fmt.Errorf("not even a single record arrives: %w", err)
	}
	return nil
}

// expect compares the messages that have arrived with those that were to,
// each once, or at least once if repeats is set, in this order. If some records
// of a batch have arrived without the others, these come later.
func (o *opened) expect(want []string, repeats bool) error {
	got, err := o.messages()
	if err != nil {
		return err
	}
	return compare(got, want, repeats, !o.sink.partial.Load())
}

// expectUnordered is expect in any order.
func (o *opened) expectUnordered(want []string, repeats bool) error {
	got, err := o.messages()
	if err != nil {
		return err
	}
	return compare(got, want, repeats, false)
}

// messages returns the messages that have arrived.
func (o *opened) messages() ([]string, error) {
	records, err := o.arrived()
	if err != nil {
		return nil, err
	}
	messages := make([]string, 0, len(records))
	for _, r := range records {
		messages = append(messages, fmt.Sprint(r[slog.MessageKey]))
	}
	return messages, nil
}

func compare(got, want []string, repeats, ordered bool) error {
	at := make(map[string]int)
	for i, message := range want {
		at[message] = i
	}
	var (
		errs   []error
		times  = make(map[string]int)
		newest = -1
	)
	for _, message := range got {
		i, ok := at[message]
		if !ok {
			errs = append(errs, fmt.Errorf("%q arrived, which was not to", message))
			continue
		}
		times[message]++
		if ordered && times[message] == 1 && i < newest {
			errs = append(errs, fmt.Errorf("%q arrived after %q", message, want[newest]))
		}
		newest = max(newest, i)
	}
	for _, message := range want {
		if n := times[message]; n == 0 || n > 1 && !repeats {
			errs = append(errs, fmt.Errorf("%q arrived %d times", message, n))
		}
	}
	return errors.Join(errs...)
}
