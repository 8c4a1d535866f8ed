package sinks

import "time"

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
}
