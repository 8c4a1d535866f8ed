package slack

import (
	"log/slog"

	"github.com/fapilog/fapilog/sinks"
)

// eachAttr calls f for each attribute of a record, in order, with the keys of its
// groups in front, as for [sinks.Event.Lookup].
func eachAttr(e sinks.Event, f func(key string, v slog.Value)) {
	for a := range e.Attrs() {
		walk("", a, f)
	}
}

func walk(prefix string, a slog.Attr, f func(key string, v slog.Value)) {
	key := prefix + a.Key
	if a.Value.Kind() != slog.KindGroup {
		f(key, a.Value)
		return
	}
	for _, member := range a.Value.Group() {
		walk(key+".", member, f)
	}
}
