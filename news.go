package fapilog

import (
	"fmt"
	"time"

	"github.com/fapilog/fapilog/internal/worker"
)

const (
	// reasonEvery is how often a new reason for the same trouble is said at
	// most.
	reasonEvery = 30 * time.Second
	// remindEvery is how often a trouble that lasts is said again.
	remindEvery = 10 * time.Minute
	// longWait is from which wait on it is said that the destination asked for
	// it.
	longWait = time.Minute
	// leastBlocked is how long log calls must have waited for it to be said.
	leastBlocked = 100 * time.Millisecond
)

// reported is what the reporter has written about a sink.
type reported struct {
	stats  SinkStats
	next   time.Time // when to write again at the earliest
	since  time.Time // when the trouble was first written about; zero: there is none
	said   time.Time // when it was last
	reason string    // as it was said
}

// note remembers that everything about s was written. News says that there was
// something.
func (r *reported) note(s SinkStats, now time.Time, news bool) {
	if !s.inTrouble() {
		r.since, r.said, r.reason = time.Time{}, time.Time{}, ""
	} else if r.saysTrouble(s, now) {
		r.said, r.reason = now, worker.Reason(s.LastError)
		if r.since.IsZero() {
			r.since = now
		}
	}
	if s.Blocked-r.stats.Blocked < leastBlocked {
		s.Blocked = r.stats.Blocked // until there is more to say
	}
	r.stats = s
	if news {
		r.next = now.Add(reportEvery)
	}
}

// reminder returns when to say again that s is in trouble, or the zero time.
func (r *reported) reminder(s SinkStats) time.Time {
	switch {
	case !s.inTrouble():
		return time.Time{}
	case worker.Reason(s.LastError) != r.reason:
		return r.said.Add(reasonEvery)
	default:
		return r.said.Add(remindEvery)
	}
}

// saysTrouble reports whether it is time to say that s is in trouble.
func (r *reported) saysTrouble(s SinkStats, now time.Time) bool {
	return s.inTrouble() && (s.State != r.stats.State || !now.Before(r.reminder(s)))
}

// compare says what has happened to a sink since the last report.
func (r *reported) compare(now SinkStats, at time.Time) (news []string) {
	if r.saysTrouble(now, at) {
		since := r.since
		if now.State != r.stats.State {
			since = time.Time{} // the state is news enough
		}
		news = append(news, now.trouble(since, at))
	}
	lost := func(what, why, more string, old, now uint64) {
		if now > old {
			news = append(news, fmt.Sprintf("%s %s: %s (%d so far)%s", records(now-old), what, why, now, more))
		}
	}
	old := r.stats
	lost("dropped", "the buffer is full and the sink behind", now.whyBehind(), old.Drops.Overflow, now.Drops.Overflow)
	lost("dropped", "undelivered for longer than retry_max_age", "", old.Drops.Expired, now.Drops.Expired)
	lost("dropped", "undelivered at the end of the shutdown", "", old.Drops.Shutdown, now.Drops.Shutdown)
	refused := "the destination refuses them"
	if now.Rejected-old.Rejected == 1 {
		refused = "the destination refuses it"
	}
	lost("rejected", refused, lastError(now), old.Rejected, now.Rejected)
	if now.Warnings > old.Warnings {
		news = append(news, fmt.Sprintf("warning: %v (%d so far)", now.LastWarning, now.Warnings))
	}
	if waited := now.Blocked - old.Blocked; waited >= leastBlocked {
		news = append(news, fmt.Sprintf("the program waited %v for room in the buffer, as overflow=block asks (%v so far)",
			waited.Round(time.Millisecond), now.Blocked.Round(time.Millisecond)))
	}
	if old.inTrouble() && !now.inTrouble() && now.Delivered > old.Delivered {
		news = append(news, "delivers again")
	}
	return news
}

// inTrouble reports whether something is to be done, by whomever, before records
// are delivered.
func (s SinkStats) inTrouble() bool {
	return s.State == StateRetrying || s.State == StateHeld || s.State == StateHanging
}

// trouble says what the trouble is, and that it lasts since then, if it does.
func (s SinkStats) trouble(since, now time.Time) (line string) {
	switch s.State {
	case StateHeld:
		line = "held until an operator acts"
	case StateHanging:
		line = "hangs"
	default:
		line = "delivery fails and is tried again"
		if s.NextAttempt.Sub(now) > longWait {
			line += fmt.Sprintf(" at %s, as the destination asks", s.NextAttempt.UTC().Format(time.RFC3339))
		}
	}
	if !since.IsZero() {
		line += fmt.Sprintf(", for %v now, %s waiting", now.Sub(since).Round(time.Second), records(s.Pending))
	}
	return line + lastError(s)
}

// whyBehind says why a sink is behind, if it is not only slow.
func (s SinkStats) whyBehind() string {
	if !s.inTrouble() {
		return ""
	}
	return fmt.Sprintf(", %s%s", s.State, lastError(s))
}

// records says how many.
func records(n uint64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}
