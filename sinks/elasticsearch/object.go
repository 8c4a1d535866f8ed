package elasticsearch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"time"

	"github.com/fapilog/fapilog/internal/frame"
)

// maxDepth is how deep objects and arrays may be in each other, those of the
// attributes included. It is the limit of fields in each other that servers have
// unless they are configured otherwise (index.mapping.depth.limit). Elasticsearch
// has none for arrays: with 2000 of them, 7.17 ends itself with an overflow of its
// stack.
const maxDepth = 20

// An object is JSON that is being written.
type object struct {
	dst     []byte
	comma   bool // the next member needs one before it
	depth   int  // of what is open in the attributes
	tooDeep bool // more than maxDepth: what is written is not complete
}

// start begins the outermost object.
func (o *object) start(dst []byte) { *o = object{dst: append(dst, '{')} }

func (o *object) key(key string) {
	if o.comma {
		o.dst = append(o.dst, ',')
	}
	o.comma = true
	o.dst = append(frame.AppendString(o.dst, key), ':')
}

func (o *object) open() {
	o.dst = append(o.dst, '{')
	o.comma = false
}

func (o *object) close() {
	o.dst = append(o.dst, '}')
	o.comma = true
}

// manyAttrs is above what number of attributes equal keys are not looked for by
// comparing each with each.
const manyAttrs = 32

// attrs appends an object with attributes. Of those with the same key, which
// servers refuse, it makes one whose value is an array: fields have any number of
// values there.
func (o *object) attrs(as []slog.Attr) {
	if !o.enter() {
		return
	}
	o.open()
	if len(as) > manyAttrs {
		o.many(as)
	} else {
		o.few(as)
	}
	o.close()
	o.leave()
}

// few appends members, and looks for equal keys by comparing each with each.
func (o *object) few(as []slog.Attr) {
	for i, a := range as {
		if find(as[:i], a.Key) >= 0 {
			continue // among the values of the first one
		}
		o.key(a.Key)
		if find(as[i+1:], a.Key) < 0 {
			o.value(a.Value)
			continue
		}
		o.values(func(yield func(slog.Value) bool) {
			for _, other := range as[i:] {
				if other.Key == a.Key && !yield(other.Value) {
					return
				}
			}
		})
	}
}

// many is few for any number, of which each is looked at a few times.
func (o *object) many(as []slog.Attr) {
	next := make([]int, len(as)) // index of the next one with the same key, or 0
	last := make(map[string]int, len(as))
	again := make([]bool, len(as)) // there is one with the same key before it
	for i, a := range as {
		if before, ok := last[a.Key]; ok {
			next[before], again[i] = i, true
		}
		last[a.Key] = i
	}
	for i, a := range as {
		if again[i] {
			continue
		}
		o.key(a.Key)
		if next[i] == 0 {
			o.value(a.Value)
			continue
		}
		o.values(func(yield func(slog.Value) bool) {
			for k := i; yield(as[k].Value) && next[k] != 0; k = next[k] {
			}
		})
	}
}

// find returns the index of the first attribute with a key, or -1.
func find(as []slog.Attr, key string) int {
	for i := range as {
		if as[i].Key == key {
			return i
		}
	}
	return -1
}

// values appends the array of the values that a key has.
func (o *object) values(values iter.Seq[slog.Value]) {
	if !o.enter() {
		return
	}
	separator := byte('[')
	for v := range values {
		o.dst = append(o.dst, separator)
		o.value(v)
		separator = ','
	}
	o.dst = append(o.dst, ']')
	o.leave()
}

// enter goes one deeper. If that is too deep, it says so.
func (o *object) enter() bool {
	o.depth++
	o.tooDeep = o.tooDeep || o.depth > maxDepth
	return !o.tooDeep
}

func (o *object) leave() { o.depth-- }

// value appends a value as slog.JSONHandler prints it, but for floats.
func (o *object) value(v slog.Value) {
	switch v.Kind() {
	case slog.KindString:
		o.dst = frame.AppendString(o.dst, v.String())
	case slog.KindInt64:
		o.dst = strconv.AppendInt(o.dst, v.Int64(), 10)
	case slog.KindUint64:
		o.dst = strconv.AppendUint(o.dst, v.Uint64(), 10)
	case slog.KindFloat64:
		o.dst = appendFloat(o.dst, v.Float64())
	case slog.KindBool:
		o.dst = strconv.AppendBool(o.dst, v.Bool())
	case slog.KindDuration:
		o.dst = strconv.AppendInt(o.dst, int64(v.Duration()), 10)
	case slog.KindTime:
		o.dst = append(v.Time().AppendFormat(append(o.dst, '"'), time.RFC3339Nano), '"')
	case slog.KindGroup:
		o.attrs(v.Group())
	default:
		o.any(v.Any())
	}
}

func (o *object) any(v any) {
	switch v := v.(type) {
	case nil:
		o.dst = append(o.dst, "null"...)
	case error:
		o.dst = frame.AppendString(o.dst, v.Error())
	case json.RawMessage:
		o.tooDeep = o.tooDeep || o.depth+depthOf(v) > maxDepth
		o.dst = append(o.dst, v...)
	case []byte:
		if v == nil {
			o.dst = append(o.dst, "null"...)
			break
		}
		o.dst = append(base64.StdEncoding.AppendEncode(append(o.dst, '"'), v), '"')
	default: // there is no other
		o.dst = frame.AppendString(o.dst, fmt.Sprint(v))
	}
}

// depthOf returns how deep objects and arrays are in each other in a JSON value
// that is well-formed.
func depthOf(doc []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(doc) && doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}
