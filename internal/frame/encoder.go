package frame

import (
	"encoding/binary"
	"log/slog"
	"slices"
	"time"
)

// An Encoder turns records into frames, as [slog.JSONHandler] turns them into
// lines. It is immutable and may be used concurrently.
type Encoder struct {
	addSource bool
	replace   func(groups []string, a slog.Attr) slog.Attr

	groups  []string // of WithGroup, in order
	bound   []byte   // the tokens of WithAttrs, with the groups they are in left open
	pending []byte   // open tokens of those groups that nothing in bound is in
}

// NewEncoder returns an encoder that heeds AddSource and ReplaceAttr. Nil
// options are the defaults.
func NewEncoder(opts *slog.HandlerOptions) *Encoder {
	if opts == nil {
		return &Encoder{}
	}
	return &Encoder{addSource: opts.AddSource, replace: opts.ReplaceAttr}
}

// WithAttrs returns an encoder that puts as before the attributes of every
// record. They are encoded here, once.
func (e *Encoder) WithAttrs(as []slog.Attr) *Encoder {
	if !slices.ContainsFunc(as, notEmptyGroup) {
		return e
	}
	st := state{replace: e.replace, depth: len(e.groups)}
	// Clipped, so that what siblings append goes into memory of their own.
	st.buf = append(slices.Clip(e.bound), e.pending...)
	if e.replace != nil {
		st.acquirePath(e.groups)
		defer st.releasePath()
	}
	if !st.attrs(as) {
		return e
	}
	e2 := *e
	e2.bound = slices.Clip(st.buf)
	e2.pending = nil
	return &e2
}

func notEmptyGroup(a slog.Attr) bool {
	return a.Value.Kind() != slog.KindGroup || len(a.Value.Group()) > 0
}

// WithGroup returns an encoder that puts all further attributes into a group.
// The group is printed only if something is in it. An empty name, and a group
// beyond the limit of nesting, returns the receiver.
func (e *Encoder) WithGroup(name string) *Encoder {
	if name == "" || len(e.groups) == maxDepth {
		return e
	}
	e2 := *e
	e2.groups = append(slices.Clip(e.groups), name)
	e2.pending = appendKey(slices.Clip(e.pending), kindOpen, name)
	return &e2
}

// Append appends the frame of r to dst and returns the extended slice.
//
// It allocates only if dst is too short, or for what user code does:
// LogValuers, ReplaceAttr, marshalers.
func (e *Encoder) Append(dst []byte, r slog.Record) []byte {
	if e.replace != nil {
		return e.appendReplaced(dst, &r)
	}
	start := len(dst)
	b := append(dst, make([]byte, headerSize)...)
	if e.addSource {
		b = append(b, sourceAt(r.PC).tokens...)
	}
	builtins := len(b) - start - headerSize
	b = append(b, r.Message...)
	writeHeader(b[start:], 0, r.Time, r.Level, r.PC, builtins, len(r.Message))

	if len(e.bound) > 0 {
		b = append(b, e.bound...)
	}
	if r.NumAttrs() == 0 {
		return b
	}
	mark := len(b)
	if len(e.pending) > 0 {
		b = append(b, e.pending...)
	}
	st := state{buf: b, depth: len(e.groups)}
	some := false
	// Neither this function nor st escapes.
	r.Attrs(func(a slog.Attr) bool {
		if st.resolved(a) {
			some = true
		}
		return true
	})
	if !some {
		return st.buf[:mark]
	}
	return st.buf
}

// appendReplaced is Append with a ReplaceAttr.
func (e *Encoder) appendReplaced(dst []byte, r *slog.Record) []byte {
	st := state{buf: append(dst, make([]byte, headerSize)...), replace: e.replace}
	start := len(dst)
	t, message := st.replaceBuiltins(r, e.addSource)
	builtins := len(st.buf) - start - headerSize
	st.buf = append(st.buf, message...)
	writeHeader(st.buf[start:], flagReplaced, t, r.Level, r.PC, builtins, len(message))

	st.buf = append(st.buf, e.bound...)
	if r.NumAttrs() == 0 {
		return st.buf
	}
	mark := len(st.buf)
	st.buf = append(st.buf, e.pending...)
	st.depth = len(e.groups)
	st.acquirePath(e.groups)
	some := false
	r.Attrs(func(a slog.Attr) bool {
		if st.attr(a) {
			some = true
		}
		return true
	})
	st.releasePath()
	if !some {
		return st.buf[:mark]
	}
	return st.buf
}

func writeHeader(b []byte, flags uint32, t time.Time, level slog.Level, pc uintptr, builtins, message int) {
	b = b[:headerSize]
	if !t.IsZero() {
		flags |= flagTime
		s := stampOf(t)
		binary.LittleEndian.PutUint32(b[offZone:], uint32(s.zone))
		binary.LittleEndian.PutUint64(b[offSeconds:], uint64(s.sec))
		binary.LittleEndian.PutUint32(b[offNanos:], s.nsec)
	}
	binary.LittleEndian.PutUint32(b[offVersion:], version|flags<<(8*offFlags))
	binary.LittleEndian.PutUint64(b[offLevel:], uint64(level))
	binary.LittleEndian.PutUint32(b[offBuiltins:], uint32(builtins))
	binary.LittleEndian.PutUint64(b[offPC:], uint64(pc))
	binary.LittleEndian.PutUint32(b[offMessage:], uint32(message))
}

// replaceBuiltins appends the built-ins as ReplaceAttr leaves them, and
// returns what the header has to say of them. They are in no group, so
// ReplaceAttr sees none, not even for the members of a group that it returned
// itself.
func (st *state) replaceBuiltins(r *slog.Record, addSource bool) (t time.Time, message string) {
	if !r.Time.IsZero() {
		t = r.Time
		a := st.replaced(slog.Time(slog.TimeKey, t.Round(0)))
		if a.Value.Kind() == slog.KindTime {
			t = a.Value.Time()
		} else if isZero(a) {
			t = time.Time{}
		}
		st.resolved(a)
	}
	st.attr(slog.Any(slog.LevelKey, r.Level))
	if addSource {
		src := sourceAt(r.PC).src // a copy: ReplaceAttr may change it
		st.attr(slog.Any(slog.SourceKey, &src))
	}
	a := st.replaced(slog.String(slog.MessageKey, r.Message))
	switch {
	case isZero(a):
	case a.Value.Kind() == slog.KindString:
		message = a.Value.String()
		st.buf = appendKey(st.buf, kindMessage, a.Key)
	default:
		message = a.Value.String()
		st.resolved(a)
	}
	return t, message
}

func isZero(a slog.Attr) bool {
	return a.Key == "" && a.Value.Kind() == slog.KindAny && a.Value.Any() == nil
}
