package sinks

import (
	"log/slog"
	"time"
)

// A Batcher is a [Sink] that suits other batches than most sinks do, because a
// request is expensive, for example. Batching is called once, by Open. What the
// configuration says (batch, batch_bytes, linger) wins.
type Batcher interface {
	Batching() Batching
}

// Batching says what batches a sink gets by default. The zero value of each
// field means the default of the fan-out.
type Batching struct {
	Records int           // most records in one Write
	Bytes   int           // most bytes in one Write, in the size that the records have in the buffer
	Linger  time.Duration // how long to wait for a batch to fill up; negative: not at all

	// Interval is the least time from the end of one Write to the first Write of
	// the next batch, which goes on filling up meanwhile. It is for destinations
	// where each request costs somebody's attention. Attempts of the same batch do
	// not count. Flush, the shutdown, and logging that waits for room in the buffer
	// (overflow=block) cut it to a second, and a shutdown that is about to end to
	// less. Zero means none.
	Interval time.Duration
}

// A DefaultLeveler is a [Sink] that is not for every record: a message to people,
// for example. DefaultLevel is called once, by Open, and is the lowest level that
// the sink gets. What the configuration says (level) wins.
type DefaultLeveler interface {
	DefaultLevel() slog.Level
}
