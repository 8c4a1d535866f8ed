package slogtest

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// A rule is one sentence of the contract between a sink and the fan-out. Its
// check returns what breaks it, errors.Join-ed if that is several things, and
// does not fail the test itself: so the rules can be tested, too.
type rule struct {
	name, sentence string
	check          func(*run) error
}

// rules are checked in this order. The last sees the errors of all the others.
var rules = []rule{
	{"slog", "what arrives is what log/slog demands of a handler", checkSlog},
	{"order", "the records of a goroutine arrive in the order in which it logged them", checkOrder},
	{"once", "every record arrives exactly once on the happy path", checkOnce},
	{"whole", "a record arrives with every value that was logged", checkWhole},
	{"hostile", "a record that is hard to deliver arrives once or is rejected alone", checkHostile},
	{"refused", "a record that the destination refuses is rejected alone", checkRefused},
	{"verdicts", "the error of Write says what a fault means, and nothing is lost over it", checkVerdicts},
	{"idempotent", "a batch that is written again leaves no duplicate", checkIdempotent},
	{"context", "a call returns soon after its context has ended, and claims nothing that it has not done", checkContext},
	{"probe", "Probe finds a working destination usable, however often it is asked, and writes nothing", checkProbe},
	{"close", "Close returns nil, also a second time, and leaves a sink that does not panic", checkClose},
	{"not-retained", "nothing of a batch is kept after Write has returned", checkNotRetained},
	{"unchanged", "Write changes nothing of its batch", checkUnchanged},
	{"concurrency", "sinks that are used at the same time do not disturb each other", checkConcurrency},
	{"goroutines", "no goroutine of a sink outlives its Close", checkGoroutines},
	{"secrets", "no error and no warning shows a secret", checkSecrets},
}

// A notApplicable is returned by a check that has nothing to check, and says
// why.
type notApplicable string

func (e notApplicable) Error() string { return string(e) }

// A suite checks rules against one kind of sink.
type suite struct {
	open     func(*testing.T) Subject
	patience time.Duration // what a destination gets for the few records of a rule
	soon     time.Duration // what a call gets to return after its context has ended
	hanging  time.Duration // when the context ends of a call that the destination does not answer
	linger   time.Duration // what a goroutine gets to end after Close
	said     *said
}

func newSuite(open func(*testing.T) Subject) *suite {
	return &suite{
		open:     open,
		patience: 30 * time.Second,
		soon:     10 * time.Second,
		hanging:  100 * time.Millisecond,
		linger:   10 * time.Second,
		said:     new(said),
	}
}

// maxReported bounds what is reported of one rule.
const maxReported = 10

// check returns what breaks r, or why that cannot be told.
func (s *suite) check(t *testing.T, r rule) (broken []error, notChecked string) {
	err := r.check(&run{suite: s, t: t})
	if why, ok := errors.AsType[notApplicable](err); ok {
		return nil, string(why)
	}
	return report(r.name, r.sentence, err), ""
}

// report returns the errors that are joined in err, each with the rule that it
// breaks in front.
func report(name, sentence string, err error) []error {
	var errs []error
	for _, err := range flatten(err) {
		if len(errs) == maxReported {
			errs = append(errs, fmt.Errorf("slogtest: rule %q: %s: and more", name, sentence))
			break
		}
		errs = append(errs, fmt.Errorf("slogtest: rule %q: %s: %w", name, sentence, err))
	}
	return errs
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var errs []error
	for _, err := range joined.Unwrap() {
		errs = append(errs, flatten(err)...)
	}
	return errs
}
