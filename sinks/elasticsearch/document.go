package elasticsearch

import (
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/sinks"
)

// ecsVersion is the version of the Elastic Common Schema that the fields are of.
const ecsVersion = "8.11.0"

// Tags of documents.
const (
	textTag     = "attributes_as_text"
	timelessTag = "time_of_delivery" // the record has none
)

// A documents makes documents of records. The memory is used again.
type documents struct {
	doc    []byte
	attrs  []slog.Attr // of the record
	object object
	common common
	add    func(slog.Attr) bool // would be allocated for each record
}

func newDocuments() *documents {
	d := new(documents)
	d.add = func(a slog.Attr) bool {
		d.attrs = append(d.attrs, a)
		return true
	}
	return d
}

// Common fields that attributes become, in addition.
type common struct{ trace, span, failure string }

// look notes what an attribute is known as.
func (c *common) look(a slog.Attr) {
	switch a.Key {
	case "trace_id", "trace.id":
		if a.Value.Kind() == slog.KindString {
			c.trace = a.Value.String()
		}
	case "span_id", "span.id":
		if a.Value.Kind() == slog.KindString {
			c.span = a.Value.String()
		}
	case "err", "error":
		switch a.Value.Kind() {
		case slog.KindString:
			c.failure = a.Value.String()
		case slog.KindAny:
			if err, ok := a.Value.Any().(error); ok {
				c.failure = err.Error()
			}
		}
	}
}

// of returns the document of a record with the given time. It says whether its
// attributes are a text: because that is wanted, or because they are nested
// deeper than a server takes. The result is valid until the next call.
//
// The attributes stand below one key, so that they never clash with fields that
// others expect to be objects: host, user, error.
func (d *documents) of(e sinks.Event, at time.Time, asText bool) (doc []byte, isText bool) {
	d.attrs = d.attrs[:0]
	e.Attrs()(d.add)
	d.common = common{}
	for _, a := range d.attrs {
		d.common.look(a)
	}
	stamp, exact := timestamp(at)
	asText = asText || !exact

	o := &d.object
	o.start(d.doc[:0])
	o.key("@timestamp")
	o.dst = append(o.dst, '"')
	o.dst = append(stamp.AppendFormat(o.dst, time.RFC3339Nano), '"')
	o.key("log")
	o.open()
	o.key("level")
	o.dst = appendLevel(o.dst, e.Level())
	o.origin(e)
	o.close()
	o.text("message", e.Message())
	if service := e.Service(); service != "" {
		o.member("service", "name", service)
	}
	if d.common.trace != "" {
		o.member("trace", "id", d.common.trace)
	}
	if d.common.span != "" {
		o.member("span", "id", d.common.span)
	}
	if d.common.failure != "" {
		o.member("error", "message", d.common.failure)
	}
	o.member("ecs", "version", ecsVersion)
	before := *o
	if !asText && len(d.attrs) > 0 {
		o.key("attributes")
		o.attrs(d.attrs)
		if o.tooDeep {
			*o, asText = before, true
		}
	}
	o.key("event")
	o.open()
	o.key("sequence")
	o.dst = strconv.AppendUint(o.dst, e.ID().Seq, 10)
	if asText {
		line := e.JSON()
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		o.text("original", string(line))
	}
	o.close()
	o.tags(asText, e.Time().IsZero())
	o.close()
	d.doc = o.dst
	return d.doc, asText
}

// tags appends the tags, if there are any.
func (o *object) tags(asText, timeless bool) {
	if !asText && !timeless {
		return
	}
	o.key("tags")
	o.dst = append(o.dst, '[')
	if asText {
		o.dst = frame.AppendString(o.dst, textTag)
	}
	if asText && timeless {
		o.dst = append(o.dst, ',')
	}
	if timeless {
		o.dst = frame.AppendString(o.dst, timelessTag)
	}
	o.dst = append(o.dst, ']')
}

// release lets go of the values, which are not the sink's, and of memory that a
// huge record has left.
func (d *documents) release() {
	const keep, keepAttrs = 1 << 20, 1 << 10
	if cap(d.attrs) > keepAttrs {
		d.attrs = nil
	}
	clear(d.attrs[:cap(d.attrs)])
	d.common = common{}
	if cap(d.doc) > keep {
		d.doc = nil
		d.object = object{}
	}
}

// The range of a date that all servers read without doubt.
var (
	earliest = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

// timestamp returns a time in UTC: an offset may have seconds, which the format
// has no place for. It says whether it is the time that was given, and not the
// next one that can be written.
func timestamp(t time.Time) (time.Time, bool) {
	switch t = t.UTC(); {
	case t.Before(earliest):
		return earliest, false
	case t.After(latest):
		return latest, false
	}
	return t, true
}

// appendLevel appends a level in lower case, as ECS has it.
func appendLevel(dst []byte, l slog.Level) []byte {
	name, offset := "debug", l-slog.LevelDebug
	switch {
	case l >= slog.LevelError:
		name, offset = "error", l-slog.LevelError
	case l >= slog.LevelWarn:
		name, offset = "warn", l-slog.LevelWarn
	case l >= slog.LevelInfo:
		name, offset = "info", l-slog.LevelInfo
	}
	dst = append(append(dst, '"'), name...)
	if offset > 0 {
		dst = append(dst, '+')
	}
	if offset != 0 {
		dst = strconv.AppendInt(dst, int64(offset), 10)
	}
	return append(dst, '"')
}

// origin appends where the record was logged.
func (o *object) origin(e sinks.Event) {
	f := event.View(e).Frame()
	if !f.OwnBuiltins() {
		return
	}
	for a := range f.Builtins() {
		if a.Key == slog.SourceKey && a.Value.Kind() == slog.KindGroup {
			o.source(a.Value.Group())
			return
		}
	}
}

func (o *object) source(source []slog.Attr) {
	var function, file string
	var line int64
	for _, a := range source {
		switch {
		case a.Key == "function" && a.Value.Kind() == slog.KindString:
			function = a.Value.String()
		case a.Key == "file" && a.Value.Kind() == slog.KindString:
			file = a.Value.String()
		case a.Key == "line" && a.Value.Kind() == slog.KindInt64:
			line = a.Value.Int64()
		}
	}
	o.key("origin")
	o.open()
	if function != "" {
		o.text("function", function)
	}
	if file != "" || line != 0 {
		o.key("file")
		o.open()
		if file != "" {
			o.text("name", file)
		}
		if line != 0 {
			o.key("line")
			o.dst = strconv.AppendInt(o.dst, line, 10)
		}
		o.close()
	}
	o.close()
}

// text appends a member that is a text.
func (o *object) text(key, value string) {
	o.key(key)
	o.dst = frame.AppendString(o.dst, value)
}

// member appends an object with a single member, which is a text.
func (o *object) member(object, key, value string) {
	o.key(object)
	o.open()
	o.text(key, value)
	o.close()
}

// appendFloat appends a number with a point or an exponent in it, so that a
// server does not take the first one it sees for an integer, and cuts off the
// others. What JSON has no number for is a text.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = strconv.AppendFloat(append(dst, '"'), f, 'g', -1, 64)
		return append(dst, '"')
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	for _, c := range dst[start:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}
