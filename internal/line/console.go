package line

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// console is tint's handler behind a guard. A terminal obeys what is printed
// on it, and much of what is logged comes from outside, so nothing but the
// handler's own escape sequences may reach it. tint (v1.2.1) prints messages as
// they are, newlines included. In quoted strings it leaves escape characters
// as they are when it has colors, and even makes them of the four characters
// \x1b; without colors it cuts strings off at bytes that are not UTF-8.
//
// What it prints of a []byte is always quoted and escaped, whatever is in it.
type console struct{ slog.Handler }

func (h console) Handle(ctx context.Context, r slog.Record) error {
	if strings.ContainsFunc(r.Message, unprintable) {
		r.Message = strconv.Quote(r.Message)
	}
	clean := true
	r.Attrs(func(a slog.Attr) bool {
		clean = cleanAttr(a)
		return clean
	})
	if !clean {
		guarded := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
		r.Attrs(func(a slog.Attr) bool {
			guarded.AddAttrs(guard(a))
			return true
		})
		r = guarded
	}
	return h.Handler.Handle(ctx, r)
}

// unprintable reports runes that do not belong on a terminal. Invalid UTF-8
// comes as U+FFFD.
func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// risky reports whether tint prints s other than it should.
func risky(s string) bool {
	return strings.ContainsAny(s, "\x1b\x7f\ufffd") || strings.Contains(s, `\x1b`)
}

func cleanAttr(a slog.Attr) bool {
	if risky(a.Key) {
		return false
	}
	if a.Value.Kind() == slog.KindGroup {
		return !slices.ContainsFunc(a.Value.Group(), func(a slog.Attr) bool { return !cleanAttr(a) })
	}
	s, ok := text(a.Value)
	return !ok || !risky(s)
}

// text returns the string that tint prints for v, if v is of a kind whose
// strings come from outside.
func text(v slog.Value) (string, bool) {
	if v.Kind() == slog.KindString {
		return v.String(), true
	}
	if v.Kind() == slog.KindAny {
		if err, ok := v.Any().(error); ok {
			return err.Error(), true
		}
	}
	return "", false
}

// guard returns an attribute that tint prints as it should.
func guard(a slog.Attr) slog.Attr {
	if risky(a.Key) {
		a.Key = strings.Map(func(r rune) rune {
			if unprintable(r) || r == '\\' {
				return '?'
			}
			return r
		}, a.Key)
	}
	if a.Value.Kind() == slog.KindGroup {
		var group []slog.Attr
		for _, a := range a.Value.Group() {
			group = append(group, guard(a))
		}
		a.Value = slog.GroupValue(group...)
	} else if s, ok := text(a.Value); ok && risky(s) {
		a.Value = slog.AnyValue([]byte(s))
	}
	return a
}
