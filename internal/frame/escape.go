package frame

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

// AppendString appends s as a JSON string, escaped as slog does it.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

// appendString appends s as a JSON string, escaped as slog does it.
func appendString(dst []byte, s string) []byte {
	n := safePrefix(s)
	if n < len(s) {
		dst = append(append(dst, '"'), s[:n]...)
		return append(appendEscaped(dst, s[n:]), '"')
	}
	// Mostly there is room, and then one look at the capacity is enough.
	start := len(dst)
	if end := start + len(s) + 2; end <= cap(dst) {
		dst = dst[:end]
		dst[start] = '"'
		copy(dst[start+1:], s)
		dst[end-1] = '"'
		return dst
	}
	return append(append(append(dst, '"'), s...), '"')
}

// safePrefix returns the length of the longest prefix of s that is printed as
// it is, up to and not including the first byte that is not ASCII. It looks at
// eight bytes at a time.
func safePrefix(s string) int {
	i := 0
	if len(s) >= 8 {
		for ; i+8 <= len(s) && safe8(load64(s[i:])); i += 8 {
		}
		// The last eight again, where the length is not a multiple.
		if i+8 > len(s) && safe8(load64(s[len(s)-8:])) {
			return len(s)
		}
	}
	for i < len(s) && safe[s[i]] {
		i++
	}
	return i
}

// safe8 reports whether all eight bytes of x are safe. For bytes b and n less
// than 0x80, b-n has its high bit set if and only if b < n, as long as the
// byte below does not borrow; and if it does, that one has its high bit set.
func safe8(x uint64) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	control := x - ones*' '
	quote := (x ^ ones*'"') - ones
	backslash := (x ^ ones*'\\') - ones
	return (x|control|quote|backslash)&highs == 0
}

// safe holds the bytes that are printed as they are.
var safe = func() (t [256]bool) {
	for b := ' '; b < utf8.RuneSelf; b++ {
		t[b] = b != '"' && b != '\\'
	}
	return t
}()

// appendEscaped appends s as it is printed between quotes.
func appendEscaped(dst []byte, s string) []byte {
	esc := escapes()
	start := 0 // of what is not yet appended, and printed as it is
	for i := 0; i < len(s); {
		if b := s[i]; safe[b] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		var e string
		switch {
		case r < utf8.RuneSelf:
			e = esc.ascii[r]
		case r == utf8.RuneError && size == 1:
			e = esc.invalid
		case r == '\u2028':
			e = esc.lineSeparator
		case r == '\u2029':
			e = esc.paragraphSeparator
		default:
			i += size
			continue
		}
		dst = append(append(dst, s[start:i]...), e...)
		i += size
		start = i
	}
	return append(dst, s[start:]...)
}

// escapeTable says how slog prints what it escapes.
type escapeTable struct {
	ascii                             [utf8.RuneSelf]string
	invalid                           string
	lineSeparator, paragraphSeparator string
}

// escapes asks the running toolchain: encoding/json and slog disagree on some
// characters, and have changed their minds before.
var escapes = sync.OnceValue(func() *escapeTable {
	var t escapeTable
	quoted := func(s string) string {
		q := slogValue(slog.StringValue(s))
		return q[1 : len(q)-1]
	}
	for b := range t.ascii {
		t.ascii[b] = quoted(string(rune(b)))
	}
	t.invalid = quoted("\xff")
	t.lineSeparator = quoted("\u2028")
	t.paragraphSeparator = quoted("\u2029")
	return &t
})

// slogValue returns v as slog prints it.
func slogValue(v slog.Value) string {
	var buf bytes.Buffer
	h := slog.NewJSONHandler(&buf, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.MessageKey {
				return slog.Attr{Key: "k", Value: v}
			}
			return slog.Attr{}
		},
	})
	// A buffer does not fail.
	_ = h.Handle(context.Background(), slog.NewRecord(time.Time{}, 0, "", 0))
	line := buf.String()
	return line[len(`{"k":`) : len(line)-len("}\n")]
}
