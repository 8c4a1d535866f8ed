package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fapilog/fapilog/sinks"
	phuslu "github.com/phuslu/log"
	"github.com/rs/zerolog"
	slogmulti "github.com/samber/slog-multi"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
)

// The names that the goals refer to.
const (
	nameFloor    = "floor: a handler that does nothing"
	nameJSON     = "slog.JSONHandler"
	nameMulti3   = "slog.MultiHandler, 3 JSONHandlers"
	nameFapCount = "fapilog, %d counting"
	nameFapJSON  = "fapilog, %d JSON"
	nameFapHeld  = "fapilog, %d held back"
)

// A contender is one way of getting records out.
type contender struct {
	name string
	// later says that a call returns before the record is delivered. Such
	// contenders get rounds of a fixed number of records, so that the cost of
	// waking, batching and flushing is spread the same way for each of them.
	later bool
	// noLevel says that the handler has no level below which it is disabled.
	noLevel bool
	// onlyCalls says that delivery is no part of what is measured.
	onlyCalls bool
	// open returns the contender ready for use, printing to w.
	open func(w io.Writer) (*subject, error)
}

// A subject is an opened contender. Every func but handler may be nil.
type subject struct {
	handler   slog.Handler
	hold      func() error  // before a round: nothing is delivered from here on
	flush     func() error  // after a round: deliver everything
	delivered func() uint64 // records delivered so far, to each destination
	close     func() error
	remote    bool // the destination is a child of this process, whose CPU time is measured, too
}

// inline is a contender whose call does all the work.
func inline(name string, handler func(w io.Writer) slog.Handler) contender {
	return contender{name: name, open: func(w io.Writer) (*subject, error) {
		return &subject{handler: handler(w)}, nil
	}}
}

func contenders() []contender {
	cs := []contender{
		inline(nameFloor, func(io.Writer) slog.Handler { return floor{} }),
		inline(nameJSON, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }),
		inline("slog.MultiHandler, 1 JSONHandler", multi(1)),
		inline(nameMulti3, multi(3)),
		inline("slog.MultiHandler, 10 JSONHandlers", multi(10)),
		inline("slog-multi Fanout, 3 JSONHandlers", func(w io.Writer) slog.Handler {
			return slogmulti.Fanout(jsonHandlers(3, w)...)
		}),
		inline("zapslog", func(w io.Writer) slog.Handler {
			return zapslog.NewHandler(zapCore(zapcore.Lock(zapcore.AddSync(w))))
		}),
		inline("phuslu/log", func(w io.Writer) slog.Handler { return phuslu.SlogNewJSONHandler(w, nil) }),
		inline("zerolog", func(w io.Writer) slog.Handler {
			return zerolog.NewSlogHandler(zerolog.New(zerolog.SyncWriter(w)).Level(zerolog.InfoLevel))
		}),
		{name: "otelslog, batch processor", later: true, noLevel: true, open: openOtel},
	}
	for _, kind := range []struct {
		name string
		sink func(w io.Writer) sinks.Sink
	}{
		{nameFapCount, func(io.Writer) sinks.Sink { return new(countingSink) }},
		{nameFapJSON, func(w io.Writer) sinks.Sink { return &jsonSink{w: w} }},
	} {
		for _, n := range []int{1, 3, 10} {
			cs = append(cs, contender{
				name:  fmt.Sprintf(kind.name, n),
				later: true,
				open: func(w io.Writer) (*subject, error) {
					return openFapilog(n, func(int) sinks.Sink { return kind.sink(w) })
				},
			})
		}
	}
	for _, n := range []int{1, 3, 10} {
		cs = append(cs, contender{
			name: fmt.Sprintf(nameFapHeld, n), later: true, onlyCalls: true,
			open: func(io.Writer) (*subject, error) { return openHeld(n) },
		})
	}
	return cs
}

// floor is what slog itself costs: it builds the record and throws it away.
type floor struct{}

func (floor) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (floor) Handle(context.Context, slog.Record) error    { return nil }
func (f floor) WithAttrs([]slog.Attr) slog.Handler         { return f }
func (f floor) WithGroup(string) slog.Handler              { return f }

func jsonHandlers(n int, w io.Writer) []slog.Handler {
	hs := make([]slog.Handler, n)
	for i := range hs {
		hs[i] = slog.NewJSONHandler(w, nil)
	}
	return hs
}

func multi(n int) func(w io.Writer) slog.Handler {
	return func(w io.Writer) slog.Handler { return slog.NewMultiHandler(jsonHandlers(n, w)...) }
}

// zapCore prints the keys and formats that slog.JSONHandler does.
func zapCore(w zapcore.WriteSyncer) zapcore.Core {
	return zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: slog.TimeKey, LevelKey: slog.LevelKey, MessageKey: slog.MessageKey,
		EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
		EncodeLevel:    zapcore.CapitalLevelEncoder,
		EncodeDuration: zapcore.NanosDurationEncoder,
	}), w, zap.InfoLevel)
}

func init() {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.TimestampFieldName = slog.TimeKey
	zerolog.MessageFieldName = slog.MessageKey
}

// countingExporter discards what it gets.
type countingExporter struct{ n atomic.Uint64 }

func (e *countingExporter) Export(_ context.Context, rs []sdklog.Record) error {
	e.n.Add(uint64(len(rs)))
	return nil
}
func (*countingExporter) ForceFlush(context.Context) error { return nil }
func (*countingExporter) Shutdown(context.Context) error   { return nil }

// openOtel gives the batch processor a queue that holds a whole round: with
// its default of 2048 it drops records at these rates, and a dropped record
// costs nothing to deliver.
func openOtel(io.Writer) (*subject, error) {
	exp := new(countingExporter)
	p := sdklog.NewLoggerProvider(sdklog.WithProcessor(
		sdklog.NewBatchProcessor(exp, sdklog.WithMaxQueueSize(1<<16)),
	))
	return &subject{
		handler:   otelslog.NewHandler("benchmarks", otelslog.WithLoggerProvider(p)),
		flush:     func() error { return p.ForceFlush(context.Background()) },
		delivered: exp.n.Load,
		close:     func() error { return p.Shutdown(context.Background()) },
	}, nil
}
