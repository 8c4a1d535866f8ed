package slogtest

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// What is checked of a sink that makes summaries, where the rules for others ask
// for more than these have: that each record is counted once, or rejected.

// noDetails is why the rest is not checked.
const noDetails = notApplicable("Subject.Digest is set: a summary has an order of its own, and few of the details")

// isDigest reports what the subject says, of which one is opened if need be.
func (r *run) isDigest() bool {
	if r.digest == nil {
		r.subject(r.t)
	}
	return *r.digest
}

// few are the messages of records that any summary has room for.
var few = numbered("one of few", 5)

// checkCounts is checkOnce for a digest.
func (r *run) checkCounts() error {
	s := r.subject(r.t)
	single := numbered("single", 1)
	if err := s.deliverSingle(single); err != nil {
		return err
	}
	n := max(mostByDefault, min(s.sink.Batching().Records, mostAtAll))
	var equal []string
	for i := range n {
		equal = append(equal, few[i*i%len(few)]) // not as many of each
	}
	if err := s.deliverAll(writing(equal).events); err != nil {
		return fmt.Errorf("a batch of %d records with few messages: %w", n, err)
	}
	if err := s.expectCounts(slices.Concat(single, equal)); err != nil {
		return fmt.Errorf("with a batch of %d records with few messages: %w", n, err)
	}
	different := numbered("one of many", n)
	refused, broken := s.deliver(writing(different).events)
	if broken == nil {
		broken = s.close()
	}
	if broken != nil {
		return fmt.Errorf("a batch of %d different records: %w", n, broken)
	}
	got, err := s.messages()
	if err != nil {
		return err
	}
	got = slices.DeleteFunc(got, func(m string) bool { return !strings.HasPrefix(m, "one of many") })
	if len(got)+refused != n {
		return fmt.Errorf("of a batch of %d different records, %d have arrived and %d are rejected", n, len(got), refused)
	}
	if err := compare(got, unique(got), false, false); err != nil {
		return fmt.Errorf("with a batch of %d different records: %w", n, errors.Join(flatten(err)[:1]...))
	}
	return r.checkSeveral()
}

// checkSeveral logs from several goroutines through a fan-out.
func (r *run) checkSeveral() error {
	s := r.subject(r.t)
	if err := s.start(r.t); err != nil {
		return err
	}
	var (
		wg   sync.WaitGroup
		want []string
	)
	for range goroutines {
		log := slog.New(s.handler())
		for i := range perGoroutine {
			want = append(want, few[i%len(few)])
		}
		wg.Go(func() {
			for i := range perGoroutine {
				log.Info(few[i%len(few)])
			}
		})
	}
	wg.Wait()
	if err := s.closeAll(few); err != nil {
		return err
	}
	if err := s.expectCounts(want); err != nil {
		return err
	}
	return s.account(len(want), 0, "")
}

// expectCounts compares how often each message has arrived.
func (o *opened) expectCounts(want []string) error {
	got, err := o.messages()
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range unique(slices.Concat(want, got)) {
		if a, b := times(got, m), times(want, m); a != b {
			errs = append(errs, fmt.Errorf("%.60q arrived %d times instead of %d", m, a, b))
		}
	}
	return errors.Join(errs...)
}

func times(all []string, message string) (n int) {
	for _, m := range all {
		if m == message {
			n++
		}
	}
	return n
}

func unique(messages []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(messages)))
}

// leastCut is how much is left of a message that is cut off, in bytes.
const leastCut = 100

// checkHeadlines is checkWhole for a digest: each record by itself, for it to have
// all the room there is.
func (r *run) checkHeadlines() error {
	s := r.subject(r.t)
	want := wholeRecords()
	for _, record := range want {
		if err := s.deliverAll(newBatch([]slog.Record{record}).events); err != nil {
			return err
		}
	}
	if err := s.close(); err != nil {
		return err
	}
	got, err := s.arrived()
	if err != nil {
		return err
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d records arrived instead of %d", len(got), len(want))
	}
	var errs []error
	for i, r := range want {
		message, _ := got[i][slog.MessageKey].(string)
		if message != r.Message && (len(message) < leastCut || !strings.HasPrefix(message, r.Message[:min(leastCut, len(r.Message))])) {
			errs = append(errs, differentMessage(r.Message, got[i][slog.MessageKey]))
		}
		if level, _ := got[i][slog.LevelKey].(string); !strings.EqualFold(level, r.Level.String()) {
			errs = append(errs, fmt.Errorf("the level of %.40q is %v instead of %v", r.Message, got[i][slog.LevelKey], r.Level))
		}
	}
	return errors.Join(errs...)
}

// checkCrowd is the end of checkHostile for a digest: the neighbours are counted,
// and so is whatever else has arrived.
func (o *opened) checkCrowd(arrived []map[string]any, hostiles int) error {
	neighbours := 0
	for _, r := range arrived {
		if r[slog.MessageKey] == "neighbour" {
			neighbours++
		}
	}
	if neighbours != hostiles+1 {
		return fmt.Errorf("the neighbours arrived %d times instead of %d", neighbours, hostiles+1)
	}
	return o.account(len(arrived), 2*hostiles+1-len(arrived), "")
}
