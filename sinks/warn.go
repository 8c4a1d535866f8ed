package sinks

import (
	"context"

	"github.com/fapilog/fapilog/internal/warn"
)

// Warn reports a problem that is no verdict on a batch, such as a rotated file
// that could not be compressed, or a message of the destination that an operator
// should see. It is counted, and said on the fallback output with the sink's
// name in front, for each sink at most every 10 seconds, the newest one with the
// number of all.
//
// ctx is the context of a constructor, Probe or Write, or derived from it; with
// any other, nothing happens. Warn may be called from several goroutines at
// once, also after the call has returned, until the sink is closed.
// Warn(ctx, nil) does nothing.
func Warn(ctx context.Context, err error) { warn.Send(ctx, err) }
