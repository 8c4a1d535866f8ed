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

// Gone reports whether err says that nobody is at the other end any more, as of
// a pipe whose reader has exited.
func Gone(err error) bool { return isAny(err, goneErrors) }

// HungUp reports whether err, an error of writing to a terminal, says that the
// terminal was closed. Of a disk it would say that it is failing.
func HungUp(err error) bool { return isAny(err, hangupErrors) }

func isAny(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
