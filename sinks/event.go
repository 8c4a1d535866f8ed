package sinks

import (
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/fapilog/fapilog/internal/event"
)

// An Event is one log record on its way to a sink, as the program's handler
// left it: LogValuers resolved, ReplaceAttr applied, groups in place.
//
// Events are values and may be read by several goroutines at once. They are
// backed by memory that is reused: what their methods return is valid until
// the Write that got the event returns, and must not be modified. [Event.Record]
// alone returns a copy that may be kept.
type Event event.View

func (e Event) view() event.View { return event.View(e) }

// An ID identifies a record for good. It stays the same however often the
// record is sent, which makes it the key for idempotent delivery.
type ID struct {
	Log string // the log: random, one for each Fanout
	Seq uint64 // the record's number in the log: 1, 2, 3, ... without gaps; a sink gets rising ones
}

// String returns the id as "log:seq".
func (id ID) String() string { return fmt.Sprintf("%s:%d", id.Log, id.Seq) }

// NewEvent returns an event of its own for r, encoded as a handler without
// options would have. It is meant for the tests of sinks. It is the first and
// only record of a log named "test".
func NewEvent(r slog.Record) Event { return Event(event.New(r)) }

// ID returns the record's identity.
func (e Event) ID() ID { return ID{e.view().Log(), e.view().Seq()} }

// Time returns the record's time, with its zone offset and without the zone's
// name. It is the zero time if the record had none or ReplaceAttr removed it.
func (e Event) Time() time.Time { return e.view().Frame().Time() }

// Level returns the record's level, whatever ReplaceAttr made of it for
// printing.
func (e Event) Level() slog.Level { return e.view().Frame().Level() }

// Message returns the record's message, as ReplaceAttr left it.
func (e Event) Message() string { return e.view().Frame().Message() }

// Service returns the name of the service that logs, or "" if none was
// configured.
func (e Event) Service() string { return e.view().Service() }

// Attrs iterates over the record's attributes, those bound with With first, in
// the order they are printed in. Groups are values of kind [slog.KindGroup];
// no value is of kind [slog.KindLogValuer]. A value of kind [slog.KindAny] is
// nil, an error, a []byte, or a [json.RawMessage] with what encoding/json made
// of the value when it was logged.
//
// [json.RawMessage]: https://pkg.go.dev/encoding/json#RawMessage
func (e Event) Attrs() iter.Seq[slog.Attr] { return e.view().Frame().Attrs() }

// Lookup returns the value of the attribute with the given key. The key of an
// attribute in a group is the group's name, a dot, and the key: "http.status".
// If there are several, the last one is returned. Groups themselves are not
// found.
func (e Event) Lookup(key string) (slog.Value, bool) { return e.view().Frame().Lookup(key) }

// JSON returns the record as [slog.JSONHandler] prints it, a line with the
// newline at its end. It is rendered once, whichever sinks ask.
func (e Event) JSON() []byte { return e.view().JSON() }

// Record returns the record for an [slog.Handler]. It is a copy and may be
// kept.
func (e Event) Record() slog.Record { return e.view().Frame().Record() }
