package slogtest

import (
	"fmt"
	"time"

	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// A Fault is one way in which the destination of a [Subject] can be made to
// fail, for the rules "verdicts", "context", "not-retained" and "secrets".
type Fault struct {
	// Name says what happens, as in "disk full". It is part of messages.
	Name string

	// Begin makes the destination fail from now on, End makes it work again.
	// Every Begin is followed by one End. They may be called while the sink is
	// in a call, from the test's goroutine, and must not fail the test.
	Begin, End func()

	// Want is the verdict on the records that are not delivered while the fault
	// lasts. It must be set.
	Want Verdict

	// After is when the destination says to come back, if Want is [RetryAfter].
	// The verdict's delay must be that, within a second, or a tenth if that is
	// more. Zero allows anything up to a second. HTTP knows whole seconds only, so
	// a fault should have the header "Retry-After: 1" ("Retry-After: 0" is the same
	// in hours). That is waited for. What is longer is not, and then the fan-out is
	// not tried with the fault.
	After time.Duration

	// Hangs says that the destination does not answer, so that calls last until
	// their context ends. If they return before, also when they are called again,
	// that is an error.
	Hangs bool

	// Delivers says that the destination may take the records while the fault
	// lasts, as when only the answer is lost. After the fault they may be there
	// more than once, unless the subject is Idempotent.
	Delivers bool
}

// check returns what is missing.
func (f Fault) check() error {
	if f.Begin == nil || f.End == nil {
		return fmt.Errorf("the fault %q must have Begin and End", f.Name)
	}
	switch f.Want {
	case Retry, RetryAfter, TooLarge, Permanent, Hold:
		return nil
	case "":
		return fmt.Errorf("the fault %q must have Want", f.Name)
	default:
		return fmt.Errorf("the fault %q wants the verdict %q, which there is not", f.Name, f.Want)
	}
}

// shortAfter is what can be waited for.
const shortAfter = time.Second

// checkAfter compares the delay of a verdict with what the destination says.
func (f Fault) checkAfter(got time.Duration) error {
	switch slack := max(shortAfter, f.After/10); {
	case f.Want != RetryAfter:
		return nil
	case f.After == 0 && got > shortAfter:
		return fmt.Errorf("Write wants to be called again after %v: Fault.After does not say that the destination does, so a second is the most", got)
	case f.After != 0 && (got-f.After).Abs() > slack:
		return fmt.Errorf("Write wants to be called again after %v, when the destination says %v", got, f.After)
	}
	return nil
}

// A Verdict is what an error of Write means, see [sinks.Sink].
type Verdict string

// The verdicts. Each is what the function of that name in package sinks makes,
// except for Retry, which is any error without a verdict.
const (
	Retry      Verdict = "retry"
	RetryAfter Verdict = "retry after"
	TooLarge   Verdict = "too large"
	Permanent  Verdict = "permanent"
	Hold       Verdict = "hold"
)

// again says that the record is to be written again.
func (v Verdict) again() bool { return v == Retry || v == RetryAfter || v == Hold }

// delivered is the verdict on a record for which there is no error.
const delivered Verdict = "delivered"

// An answer is what an error of Write says about each record of its batch.
type answer struct {
	verdicts []Verdict
	whole    bool          // one verdict for the batch as a whole
	after    time.Duration // the longest wait that was asked for
}

// read reads the error that a Write of n records has returned, as the fan-out
// does.
func read(err error, n int) (answer, error) {
	a := answer{verdicts: make([]Verdict, n)}
	for i := range a.verdicts {
		a.verdicts[i] = delivered
	}
	if err == nil {
		return a, nil
	}
	items, ok := outermost(err).(*sinks.BatchError)
	if !ok {
		a.whole = true
		for i := range a.verdicts {
			a.verdicts[i], a.after = readOne(err)
		}
		return a, nil
	}
	if items == nil {
		return a, fmt.Errorf("Write returned a nil *BatchError")
	}
	for i, err := range items.Items {
		if i < 0 || i >= n {
			return a, fmt.Errorf("Write returned a BatchError with an item %d for a batch of %d records", i, n)
		}
		if err == nil {
			continue
		}
		var after time.Duration
		a.verdicts[i], after = readOne(err)
		a.after = max(a.after, after)
	}
	return a, nil
}

// readOne reads the error for one record.
func readOne(err error) (Verdict, time.Duration) {
	switch e := outermost(err).(type) {
	case *sinks.BatchError: // of this one record
		if e == nil || e.Items[0] == nil {
			return delivered, 0
		}
		return readOne(e.Items[0])
	case *verdict.Error:
		kind, after, told := verdict.Of(e)
		switch {
		case kind == verdict.TooLarge:
			return TooLarge, 0
		case kind == verdict.Permanent:
			return Permanent, 0
		case kind == verdict.Hold:
			return Hold, 0
		case told:
			return RetryAfter, after
		}
	}
	return Retry, 0
}

// outermost returns the first error in err's tree that is a verdict or a
// BatchError, or nil.
func outermost(err error) error {
	switch e := err.(type) {
	case *verdict.Error, *sinks.BatchError:
		return err
	case interface{ Unwrap() error }:
		return outermost(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if v := outermost(err); v != nil {
				return v
			}
		}
	}
	return nil
}
