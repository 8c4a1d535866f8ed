package match

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// pattern is a text with wildcards, cut at the wildcards.
type pattern struct {
	first string   // the text begins with it, and is it if exact
	inner []string // then these follow, anywhere, in order, not overlapping
	last  string   // the text ends with it
	exact bool     // there is no wildcard
}

func newPattern(s string) *pattern {
	star := index(s, '*')
	p := &pattern{first: unescape(s[:star]), exact: star == len(s)}
	for star < len(s) {
		s = s[star+1:]
		star = index(s, '*')
		part := unescape(s[:star])
		if star == len(s) {
			p.last = part
		} else if part != "" {
			p.inner = append(p.inner, part)
		}
	}
	return p
}

func (p *pattern) match(text string) bool {
	if p.exact {
		return text == p.first
	}
	text, ok := strings.CutPrefix(text, p.first)
	if !ok {
		return false
	}
	if text, ok = strings.CutSuffix(text, p.last); !ok {
		return false
	}
	// The earliest place of each part leaves the most for those after it.
	for _, part := range p.inner {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

// matchValue matches the text of v. Scalars are printed into an array on the
// stack; none has more than 32 bytes, up to which the compiler makes a string
// of bytes there as well.
func (p *pattern) matchValue(v slog.Value) bool {
	var array [32]byte
	buf := array[:0]
	switch v.Kind() {
	case slog.KindString:
		return p.match(v.String())
	case slog.KindInt64:
		buf = strconv.AppendInt(buf, v.Int64(), 10)
	case slog.KindUint64:
		buf = strconv.AppendUint(buf, v.Uint64(), 10)
	case slog.KindFloat64:
		buf = strconv.AppendFloat(buf, v.Float64(), 'g', -1, 64)
	case slog.KindBool:
		buf = strconv.AppendBool(buf, v.Bool())
	case slog.KindDuration:
		return p.match(v.Duration().String())
	case slog.KindTime:
		buf = appendTime(buf, v.Time())
	default:
		return p.match(anyText(v.Any()))
	}
	return p.match(string(buf))
}

// appendTime appends a time as slog.TextHandler does: RFC 3339, milliseconds
// cut off, not rounded.
func appendTime(buf []byte, t time.Time) []byte {
	return t.AppendFormat(buf, "2006-01-02T15:04:05.000Z07:00")
}

// anyText returns what slog.TextHandler makes of the values of kind
// [slog.KindAny] that a frame can have.
func anyText(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case json.RawMessage:
		return string(v)
	default: // an error, nil
		return fmt.Sprintf("%+v", v)
	}
}
