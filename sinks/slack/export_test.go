package slack

import (
	"encoding/json"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// Unpaced lets messages follow each other at once.
func (s *Sink) Unpaced() { s.every = time.Millisecond }

// Pass lets time pass for the quota.
func (s *Sink) Pass(d time.Duration) { s.quota.at = s.quota.at.Add(-d) }

// Quota returns a function that sends a message at a time, if it may.
func Quota(n int) func(at time.Time) bool {
	q := newQuota(n)
	return func(at time.Time) bool {
		if !q.ready(at) {
			return false
		}
		q.take(at)
		return true
	}
}

// Body returns the body of the request for a batch, and how many of its records
// that has no room for.
func (s *Sink) Body(batch []sinks.Event) (body []byte, leftOut int, err error) {
	d := newDigest(batch)
	body, err = json.Marshal(d.message(s.debt))
	return body, len(d.leftOut()), err
}
