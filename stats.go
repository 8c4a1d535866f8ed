package fapilog

import (
	"time"

	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/worker"
)

// Stats is the account of a fan-out, taken at one moment. For every sink,
// exactly and at any time,
//
//	Appended = Filtered + Delivered + Dropped + Rejected + Pending
//
// where each number is counted by itself, none as the rest of the others.
type Stats struct {
	// Appended counts the records that were logged. Those that are below the
	// level of every sink are not appended.
	Appended uint64
	// Refused counts the records that were not appended: logged after the
	// shutdown began, by a sink while it was called, or larger than half of
	// the buffer. But for those of a sink, Handle returned an error.
	Refused uint64
	// Sinks are in the order of the configuration.
	Sinks []SinkStats
}

// SinkStats is the account of one sink.
type SinkStats struct {
	Name      string
	Filtered  uint64 // not for this sink, by its level and match
	Delivered uint64 // acknowledged by the destination
	Dropped   uint64 // lost, by the reasons in Drops
	Rejected  uint64 // refused by the destination, one by one
	Pending   uint64 // still to be delivered
	Retries   uint64 // attempts to deliver that were not the first for their records
	Bytes     uint64 // size of the delivered records in the buffer, in bytes
	Warnings  uint64 // problems that the sink has reported with sinks.Warn

	// Blocked is how long log calls have waited for this sink to make room in the
	// buffer, added up over all goroutines (overflow=block).
	Blocked time.Duration

	Drops       Drops
	State       State
	LastError   error     // of the newest failure, without secrets; nil if there was none
	LastSuccess time.Time // of the newest delivery; zero if there was none
	NextAttempt time.Time // when the destination has asked to be tried again; zero if it has not
	LastWarning error     // the newest of Warnings, without secrets; nil if there was none
}

// Drops counts lost records by reason.
type Drops struct {
	Overflow uint64 // the buffer was full and the sink behind
	Expired  uint64 // older than retry_max_age
	Shutdown uint64 // undelivered when the shutdown ended
}

// State is how a sink fares.
type State string

// The states of a sink.
const (
	StateOK       State = State(worker.Running)  // delivers, or has nothing to deliver
	StateRetrying State = State(worker.Retrying) // the last attempt failed; it tries again by itself
	StateHeld     State = State(worker.Held)     // an operator must act: see LastError
	StateHanging  State = State(worker.Hanging)  // has not returned from a call although its context has ended
	StateClosed   State = State(worker.Closed)   // shut down
)

// Stats returns the account at this moment. It may be called at any time, from
// any goroutine.
func (f *Fanout) Stats() Stats {
	accounts, appended := f.journal.Accounts()
	st := Stats{Appended: appended, Refused: f.refused.total()}
	for i, w := range f.workers {
		st.Sinks = append(st.Sinks, sinkStats(w, accounts[i]))
	}
	return st
}

func sinkStats(w *worker.Worker, a journal.Account) SinkStats {
	status := w.Status()
	return SinkStats{
		Name:        w.Name(),
		Filtered:    a.Filtered,
		Delivered:   a.Delivered,
		Dropped:     a.Drops.Total(),
		Rejected:    a.Rejected,
		Pending:     a.Pending,
		Retries:     status.Retries,
		Bytes:       a.Bytes,
		Blocked:     a.Blocked,
		Drops:       Drops(a.Drops),
		State:       State(status.State),
		LastError:   status.LastError,
		LastSuccess: status.LastSuccess,
		NextAttempt: status.NextAttempt,
		Warnings:    status.Warnings,
		LastWarning: status.LastWarning,
	}
}

// lost returns how many records were lost.
func (s SinkStats) lost() uint64 { return s.Dropped + s.Rejected }
