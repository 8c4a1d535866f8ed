package slogtest

import (
	"errors"
	"log/slog"
	"slices"
	"testing"

	"github.com/fapilog/fapilog/sinks"
)

// A Subject is a sink under test, with a destination of its own in which there
// is nothing yet. Sink and Records must be set; whatever else is set makes the
// test say more.
type Subject struct {
	// Sink is opened and unused. The test closes it.
	Sink sinks.Sink

	// Records returns what has arrived at the destination so far, in order. A
	// record is as in the documentation of [testing/slogtest.TestHandler]: the
	// attributes and the built-ins time, level and msg by their keys, groups as
	// maps. It is called when everything that was written has been delivered,
	// before and after the sink was closed, also when nothing has arrived, from
	// the test's goroutine. An error says that the destination has got something
	// that is no record.
	//
	// Values are as encoding/json decodes them, with numbers of type
	// [json.Number] or any that loses no digit, or, for a destination that knows
	// but text, strings as [slog.TextHandler] prints them. There may be more at
	// the top of a record than was logged.
	Records func() ([]map[string]any, error)

	// Faults are the ways in which this destination can be made to fail. Each
	// call of open returns the same ones in the same order.
	Faults []Fault

	// Refused are records that the destination refuses for what is in them,
	// while it takes others.
	Refused []slog.Record

	// Secrets are what nobody may read in an error of the sink: the password, the
	// token, the path of a webhook that the sink was opened with.
	Secrets []string

	// Digest says that the sink makes summaries for people: records of the same
	// level and message are counted together, and there may be more of them than it
	// has room for, which it rejects. Records then returns, for each record that
	// a summary counts, one with this level and message; attributes are not looked
	// at, and a message may be cut off.
	Digest bool

	// Idempotent says that a batch which is written again, with the same
	// records, leaves no duplicates.
	Idempotent bool
}

// check returns what the test cannot do without, and what it cannot use.
func (s *Subject) check() error {
	var errs []error
	if s.Sink == nil || s.Records == nil {
		errs = append(errs, errors.New("it must have Sink and Records"))
	}
	if slices.Contains(s.Secrets, "") {
		errs = append(errs, errors.New("the empty text in Secrets is in every error"))
	}
	for _, f := range s.Faults {
		errs = append(errs, f.check())
	}
	return errors.Join(errs...)
}

// TestSink tests the sinks that open makes against the rules in the package
// comment. Each rule is a subtest of its name, for which open is called at
// least once, with the T that the destination is to be cleaned up with, and on a
// goroutine of its own, in which it may fail or skip the test. What a rule needs
// to know and the subject does not say, skips it.
//
// A sink that is broken may keep the test waiting for a minute, not more,
// besides what open takes.
//
// The test may run in parallel with others.
func TestSink(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	s := newSuite(open)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Helper() // the line that is reported is that of the caller's call
			errs, why := s.check(t, r)
			for _, err := range errs {
				t.Error(err)
			}
			if len(errs) == 0 && why != "" {
				t.Skipf("slogtest: rule %q: not checked: %s", r.name, why)
			}
		})
	}
}
