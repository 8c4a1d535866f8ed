package frame

import (
	"encoding/binary"
	"encoding/json"
	"iter"
	"log/slog"
	"math"
	"strings"
	"time"
)

// reader reads tokens one after the other. It reads a string rather than
// bytes, and returns parts of it: if the string is a copy of the frame, they
// may be retained.
type reader struct {
	s       string // what is left
	message string // what kindMessage stands for
	depth   int    // open groups

	// The token that next found.
	kind kind
	key  string
	text string
	num  uint64 // or seconds
	aux  uint64 // nanoseconds and zone
}

// next reads a token. It returns false at the end, and at anything malformed:
// every call that returns true has made s shorter.
func (r *reader) next() bool {
	if len(r.s) == 0 {
		return false
	}
	r.kind = kind(r.s[0])
	r.s = r.s[1:]
	if r.kind == kindClose {
		r.depth--
		return r.depth >= 0 || r.fail()
	}
	var ok bool
	if r.key, ok = r.bytes(); !ok {
		return r.fail()
	}
	switch r.kind {
	case kindOpen:
		r.depth++
		if r.depth > maxDepth {
			r.depth--
			return r.fail()
		}
	case kindString, kindError, kindBytes, kindJSON:
		if r.text, ok = r.bytes(); !ok {
			return r.fail()
		}
	case kindInt64, kindUint64, kindFloat64, kindDuration:
		if len(r.s) < 8 {
			return r.fail()
		}
		r.num = load64(r.s)
		r.s = r.s[8:]
	case kindTime:
		if len(r.s) < 16 {
			return r.fail()
		}
		r.num, r.aux = load64(r.s), load64(r.s[8:])
		r.s = r.s[16:]
	case kindFalse, kindTrue, kindNull, kindNilBytes:
	case kindMessage:
		r.text = r.message
	default:
		return r.fail()
	}
	return true
}

// fail ends the reader where it is.
func (r *reader) fail() bool {
	r.s = ""
	r.depth = max(r.depth, 0)
	return false
}

// bytes reads a length and as many bytes.
func (r *reader) bytes() (string, bool) {
	s := r.s
	if len(s) > 0 && s[0] < 0x80 { // a length of one byte
		if n := int(s[0]) + 1; n <= len(s) {
			r.s = s[n:]
			return s[1:n], true
		}
		return "", false
	}
	n, size := uvarint(s)
	if size <= 0 || n > uint64(len(s)-size) {
		return "", false
	}
	end := size + int(n)
	r.s = s[end:]
	return s[size:end], true
}

// uvarint is binary.Uvarint for a string.
func uvarint(s string) (uint64, int) {
	var b [binary.MaxVarintLen64]byte
	return binary.Uvarint(b[:copy(b[:], s)])
}

// load64 is binary.LittleEndian.Uint64 for a string.
func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (r *reader) stamp() stamp {
	return stamp{sec: int64(r.num), nsec: uint32(r.aux), zone: int32(r.aux >> 32)}
}

// attr returns the attribute that next found. For a group it reads up to the
// end of it.
func (r *reader) attr() slog.Attr {
	key := r.key // value may read on
	return slog.Attr{Key: key, Value: r.value()}
}

// value returns the value of the token that next found. For a group it reads
// up to the end of it.
func (r *reader) value() slog.Value {
	switch r.kind {
	case kindOpen:
		return slog.GroupValue(r.group()...)
	case kindString, kindMessage:
		return slog.StringValue(r.text)
	case kindInt64:
		return slog.Int64Value(int64(r.num))
	case kindUint64:
		return slog.Uint64Value(r.num)
	case kindFloat64:
		return slog.Float64Value(math.Float64frombits(r.num))
	case kindFalse, kindTrue:
		return slog.BoolValue(r.kind == kindTrue)
	case kindDuration:
		return slog.DurationValue(time.Duration(r.num))
	case kindTime:
		return slog.TimeValue(r.stamp().time())
	case kindError:
		return slog.AnyValue(errorText(r.text))
	case kindBytes:
		return slog.AnyValue([]byte(r.text))
	case kindNilBytes:
		return slog.AnyValue([]byte(nil))
	case kindJSON:
		return jsonValue(r.text)
	default: // kindNull
		return slog.AnyValue(nil)
	}
}

// group reads the attributes of the group whose opening next found. The
// recursion is bounded by maxDepth, which next enforces.
func (r *reader) group() []slog.Attr {
	var as []slog.Attr
	for r.next() && r.kind != kindClose {
		as = append(as, r.attr())
	}
	return as
}

// skip reads up to the end of the group whose opening next found.
func (r *reader) skip() {
	for depth := r.depth; r.depth >= depth && r.next(); {
	}
}

// errorText is an error of which only the text is left.
type errorText string

func (e errorText) Error() string { return string(e) }

func jsonValue(doc string) slog.Value {
	if doc != "" && doc[0] == '"' {
		var s string
		if json.Unmarshal([]byte(doc), &s) == nil {
			return slog.StringValue(s)
		}
	}
	return slog.AnyValue(json.RawMessage(doc))
}

// Attrs iterates over the attributes, those bound with WithAttrs first, in the
// order they are printed in. Groups are of [slog.KindGroup]. What is of
// [slog.KindAny] is nil, an error with the text of the one that was logged, a
// []byte, or a [json.RawMessage].
func (f Frame) Attrs() iter.Seq[slog.Attr] {
	return func(yield func(slog.Attr) bool) {
		_, _, attrs := f.sections()
		for r := (reader{s: attrs}); r.next(); {
			if !yield(r.attr()) {
				return
			}
		}
	}
}

// OwnBuiltins reports whether more is printed before the attributes than time,
// level and message, or something else: the source, or what ReplaceAttr made
// of them.
func (f Frame) OwnBuiltins() bool {
	builtins, _, _ := f.sections()
	return len(builtins) > 0 || f.valid() && f[offFlags]&flagReplaced != 0
}

// Builtins iterates over what is printed before the attributes, in that order:
// time, level, source and message, or what ReplaceAttr made of them. The source
// is a group.
func (f Frame) Builtins() iter.Seq[slog.Attr] {
	return func(yield func(slog.Attr) bool) {
		builtins, message, _ := f.sections()
		replaced := f.valid() && f[offFlags]&flagReplaced != 0
		if !replaced {
			if t := f.Time(); !t.IsZero() && !yield(slog.Time(slog.TimeKey, t)) {
				return
			}
			if !yield(slog.String(slog.LevelKey, f.Level().String())) {
				return
			}
		}
		for r := (reader{s: builtins, message: message}); r.next(); {
			if !yield(r.attr()) {
				return
			}
		}
		if !replaced {
			yield(slog.String(slog.MessageKey, message))
		}
	}
}

// Lookup returns the value of the last attribute with the given key. The key
// of an attribute in a group is the key of the group, a dot, and the key.
// Groups themselves are not found. It does not allocate for scalars and
// strings.
func (f Frame) Lookup(key string) (slog.Value, bool) {
	_, _, attrs := f.sections()
	// The key of what is found ends with what follows the last dot. In most records
	// that is nowhere, which is told much faster than by reading them.
	if !strings.Contains(attrs, key[strings.LastIndexByte(key, '.')+1:]) {
		return slog.Value{}, false
	}
	r := reader{s: attrs}
	return r.lookup(key)
}

// lookup searches up to the end of the group that r is in.
func (r *reader) lookup(path string) (v slog.Value, found bool) {
	for r.next() && r.kind != kindClose {
		if r.kind != kindOpen {
			if r.key == path {
				v, found = r.value(), true
			}
			continue
		}
		// Keys may contain dots: "a.b" is also b in a.
		rest, in := strings.CutPrefix(path, r.key)
		if !in || rest == "" || rest[0] != '.' {
			r.skip()
		} else if w, ok := r.lookup(rest[1:]); ok {
			v, found = w, true
		}
	}
	return v, found
}

// Record returns the record as one that an [slog.Handler] can have. It is a
// copy and may be retained. Built-ins are as [Frame.Time], [Frame.Level] and
// [Frame.Message] say; the source is the PC, which means something only in the
// process that logged the record.
func (f Frame) Record() slog.Record {
	f = Frame(string(f))
	_, message, attrs := f.sections()
	var pc uintptr
	if f.valid() {
		pc = uintptr(binary.LittleEndian.Uint64(f[offPC:]))
	}
	rec := slog.NewRecord(f.Time(), f.Level(), message, pc)
	r := reader{s: attrs}
	rec.AddAttrs(r.group()...)
	return rec
}
