package line

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"

	"github.com/lmittmann/tint"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/sinks"
)

// Format is what a line looks like.
type Format string

// The formats.
const (
	JSON   Format = "json"   // as slog.JSONHandler prints it, with all that the program's handler made of the record
	Text   Format = "text"   // key=value, as slog.TextHandler prints it
	Pretty Format = "pretty" // for people: time of day, level, message, attributes
)

// lowest lets every level through: the fan-out has sorted out what the sink
// does not want.
const lowest = slog.Level(math.MinInt)

// A printer prints records, one at a time, to a writer.
type printer struct {
	sink sinks.Sink // prints records

	// Prints records with built-ins of their own, if not nil.
	own func(frame.Frame) error
}

// newPrinter returns the printer for format f, or nil for JSON, which needs
// none.
func newPrinter(f Format, w io.Writer, color bool) (*printer, error) {
	switch f {
	case JSON:
		return nil, nil
	case Text:
		p := &printer{sink: sinks.FromHandler(slog.NewTextHandler(w, &slog.HandlerOptions{Level: lowest}))}
		p.own = newTextPrinter(w).print
		return p, nil
	case Pretty:
		o := &tint.Options{Level: lowest, TimeFormat: "15:04:05.000", NoColor: !color}
		p := &printer{sink: sinks.FromHandler(console{tint.NewTextHandler(w, o)})}
		withSource := *o
		withSource.AddSource = true
		h := console{tint.NewTextHandler(w, &withSource)}
		p.own = func(f frame.Frame) error {
			r := f.Record()
			if !hasSource(f) {
				r.PC = 0
			}
			return h.Handle(context.Background(), r)
		}
		return p, nil
	default:
		return nil, fmt.Errorf("unknown format %q: it is json, text or pretty", string(f))
	}
}

// print prints the one event in one.
func (p *printer) print(one []sinks.Event) error {
	if f := event.View(one[0]).Frame(); f.OwnBuiltins() {
		return p.own(f)
	}
	// Not the context of Write: once that has ended, the record would be
	// taken for one that cannot be printed.
	err := p.sink.Write(context.Background(), one)
	if items, ok := err.(*sinks.BatchError); ok {
		return items.Items[0]
	}
	return err
}
