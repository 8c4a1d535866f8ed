package line

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/fapilog/fapilog/internal/frame"
)

// textPrinter prints records whose built-ins are not those that slog.TextHandler
// would print of them: it removes these, and prints the others as attributes.
type textPrinter struct {
	handler  slog.Handler
	builtins int // that are still to be removed from the record that is printed
}

func newTextPrinter(w io.Writer) *textPrinter {
	t := new(textPrinter)
	t.handler = slog.NewTextHandler(w, &slog.HandlerOptions{
		Level: lowest,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if t.builtins > 0 {
				t.builtins--
				return slog.Attr{}
			}
			return a
		},
	})
	return t
}

func (t *textPrinter) print(f frame.Frame) error {
	r := slog.NewRecord(time.Time{}, f.Level(), "", 0)
	for a := range f.Builtins() {
		if source, ok := sourceText(a); ok {
			a.Value = slog.StringValue(source)
		}
		r.AddAttrs(a)
	}
	for a := range f.Attrs() {
		r.AddAttrs(a)
	}
	t.builtins = 2 // level and message
	return t.handler.Handle(context.Background(), r)
}

// sourceText returns file:line for the group that a source is in a frame.
func sourceText(a slog.Attr) (string, bool) {
	if a.Value.Kind() != slog.KindGroup {
		return "", false
	}
	var file, line string
	for _, part := range a.Value.Group() {
		switch part.Key {
		case "function":
		case "file":
			file = part.Value.String()
		case "line":
			line = part.Value.String()
		default:
			return "", false
		}
	}
	return file + ":" + cmp.Or(line, "0"), file != ""
}

func hasSource(f frame.Frame) bool {
	for a := range f.Builtins() {
		if _, ok := sourceText(a); ok {
			return true
		}
	}
	return false
}
