package slogtest

import (
	"context"
	"io"
	"log/slog"
	"math"

	"github.com/fapilog/fapilog/sinks"
)

// through passes the calls of the optional interfaces on to the sink next. If
// that lacks one of them, or there is none, the answer is the one that makes no
// difference: usable, closed, no marks, the usual batches.
type through struct{ next sinks.Sink }

// Write passes batch on.
func (s through) Write(ctx context.Context, batch []sinks.Event) error {
	if s.next == nil {
		return nil
	}
	return s.next.Write(ctx, batch)
}

// Probe passes the question on.
func (s through) Probe(ctx context.Context) error {
	if p, ok := s.next.(sinks.Prober); ok {
		return p.Probe(ctx)
	}
	return nil
}

// Close closes the sink behind.
func (s through) Close() error {
	if c, ok := s.next.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// MarksGaps passes the question on.
func (s through) MarksGaps() bool {
	m, ok := s.next.(sinks.GapMarker)
	return ok && m.MarksGaps()
}

// Batching passes the question on.
func (s through) Batching() sinks.Batching {
	if b, ok := s.next.(sinks.Batcher); ok {
		return b.Batching()
	}
	return sinks.Batching{}
}

// DefaultLevel passes the question on.
func (s through) DefaultLevel() slog.Level {
	if l, ok := s.next.(sinks.DefaultLeveler); ok {
		return l.DefaultLevel()
	}
	return slog.Level(math.MinInt)
}

var (
	_ sinks.Sink      = through{}
	_ sinks.Prober    = through{}
	_ sinks.GapMarker = through{}
	_ sinks.Batcher   = through{}
	_ io.Closer       = through{}

	_ sinks.DefaultLeveler = through{}
)
