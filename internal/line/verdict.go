package line

import (
	"errors"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// retryFull is how soon to look again at a pipe that is full.
const retryFull = 10 * time.Millisecond

// Verdict is what an error of writing to a file means: [sinks.Hold] if it is
// up to an operator to make room or to mend the disk, a short wait if the
// file is a pipe that is full, and if it is anything else, try again.
func Verdict(err error) error {
	if isAny(err, holdErrors) {
		return sinks.Hold(err)
	}
	if isAny(err, fullErrors) {
		return sinks.RetryAfter(err, retryFull)
	}
	return err
}

// Gone reports whether err says that nobody is at the other end any more: a
// pipe whose reader has exited, a terminal that was closed.
func Gone(err error) bool { return isAny(err, goneErrors) }

func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
