package slogtest

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A tally is what waiting for the sink has come to so far. What is broken in
// one place is so in many, and a test that waits for it each time is one that
// nobody lets finish: what has hung once is not called again, and each wait that
// was in vain makes the next ones shorter.
type tally struct {
	mu     sync.Mutex
	rule   string            // that is being checked
	failed bool              // a rule has
	hung   map[string]string // by call: the rule in which it did not return
	vain   int               // waits that were in vain
	spent  time.Duration     // on these, and in calls that were slow
	why    string            // nothing more is checked, or "" if it is
}

const (
	// enough is how long a sink that is broken may keep the test waiting.
	enough = 40 * time.Second
	// slowCall is what a sink that is broken may not make often.
	slowCall = time.Second
)

// begin notes which rule is being checked, and returns why it need not be.
func (y *tally) begin(rule string) (why string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.rule = rule
	return y.reason()
}

// reason returns why nothing more is checked. The lock is held.
func (y *tally) reason() string {
	if y.why == "" && y.failed && y.spent > enough {
		y.why = fmt.Sprintf("the sink has kept the test waiting for %v already, see the rules that have failed", y.spent.Round(time.Second))
	}
	return y.why
}

// fails notes that a rule has failed.
func (y *tally) fails() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.failed = true
}

// stop notes why the rest cannot be checked. The first reason counts.
func (y *tally) stop(format string, args ...any) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.why == "" {
		y.why = fmt.Sprintf(format, args...) + fmt.Sprintf(", see rule %q", y.rule)
	}
}

// stopped returns why nothing more is checked, or nil.
func (y *tally) stopped() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if why := y.reason(); why != "" {
		return notApplicable(why)
	}
	return nil
}

// waited notes a wait that was in vain.
func (y *tally) waited(d time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.vain++
	y.spent += d
	y.failed = true // or about to
}

// took notes how long a call has taken.
func (y *tally) took(d time.Duration) {
	if d < slowCall {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.spent += d
}

// patient returns how long to wait where it would be d for a sink that works.
func (y *tally) patient(d, least time.Duration) time.Duration {
	y.mu.Lock()
	defer y.mu.Unlock()
	return max(d>>min(2*y.vain, 32), min(d, least))
}

// hangs notes that a call does not return.
func (y *tally) hangs(what string, d time.Duration) {
	y.waited(d)
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.hung == nil {
		y.hung = make(map[string]string)
	}
	y.hung[what] = y.rule
}

// hungBefore returns that a call is not made again, or nil.
func (y *tally) hungBefore(what string) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if rule, ok := y.hung[what]; ok {
		return notApplicable(fmt.Sprintf("%s hung, see rule %q", what, rule))
	}
	return nil
}

// now returns the rule that is being checked.
func (y *tally) now() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.rule
}

// endless is a limit for calls of which the context has not ended.
func (s *suite) endless() time.Duration { return s.limit + s.limit/4 }

// call calls a method of the sink with a context like that of the fan-out. If
// it hangs, with a destination that works, so would everything else.
func (o *opened) call(what string, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), o.limit)
	defer cancel()
	err := o.within(o.endless(), what, func() error { return call(ctx) })
	if o.hung && o.sink.during() == "" {
		o.stop("%s hung", what)
	}
	return err
}

// key returns what a call is remembered by.
func (o *opened) key(what string) string {
	if fault := o.sink.during(); fault != "" {
		return fmt.Sprintf("%s during fault %q", what, fault)
	}
	return what
}

// within is the function of that name for a call that is not made if it has
// hung before. Afterwards the sink is still in it, so that it must not be
// closed.
func (o *opened) within(d time.Duration, what string, call func() error) error {
	key := o.key(what)
	if err := o.hungBefore(key); err != nil {
		return err
	}
	began := time.Now()
	err := within(d, what, call)
	if b, ok := err.(*broke); ok && b.hangs {
		o.hangs(key, d)
		o.hung = true
	} else {
		o.took(time.Since(began))
	}
	return err
}
