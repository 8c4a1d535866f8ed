package frame

import (
	"encoding/base64"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"unsafe"
)

// AppendJSON appends the record as [slog.JSONHandler] prints it, with the
// newline at its end, and returns the extended slice. It does not allocate if
// dst is long enough.
func (f Frame) AppendJSON(dst []byte) []byte {
	builtins, message, attrs := f.sections()
	if f.valid() && f[offFlags]&flagReplaced != 0 {
		w := writer{dst: append(dst, '{')}
		w.tokens(reader{s: builtins, message: message})
		w.tokens(reader{s: attrs})
		return append(w.dst, "}\n"...)
	}

	const timeKey, levelKey, messageKey = `"` + slog.TimeKey + `":`, `"` + slog.LevelKey + `":`, `"` + slog.MessageKey + `":`
	dst = append(dst, '{')
	if f.valid() && f[offFlags]&flagTime != 0 {
		dst = append(dst, timeKey...)
		dst = f.stamp().appendJSON(dst)
		dst = append(dst, ',')
	}
	dst = append(dst, levelKey...)
	w := writer{dst: appendLevel(dst, f.Level()), comma: true}
	if len(builtins) > 0 {
		w.tokens(reader{s: builtins})
	}
	w.dst = append(w.dst, ","+messageKey...)
	w.dst = appendString(w.dst, message)
	w.tokens(reader{s: attrs})
	return append(w.dst, "}\n"...)
}

// writer appends the members of a JSON object.
type writer struct {
	dst   []byte
	comma bool // the next member needs one before it
}

func (w *writer) key(key string) {
	dst := w.dst
	if w.comma {
		dst = append(dst, ',')
	}
	w.comma = true
	w.dst = append(appendString(dst, key), ':')
}

// tokens appends what r has, and closes the groups that it leaves open.
func (w *writer) tokens(r reader) {
	for r.next() {
		switch r.kind {
		case kindOpen:
			w.key(r.key)
			w.dst = append(w.dst, '{')
			w.comma = false
		case kindClose:
			w.dst = append(w.dst, '}')
			w.comma = true
		default:
			w.key(r.key)
			w.dst = r.appendJSON(w.dst)
		}
	}
	for range r.depth {
		w.dst = append(w.dst, '}')
		w.comma = true
	}
}

// appendJSON appends the value of the scalar or text that r is at.
func (r *reader) appendJSON(dst []byte) []byte {
	switch r.kind {
	case kindString, kindError, kindMessage:
		return appendString(dst, r.text)
	case kindInt64, kindDuration:
		return strconv.AppendInt(dst, int64(r.num), 10)
	case kindUint64:
		return strconv.AppendUint(dst, r.num, 10)
	case kindFloat64:
		return appendFloat(dst, math.Float64frombits(r.num))
	case kindFalse:
		return append(dst, "false"...)
	case kindTrue:
		return append(dst, "true"...)
	case kindTime:
		return r.stamp().appendJSON(dst)
	case kindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, unsafe.Slice(unsafe.StringData(r.text), len(r.text)))
		return append(dst, '"')
	case kindJSON:
		return append(dst, r.text...)
	default: // kindNull, kindNilBytes
		return append(dst, "null"...)
	}
}

func appendLevel(dst []byte, l slog.Level) []byte {
	switch l { // those that String would not allocate for
	case slog.LevelDebug:
		return append(dst, `"DEBUG"`...)
	case slog.LevelInfo:
		return append(dst, `"INFO"`...)
	case slog.LevelWarn:
		return append(dst, `"WARN"`...)
	case slog.LevelError:
		return append(dst, `"ERROR"`...)
	}
	return appendString(dst, l.String())
}

// appendFloat appends f as encoding/json does, in the format of ES6: an
// exponent for the very small and the very large only, and without a leading
// zero in it.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, unsupported(f)...)
	}
	if -1e15 < f && f < 1e15 { // whole numbers are common, and faster as such
		if i := int64(f); float64(i) == f && (i != 0 || !math.Signbit(f)) { // -0 is "-0"
			return strconv.AppendInt(dst, i, 10)
		}
	}
	if abs := math.Abs(f); f == 0 || 1e-6 <= abs && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && (dst[n-3] == '-' || dst[n-3] == '+') && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// unsupported returns what slog prints for a float that JSON has no notation
// for: an error that encoding/json words.
func unsupported(f float64) string {
	switch {
	case math.IsNaN(f):
		return nan()
	case f > 0:
		return inf()
	default:
		return negInf()
	}
}

var (
	nan    = sync.OnceValue(func() string { return slogValue(slog.Float64Value(math.NaN())) })
	inf    = sync.OnceValue(func() string { return slogValue(slog.Float64Value(math.Inf(1))) })
	negInf = sync.OnceValue(func() string { return slogValue(slog.Float64Value(math.Inf(-1))) })
)
