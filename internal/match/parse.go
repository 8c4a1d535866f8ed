package match

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Parse parses an expression. A blank one matches all records.
//
// Errors say in which term, and at which character of the expression (counted
// from 1), something is wrong, and do not repeat the expression.
func Parse(s string) (Expr, error) {
	if strings.TrimSpace(s) == "" {
		return Expr{}, nil
	}
	var e Expr
	start := 0
	for start <= len(s) {
		end := start + index(s[start:], ',')
		t, err := parseTerm(s[start:end])
		if err != nil {
			// The blanks before the term are not what is wrong with it.
			blanks := len(s[start:end]) - len(strings.TrimLeft(s[start:end], " \t"))
			if blanks == end-start {
				blanks = 0
			}
			at := 1 + len([]rune(s[:start+blanks]))
			return Expr{}, fmt.Errorf("term %d, at character %d: %w", len(e.terms)+1, at, err)
		}
		e.terms = append(e.terms, t)
		start = end + 1
	}
	return e, nil
}

func parseTerm(s string) (term, error) {
	if s = strings.TrimSpace(s); s == "" {
		return term{}, errors.New("it is empty: drop a comma, or write a comma that belongs to a pattern as \\,")
	}
	var t term
	equals := index(s, '=')
	key, bang := strings.CutPrefix(s[:equals], "!")
	if equals < len(s) {
		if bang && key != "" {
			return term{}, errors.New("it has both '!' and '=': write key!=pattern")
		}
		key, t.negated = cutNot(s[:equals])
		t.pattern = newPattern(strings.TrimSpace(s[equals+1:]))
	} else {
		t.negated = bang
	}
	t.key = unescape(strings.TrimSpace(key))
	switch {
	case t.key == "":
		return term{}, errors.New("it has no key: write key=pattern, key!=pattern, key or !key")
	case t.key == slog.LevelKey:
		return term{}, errors.New("the level is no attribute, but has a parameter of its own: write level=warn")
	case t.key == messageKey && t.pattern == nil && t.negated:
		return term{}, errors.New("no record is without a message, so none would match: write msg!=pattern")
	}
	return t, nil
}

// cutNot returns what is before the "!" of "!=".
func cutNot(s string) (key string, negated bool) {
	key, negated = strings.CutSuffix(s, "!")
	if negated && index(s, '!') == len(key) {
		return key, true
	}
	return s, false
}

// index returns the index of the first c that is not escaped, or the length of
// s if there is none.
func index(s string, c byte) int {
	for i := 0; i < len(s); i++ {
		if escaped(s, i) {
			i++
		} else if s[i] == c {
			return i
		}
	}
	return len(s)
}

// escaped reports whether s[i] is a backslash that takes the meaning from the
// character after it.
func escaped(s string, i int) bool {
	return s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`,*=!\`, s[i+1]) >= 0
}

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if escaped(s, i) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
