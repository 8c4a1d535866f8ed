package fapilog

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/worker"
)

// Handler returns a handler that appends every record to out. It takes the
// options of [slog.NewJSONHandler] and treats them alike: each sink gets the
// record as that handler would have printed it. If opts is nil, or its Level
// is, the level is that of the configuration (see [Config]).
//
// Handle encodes the record before it returns, so nothing that the caller
// changes afterwards is seen, and waits for no sink, except as a sink with
// overflow=block asks for. It returns [ErrClosed] once out is shut down. Its
// context is not used to deliver: a request that was cancelled is logged.
//
// A record that is logged by a sink, while a sink is called, goes to the
// fallback output: delivering it would log again.
//
// It panics if out is nil, as after an error of Open that was not heeded.
func Handler(out *Fanout, opts *slog.HandlerOptions) slog.Handler {
	if out == nil {
		panic("fapilog: Handler of a nil Fanout: heed the error of Open")
	}
	h := &handler{out: out, enc: frame.NewEncoder(opts), dynamic: out.level}
	if opts != nil && opts.Level != nil {
		h.dynamic = opts.Level
	}
	h.min = out.minLevel
	if l, ok := h.dynamic.(slog.Level); ok {
		h.min, h.dynamic = max(l, out.minLevel), nil
	}
	return h
}

type handler struct {
	out     *Fanout
	enc     *frame.Encoder
	min     slog.Level   // below it, nothing is wanted
	dynamic slog.Leveler // a level that can change, or nil
}

// Enabled reports whether the level is high enough for the handler and for
// one of the sinks.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.min && (h.dynamic == nil || l >= h.dynamic.Level())
}

// buffers are what records are encoded in on their way to the journal.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 1<<10)
	return &b
}}

// largestBuffer is what is kept for the next record.
const largestBuffer = 64 << 10

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if worker.FromSink(ctx, h.out.origin) || fromTransport(r) {
		h.out.refuseCircular(h.enc.Append(nil, r))
		return nil
	}
	b := buffers.Get().(*[]byte)
	*b = h.enc.Append((*b)[:0], r)
	err := h.out.append(*b)
	if cap(*b) <= largestBuffer {
		buffers.Put(b)
	}
	return err
}

// fromTransport reports whether r is what an HTTP transport prints, through
// package log, which nobody can tell it not to: about a server that answers more
// often than it is asked, maybe the one that a sink sends to, and then it would
// do so again for this record. It comes from a goroutine of the transport's own.
//
// Records of package log have no PC, unless its flags ask for the line.
func fromTransport(r slog.Record) bool {
	if !strings.HasPrefix(r.Message, "Unsolicited response received on idle HTTP channel") {
		return false
	}
	source := r.Source()
	return source == nil || strings.HasPrefix(source.Function, "net/http.")
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h2 := *h
	h2.enc = h.enc.WithAttrs(attrs)
	return &h2
}

func (h *handler) WithGroup(name string) slog.Handler {
	h2 := *h
	h2.enc = h.enc.WithGroup(name)
	return &h2
}
