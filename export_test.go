package fapilog

import (
	"time"

	"github.com/fapilog/fapilog/internal/worker"
)

// WithSegmentSize sets the size of the journal's segments, in bytes.
func (c Config) WithSegmentSize(n int) Config {
	c.segmentSize = n
	return c
}

// WithBackoff makes every wait between attempts d at most.
func (c Config) WithBackoff(d time.Duration) Config {
	c.backoff = &worker.Backoff{Base: d, Max: d, Hold: d, Drain: d}
	return c
}
