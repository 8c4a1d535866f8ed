package sinks

import (
	"fmt"
	"time"

	"github.com/fapilog/fapilog/internal/verdict"
)

// Permanent says that the destination refuses this data and will refuse it
// again. A single record is rejected: counted, and reported on the fallback
// output. A batch is halved until the refused records stand alone, and the
// others are delivered.
//
// Permanent(nil) is nil, as is the result of the other functions for nil.
func Permanent(err error) error { return verdict.New(verdict.Permanent, err, 0) }

// RetryAfter says that the destination will take the batch after d, counted
// from now; the least wait is 10 ms. Unlike a plain error it does not lengthen
// the backoff.
func RetryAfter(err error, d time.Duration) error { return verdict.New(verdict.Retry, err, d) }

// TooLarge says that the batch exceeds a limit of the destination. It is split
// in two and each half is sent; a single record that is too large is rejected.
func TooLarge(err error) error { return verdict.New(verdict.TooLarge, err, 0) }

// Hold says that the destination takes no data until an operator has acted:
// credentials are refused, a table is missing, a disk is full. The data is
// kept, the destination is probed slowly, and the sink's state is "held".
func Hold(err error) error { return verdict.New(verdict.Hold, err, 0) }

// A BatchError is the verdict on a batch for which the destination answered
// record by record.
type BatchError struct {
	// Items maps the index of a record in the batch to its verdict: an error
	// as it would be for a batch of that record alone. A record that is not
	// in Items, or whose error is nil, was delivered: without items, all were.
	// What is tried again comes after what was delivered. A verdict that wraps a
	// BatchError counts, for the whole batch, instead of it.
	Items map[int]error
}

// Error says how many records were not delivered and why the first of them
// was not.
func (e *BatchError) Error() string {
	first, failed := -1, 0
	for i, err := range e.Items {
		if err == nil {
			continue
		}
		failed++
		if first < 0 || i < first {
			first = i
		}
	}
	if failed == 0 {
		return "all records delivered"
	}
	return fmt.Sprintf("%d records not delivered, the first at index %d: %v", failed, first, e.Items[first])
}
