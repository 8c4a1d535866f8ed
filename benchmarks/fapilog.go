package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// countingSink takes its batches and looks at nothing in them: what is left is
// the cost of getting records to a sink.
type countingSink struct{ n int }

func (s *countingSink) Write(_ context.Context, batch []sinks.Event) error {
	s.n += len(batch)
	return nil
}

// jsonSink has every record rendered and prints it, as a sink whose
// destination takes JSON does.
type jsonSink struct{ w io.Writer }

func (s *jsonSink) Write(_ context.Context, batch []sinks.Event) error {
	for _, e := range batch {
		if _, err := s.w.Write(e.JSON()); err != nil {
			return err
		}
	}
	return nil
}

// hangingSink never comes back and ignores its context.
type hangingSink struct{}

func (hangingSink) Write(context.Context, []sinks.Event) error { select {} }

// gatedSink keeps its worker in Write while mu is locked.
type gatedSink struct {
	entered chan struct{} // capacity 1: Write was called
	mu      sync.Mutex
}

func (s *gatedSink) Write(context.Context, []sinks.Event) error {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil
}

// openFapilog opens a fan-out with n sinks.
func openFapilog(n int, sink func(i int) sinks.Sink) (*subject, error) {
	out, err := newFanout(64<<20, n, sink)
	if err != nil {
		return nil, err
	}
	return subjectOf(out), nil
}

func newFanout(buffer int64, n int, sink func(i int) sinks.Sink) (*fapilog.Fanout, error) {
	cfg := fapilog.Config{Buffer: buffer, ShutdownTimeout: 100 * time.Millisecond}
	for i := range n {
		cfg.Targets = append(cfg.Targets, fapilog.Target{Name: string(rune('a' + i)), Sink: sink(i), Timeout: time.Minute})
	}
	return fapilog.New(context.Background(), cfg)
}

func subjectOf(out *fapilog.Fanout) *subject {
	return &subject{
		handler: fapilog.Handler(out, nil),
		flush:   func() error { return out.Flush(context.Background()) },
		delivered: func() uint64 {
			all := out.Stats().Sinks
			least := all[0].Delivered
			for _, s := range all[1:] {
				least = min(least, s.Delivered)
			}
			return least
		},
		close: out.Close,
	}
}

// openHeld opens a fan-out with n sinks, whose workers can be kept out of the
// way: during a round each of them is inside Write with one record, which is
// logged for that purpose before the round.
func openHeld(n int) (*subject, error) {
	gates := make([]*gatedSink, n)
	sub, err := openFapilog(n, func(i int) sinks.Sink {
		gates[i] = &gatedSink{entered: make(chan struct{}, 1)}
		return gates[i]
	})
	if err != nil {
		return nil, err
	}
	sub.hold = func() error {
		for _, g := range gates {
			select {
			case <-g.entered:
			default:
			}
			g.mu.Lock()
		}
		bait := slog.NewRecord(time.Now(), slog.LevelError, "hold", 0)
		if err := sub.handler.Handle(context.Background(), bait); err != nil {
			return err
		}
		for _, g := range gates {
			<-g.entered
		}
		return nil
	}
	deliver := sub.flush
	sub.flush = func() error {
		for _, g := range gates {
			g.mu.Unlock()
		}
		return deliver()
	}
	sub.delivered = nil // the records of hold are counted too
	return sub, nil
}
