package frame

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"sync"
)

// state is one call to an Encoder: what handleState is in slog. Its methods
// report, as slog's do, whether something was appended; only then are the
// groups around it printed.
type state struct {
	buf     []byte
	replace func(groups []string, a slog.Attr) slog.Attr
	path    *[]string // names of the open groups, for replace; nil while built-ins are encoded
	depth   int       // groups that we are in, inlined ones included
	tooDeep bool      // maxDepth was reached
}

var errTooDeep = errors.New("fapilog: groups are nested too deeply")

func (st *state) attrs(as []slog.Attr) (some bool) {
	for _, a := range as {
		if st.attr(a) {
			some = true
		}
	}
	return some
}

func (st *state) attr(a slog.Attr) bool {
	if st.replace != nil {
		a = st.replaced(a)
	}
	return st.resolved(a)
}

// replaced returns what is to be logged for a: resolved, and replaced unless
// it is a group.
func (st *state) replaced(a slog.Attr) slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() != slog.KindGroup {
		a = st.replace(st.groups(), a)
		a.Value = a.Value.Resolve()
	}
	return a
}

// resolved appends an attribute that is what ReplaceAttr left.
func (st *state) resolved(a slog.Attr) bool {
	kind := a.Value.Kind()
	if kind == slog.KindLogValuer {
		a.Value = a.Value.Resolve()
		kind = a.Value.Kind()
	}
	b := st.buf
	switch kind {
	case slog.KindString:
		b = appendText(b, kindString, a.Key, a.Value.String())
	case slog.KindInt64:
		b = appendNumber(b, kindInt64, a.Key, uint64(a.Value.Int64()))
	case slog.KindUint64:
		b = appendNumber(b, kindUint64, a.Key, a.Value.Uint64())
	case slog.KindFloat64:
		b = appendNumber(b, kindFloat64, a.Key, math.Float64bits(a.Value.Float64()))
	case slog.KindBool:
		k := kindFalse
		if a.Value.Bool() {
			k = kindTrue
		}
		b = appendKey(b, k, a.Key)
	case slog.KindDuration:
		b = appendNumber(b, kindDuration, a.Key, uint64(a.Value.Duration()))
	case slog.KindTime:
		b = stampOf(a.Value.Time()).append(appendKey(b, kindTime, a.Key))
	case slog.KindGroup:
		return st.group(a.Key, a.Value.Group())
	default:
		return st.any(a.Key, a.Value.Any())
	}
	st.buf = b
	return true
}

// group appends a group, or rolls back if nothing turns out to be in it.
func (st *state) group(key string, as []slog.Attr) bool {
	if len(as) == 0 {
		return true // sic: slog takes this for something
	}
	if st.depth >= maxDepth || st.tooDeep {
		// A group within itself may branch. Giving up all groups from here on
		// bounds the time as well as the depth.
		st.tooDeep = true
		st.buf = appendText(st.buf, kindError, key, errTooDeep.Error())
		return true
	}
	st.depth++
	some := false
	if key == "" {
		some = st.attrs(as)
	} else {
		mark := len(st.buf)
		st.open(key)
		some = st.attrs(as)
		st.close(mark, some)
	}
	st.depth--
	return some
}

func (st *state) open(key string) {
	st.buf = appendKey(st.buf, kindOpen, key)
	if st.path != nil {
		*st.path = append(*st.path, key)
	}
}

// close ends the group that was opened at mark, or removes it.
func (st *state) close(mark int, keep bool) {
	if keep {
		st.buf = append(st.buf, byte(kindClose))
	} else {
		st.buf = st.buf[:mark]
	}
	if st.path != nil {
		*st.path = (*st.path)[:len(*st.path)-1]
	}
}

// source appends the group that slog prints a *slog.Source as.
func (st *state) source(key string, src *slog.Source) bool {
	if src == nil || *src == (slog.Source{}) {
		return false
	}
	as := make([]slog.Attr, 0, 3)
	if src.Function != "" {
		as = append(as, slog.String("function", src.Function))
	}
	if src.File != "" {
		as = append(as, slog.String("file", src.File))
	}
	if src.Line != 0 {
		as = append(as, slog.Int("line", src.Line))
	}
	return st.group(key, as)
}

// groups returns the names of the open groups as ReplaceAttr gets them: nil
// for built-ins, clipped so that what user code appends does not end up here.
func (st *state) groups() []string {
	if st.path == nil {
		return nil
	}
	p := *st.path
	return p[:len(p):len(p)]
}

var pathPool = sync.Pool{New: func() any {
	p := make([]string, 0, 10)
	return &p
}}

// acquirePath starts the list of open groups. After a panic in user code the
// list is not given back.
func (st *state) acquirePath(open []string) {
	st.path = pathPool.Get().(*[]string)
	*st.path = append((*st.path)[:0], open...)
}

func (st *state) releasePath() {
	clear((*st.path)[:cap(*st.path)])
	pathPool.Put(st.path)
	st.path = nil
}

// The encoding of tokens.

func appendKey(b []byte, k kind, key string) []byte {
	b = append(b, byte(k))
	b = appendLen(b, len(key))
	return append(b, key...)
}

func appendText(b []byte, k kind, key, text string) []byte {
	b = appendKey(b, k, key)
	b = appendLen(b, len(text))
	return append(b, text...)
}

func appendNumber(b []byte, k kind, key string, n uint64) []byte {
	return binary.LittleEndian.AppendUint64(appendKey(b, k, key), n)
}

// appendLen is binary.AppendUvarint, inlined for the lengths that occur.
func appendLen(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.AppendUvarint(b, uint64(n))
}
