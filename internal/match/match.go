// Package match is the filter of a sink: the parameter match, an expression
// on the attributes of a record.
//
//	match=component=billing,http.status=5*,!debug
//
// An expression is a list of terms, with commas between them, that must all
// hold. A term is one of
//
//	key=pattern     the attribute is there and its text matches
//	key!=pattern    its text does not match, or it is not there
//	key             the attribute is there
//	!key            it is not there
//
// The key of an attribute in a group has the names of the groups in front,
// with dots: http.status. The key msg stands for the message, which is always
// there; an attribute of that name is not seen.
//
// A pattern matches the whole of the text. A "*" in it stands for any
// characters, and for none; the others stand for themselves, in the same case.
// A backslash takes the meaning from a "," or "*" or "=" or "!" or backslash
// that follows it, and stands for itself before other characters. Blanks around
// keys and patterns are dropped.
//
// The text of a value is what [slog.TextHandler] prints, without quotes: 1s for
// a duration, true, 404, the message of an error; but the JSON of what only
// encoding/json can render, so that a time.Weekday is a number.
package match

import (
	"log/slog"

	"github.com/fapilog/fapilog/internal/frame"
)

// Record is what of a record is matched: a [frame.Frame], elsewhere than in
// tests.
type Record interface {
	Message() string
	Lookup(key string) (slog.Value, bool)
}

var _ Record = frame.Frame(nil)

// messageKey stands for the message.
const messageKey = slog.MessageKey

// An Expr is a parsed expression. The zero value has no terms and matches all
// records. It may be used by several goroutines at once.
type Expr struct {
	terms []term
}

// term is one condition on one attribute.
type term struct {
	key     string
	negated bool     // "!=", or "!" before the key
	pattern *pattern // nil for a term that is only a key
}

// Match reports whether all terms hold for the record. It does not allocate,
// except for values of kind [slog.KindAny].
func (e Expr) Match(f frame.Frame) bool { return matches(e, f) }

// matches has a type parameter because a frame in an interface is an
// allocation.
func matches[R Record](e Expr, r R) bool {
	for i := range e.terms {
		if t := &e.terms[i]; holds(t, r) == t.negated {
			return false
		}
	}
	return true
}

func holds[R Record](t *term, r R) bool {
	if t.key == messageKey {
		return t.pattern == nil || t.pattern.match(r.Message())
	}
	v, ok := r.Lookup(t.key)
	if !ok || t.pattern == nil {
		return ok
	}
	return t.pattern.matchValue(v)
}
