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

// rules are checked in this order: what others rely on comes first, so that the
// first that fails names the fault. The last sees what the sink has said to all
// the others.
var rules = []rule{
	{"close", "Close returns nil, also a second time, and leaves a sink that does not panic", checkClose},
	{"probe", "Probe finds a working destination usable, however often it is asked, and writes nothing", checkProbe},
	{"once", "every record arrives exactly once on the happy path", checkOnce},
	{"order", "the records of a goroutine arrive in the order in which it logged them", checkOrder},
	{"slog", "what arrives is what log/slog demands of a handler", checkSlog},
	{"whole", "a record arrives with every value that was logged", checkWhole},
	{"unchanged", "Write changes nothing of its batch", checkUnchanged},
	{"context", "a call returns soon after its context has ended, and claims nothing that it has not done", checkContext},
	{"hostile", "a record that is hard to deliver arrives once or is rejected alone", checkHostile},
	{"refused", "a record that the destination refuses is rejected alone", checkRefused},
	{"verdicts", "the error of Write says what a fault means, and nothing is lost over it", checkVerdicts},
	{"not-retained", "nothing of a batch is kept after Write has returned", checkNotRetained},
	{"idempotent", "a batch that is written again leaves no duplicate", checkIdempotent},
	{"concurrency", "sinks that are used at the same time do not disturb each other", checkConcurrency},
	{"goroutines", "no goroutine of a sink outlives its Close", checkGoroutines},
	{"secrets", "no error, no warning and no panic shows a secret", checkSecrets},
}

// A notApplicable is returned by a check that has nothing to check, and says
// why.
type notApplicable string

func (e notApplicable) Error() string { return string(e) }

// A suite checks rules against one kind of sink.
type suite struct {
	open     func(*testing.T) Subject
	opening  time.Duration // what open gets, which may start a server
	limit    time.Duration // when the context of a call ends
	soon     time.Duration // what a call gets to return after its context has ended
	hanging  time.Duration // when the context ends of a call that the destination does not answer
	patience time.Duration // what the fan-out gets to deliver the records of a rule
	retrying time.Duration // what records get whose Write fails again and again
	linger   time.Duration // what a goroutine gets to end after Close
	said     *said
	noProbe  bool  // Probe is broken
	digest   *bool // what Subject.Digest says; nil: no subject was opened yet

	tally
}

func newSuite(open func(*testing.T) Subject) *suite {
	return &suite{
		open:     open,
		opening:  time.Minute,
		limit:    8 * time.Second,
		soon:     10 * time.Second,
		hanging:  100 * time.Millisecond,
		patience: 20 * time.Second,
		retrying: 10 * time.Second,
		linger:   2 * time.Second,
		said:     new(said),
	}
}

// maxReported bounds what is reported of one rule.
const maxReported = 10

// check returns what breaks r, or why that cannot be told.
func (s *suite) check(t *testing.T, r rule) (broken []error, notChecked string) {
	t.Helper()
	if why := s.begin(r.name); why != "" {
		return nil, why
	}
	broken, notChecked = report(r.name, r.sentence, r.check(&run{suite: s, t: t}))
	if len(broken) > 0 {
		s.fails()
	}
	return broken, notChecked
}

// report returns the errors that are joined in err, each with the rule that it
// breaks in front, or why nothing could be checked, if nothing else is in it.
func report(name, sentence string, err error) (broken []error, notChecked string) {
	for _, err := range flatten(err) {
		if why, ok := errors.AsType[notApplicable](err); ok {
			notChecked = string(why)
			continue
		}
		if len(broken) == maxReported {
			broken = append(broken, fmt.Errorf("slogtest: rule %q: %s: and more", name, sentence))
			break
		}
		broken = append(broken, fmt.Errorf("slogtest: rule %q: %s: %w", name, sentence, err))
	}
	return broken, notChecked
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
