package slogtest

import (
	"context"
	"time"

	"github.com/fapilog/fapilog/sinks"
)

// Slow returns a sink that waits for d before each Write to next. If the
// context ends first, Write returns its error, and next is not called.
//
// What else next can do ([sinks.Prober], [sinks.GapMarker], [sinks.Batcher],
// [io.Closer]) the sink does as well, without a delay.
func Slow(next sinks.Sink, d time.Duration) sinks.Sink { return slow{through{next}, d} }

type slow struct {
	through
	delay time.Duration
}

func (s slow) Write(ctx context.Context, batch []sinks.Event) error {
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return s.through.Write(ctx, batch)
	case <-ctx.Done():
		return ctx.Err()
	}
}
