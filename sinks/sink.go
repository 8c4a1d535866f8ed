// Package sinks is the contract between fapilog and the destinations it
// delivers to. A destination implements [Sink], one method; the errors it
// returns say what is to be done with the batch ([Permanent], [RetryAfter],
// [TooLarge], [Hold], [BatchError]). Everything else, queueing, retrying,
// splitting, counting, is done by the fan-out for every sink alike.
//
// The packages below this one are the sinks that come with fapilog. Importing
// one registers its URI scheme.
package sinks

import "context"

// A Sink delivers batches of records to one destination.
//
// A sink translates: one batch into one request, one answer into one verdict.
// It has no queue, no retries and no timers of its own.
type Sink interface {
	// Write delivers batch, in order, and returns nil only when every record
	// is known to be delivered.
	//
	// The calls come from one goroutine, one at a time. The batch is never
	// empty. It, its events and everything they return (unless documented
	// otherwise) belong to the caller again when Write returns: nothing of it
	// may be kept, and nothing of it may be changed.
	//
	// ctx ends when the sink's timeout has passed or the fan-out gives up
	// delivering; it carries nothing of the context a record was logged with.
	//
	// The error is the verdict on the batch:
	//
	//   - nil: all delivered;
	//   - an error made by [Permanent], [RetryAfter], [TooLarge] or [Hold],
	//     also when it is wrapped: as documented there;
	//   - a [*BatchError]: some records were delivered, the others each have
	//     a verdict of their own;
	//   - any other error, and a panic: nothing is known about the batch. It
	//     is sent again, with the same records, after an exponential backoff.
	//
	// Write may log through slog, even if that leads back to the same
	// fan-out, as long as it does so from the goroutine that it was called on
	// or with the context it was given: such records go to the fallback
	// output, not to the sinks. A sink that hands records on to another
	// fan-out passes its context on, too; without it, these are taken for
	// records of that kind.
	Write(ctx context.Context, batch []Event) error
}

// A Prober is a [Sink] that can tell whether its destination is usable. Open
// calls Probe once for each sink, and an error fails Open. With soft_start=true
// it does so only if it is made by [Hold] or [Permanent]: any other may pass by
// itself. While a sink is held, Probe is asked before
// its batch is tried again. It is not called at the same time as Write, unless
// the call by Open ignored its context and was given up.
type Prober interface {
	Probe(ctx context.Context) error
}

// A GapMarker is a [Sink] whose stream is read by people or in order, so that
// a gap in it should be seen in it. If MarksGaps returns true, records that
// were dropped are followed in the stream by one synthetic record at level
// WARN that says how many there were. It carries the sequence number of the
// last record of the gap, and is not counted in the sink's account.
type GapMarker interface {
	MarksGaps() bool
}
