package slogtest

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing/slogtest"

	"github.com/fapilog/fapilog"
)

// checkSlog runs the tests of package testing/slogtest through a fan-out.
func checkSlog(r *run) error {
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
const goroutines, perGoroutine = 4, 250

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
	if err := s.close(); err != nil {
		return nil, nil, err
	}
	records, err := s.arrived()
	if err != nil {
		return nil, nil, err
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
	return s, arrived, nil
}

func checkOrder(r *run) error {
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
		errs = append(errs, s.account(len(arrived), 0))
	}
	return errors.Join(errs...)
}

// expect compares the messages that have arrived with those that were to,
// each once, or at least once if repeats is set, in this order.
func (o *opened) expect(want []string, repeats bool) error {
	records, err := o.arrived()
	if err != nil {
		return err
	}
	var got []string
	for _, r := range records {
		got = append(got, fmt.Sprint(r[slog.MessageKey]))
	}
	return compare(got, want, repeats)
}

func compare(got, want []string, repeats bool) error {
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
		if times[message] == 1 && i < newest {
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
