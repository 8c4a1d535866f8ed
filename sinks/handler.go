package sinks

import (
	"context"
	"io"
	"log/slog"

	"github.com/fapilog/fapilog/internal/panics"
)

// FromHandler makes a sink of any handler. Each record is offered to h with a
// copy that h may keep, if h is enabled for its level. Records that h fails
// for are tried again, the others are not: an error of h is taken for
// transient unless it carries a verdict ([Permanent] and the like), and a panic
// fails the one record that it happened with.
//
// If h is an [io.Closer], so is the sink.
func FromHandler(h slog.Handler) Sink {
	if h == nil {
		panic("sinks: FromHandler of a nil handler")
	}
	s := handlerSink{h}
	if c, ok := h.(io.Closer); ok {
		return handlerSinkCloser{s, c}
	}
	return s
}

type handlerSink struct{ h slog.Handler }

type handlerSinkCloser struct {
	handlerSink
	io.Closer
}

var (
	_ Sink      = handlerSink{}
	_ io.Closer = handlerSinkCloser{}
)

// Write hands the records over one by one.
func (s handlerSink) Write(ctx context.Context, batch []Event) error {
	var failed map[int]error
	for i, e := range batch {
		err := ctx.Err() // once it ended, the rest is for the next attempt
		if err == nil {
			err = s.handle(ctx, e)
		}
		if err != nil {
			if failed == nil {
				failed = make(map[int]error)
			}
			failed[i] = err
		}
	}
	if failed == nil {
		return nil
	}
	return &BatchError{Items: failed}
}

// handle reports a panic as an error, lest the records before it be sent
// again with those after it.
func (s handlerSink) handle(ctx context.Context, e Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panics.Error("handler panicked", r)
		}
	}()
	if !s.h.Enabled(ctx, e.Level()) {
		return nil
	}
	return s.h.Handle(ctx, e.Record())
}
