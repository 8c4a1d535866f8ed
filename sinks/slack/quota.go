package slack

import "time"

// A quota bounds the messages of an hour. Half of them, rounded up, may be sent
// at once. The others come back one by one, evenly spread: whoever has used up the
// first half is not silent for the rest of the hour.
//
// It is a token bucket, with time instead of tokens.
type quota struct {
	cost   time.Duration // of a message
	most   time.Duration
	credit time.Duration // at
	at     time.Time
}

// newQuota returns a quota of n messages an hour, 2 or more.
func newQuota(n int) quota {
	cost := time.Hour / time.Duration(n/2)
	most := cost * time.Duration((n+1)/2)
	return quota{cost: cost, most: most, credit: most}
}

// ready reports whether there may be a message.
func (q *quota) ready(now time.Time) bool {
	q.refill(now)
	return q.credit >= q.cost
}

// take notes that there was one.
func (q *quota) take(now time.Time) {
	q.refill(now)
	q.credit = max(q.credit-q.cost, 0)
}

func (q *quota) refill(now time.Time) {
	if !q.at.IsZero() {
		// Added to the hour and more of a program that slept, it does not overflow.
		q.credit = min(q.credit+min(max(now.Sub(q.at), 0), q.most), q.most)
	}
	q.at = now
}
