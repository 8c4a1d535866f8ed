package worker

import (
	"math/rand/v2"
	"time"
)

// Backoff says how long a worker waits between attempts.
type Backoff struct {
	Base  time.Duration // upper bound of the first wait; doubles with each failure
	Max   time.Duration // upper bound of any wait
	Hold  time.Duration // upper bound between two looks at a destination that needs an operator
	Drain time.Duration // upper bound of any wait while draining
}

// DefaultBackoff is what is used outside tests.
var DefaultBackoff = Backoff{
	Base:  200 * time.Millisecond,
	Max:   30 * time.Second,
	Hold:  30 * time.Second,
	Drain: 500 * time.Millisecond,
}

// held returns the wait before the next look at a destination that needs an
// operator. What an operator does takes time, but a full disk may be emptied by
// itself, so it starts short.
func (b Backoff) held(failures int) time.Duration {
	if shift := failures - 1; shift < 30 {
		return min(b.Hold, time.Second<<shift)
	}
	return b.Hold
}

// after returns the wait after a number of failures in a row: random, from
// zero to a bound that doubles, so that the clients of a server that went down
// do not come back all at once.
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/,
// "full jitter")
func (b Backoff) after(failures int) time.Duration {
	bound := b.Max
	if shift := failures - 1; shift < 30 {
		bound = min(bound, b.Base<<shift)
	}
	return max(rand.N(bound+1), time.Millisecond)
}
