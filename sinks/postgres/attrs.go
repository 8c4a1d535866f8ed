package postgres

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/sinks"
)

// object appends JSON objects to dst, one member after the other.
type object struct {
	dst   []byte
	comma bool // the next member needs one before it
}

// record appends the attributes of a record, and its source if it has one. They
// have the values that slog.JSONHandler prints, as far as jsonb has them: that
// knows neither NUL nor half a surrogate pair, however it is escaped. add is o's
// method, which would be allocated for each record.
func (o *object) record(e sinks.Event, add func(slog.Attr) bool) {
	o.dst, o.comma = append(o.dst, '{'), false
	if f := event.View(e).Frame(); f.OwnBuiltins() {
		for a := range f.Builtins() {
			if a.Key == slog.SourceKey {
				o.add(a)
			}
		}
	}
	e.Attrs()(add)
	o.dst = append(o.dst, '}')
}

// add appends a member. It returns true, as what ranges over attributes does to
// go on.
func (o *object) add(a slog.Attr) bool {
	if o.comma {
		o.dst = append(o.dst, ',')
	}
	o.comma = true
	o.dst = append(appendString(o.dst, a.Key), ':')
	o.dst = appendValue(o.dst, a.Value)
	return true
}

func appendValue(dst []byte, v slog.Value) []byte {
	switch v.Kind() {
	case slog.KindString:
		return appendString(dst, v.String())
	case slog.KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case slog.KindUint64:
		return strconv.AppendUint(dst, v.Uint64(), 10)
	case slog.KindFloat64:
		return appendFloat(dst, v.Float64())
	case slog.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case slog.KindDuration:
		return strconv.AppendInt(dst, int64(v.Duration()), 10)
	case slog.KindTime:
		dst = v.Time().AppendFormat(append(dst, '"'), time.RFC3339Nano)
		return append(dst, '"')
	case slog.KindGroup:
		o := object{append(dst, '{'), false}
		for _, a := range v.Group() {
			o.add(a)
		}
		return append(o.dst, '}')
	}
	switch v := v.Any().(type) {
	case nil:
		return append(dst, "null"...)
	case error:
		return appendString(dst, v.Error())
	case json.RawMessage:
		return appendJSON(dst, string(v))
	case []byte:
		if v == nil {
			return append(dst, "null"...)
		}
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v)
		return append(dst, '"')
	default: // there is no other
		return appendString(dst, fmt.Sprint(v))
	}
}

// appendFloat appends what JSON has no number for as a string.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = strconv.AppendFloat(append(dst, '"'), f, 'g', -1, 64)
		return append(dst, '"')
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

const (
	hex         = "0123456789abcdef"
	replacement = "\uFFFD"
)

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0 // of what is not yet appended, and is as it is
	for i := 0; i < len(s); {
		b := s[i]
		if b >= ' ' && b < utf8.RuneSelf && b != '"' && b != '\\' {
			i++
			continue
		}
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), replacement...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case 0:
			dst = append(dst, replacement...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xf])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// appendJSON appends a JSON value that encoding/json has accepted.
func appendJSON(dst []byte, doc string) []byte {
	doc = strings.ToValidUTF8(doc, replacement)
	for {
		i := strings.IndexByte(doc, '\\')
		if i < 0 || i+1 == len(doc) {
			return append(dst, doc...)
		}
		dst, doc = append(dst, doc[:i]...), doc[i:]
		first, ok := escaped(doc)
		second, also := rune(0), false
		if ok && utf16.IsSurrogate(first) {
			second, also = escaped(doc[len(`\u0000`):])
		}
		n := len(`\u0000`)
		switch {
		case !ok:
			n = len(`\n`)
			dst = append(dst, doc[:n]...)
		case first == 0:
			dst = append(dst, replacement...)
		case !utf16.IsSurrogate(first):
			dst = append(dst, doc[:n]...)
		case also && utf16.DecodeRune(first, second) != utf8.RuneError:
			n *= 2
			dst = append(dst, doc[:n]...)
		default:
			dst = append(dst, replacement...)
		}
		doc = doc[n:]
	}
}

// escaped returns the character that doc begins with as \u0000.
func escaped(doc string) (rune, bool) {
	if len(doc) < len(`\u0000`) || doc[0] != '\\' || doc[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(doc[2:6], 16, 32)
	return rune(n), err == nil
}
