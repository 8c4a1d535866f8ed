package registry

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Text returns the value of a parameter, percent-decoded, or def if it was not
// given.
func (u *URI) Text(name, def string) string {
	if p := u.ask(name, KindText, def); p != nil {
		return p.value
	}
	return def
}

// Public is [URI.Text] for a parameter that is no secret: [URI.Redact] leaves
// its value alone.
func (u *URI) Public(name, def string) string {
	p := u.ask(name, KindText, def)
	if p == nil {
		return def
	}
	p.public = true
	return p.value
}

// Bool returns the value of a parameter that is true or false (or 1 or 0), or
// def if it was not given or is something else.
func (u *URI) Bool(name string, def bool) bool {
	p := u.ask(name, KindBool, strconv.FormatBool(def))
	if p == nil {
		return def
	}
	switch strings.ToLower(p.value) {
	case "true", "1":
		p.public = true
		return true
	case "false", "0":
		p.public = true
		return false
	}
	u.Reject(name, fmt.Sprintf("neither true nor false: write for example %s=true", name))
	return def
}

// Int returns the value of a parameter that is a decimal integer from lowest
// to highest, or def if it was not given or is something else.
// [math.MinInt] and [math.MaxInt] stand for no limit.
func (u *URI) Int(name string, def, lowest, highest int) int {
	p := u.ask(name, KindInt, strconv.Itoa(def))
	if p == nil {
		return def
	}
	n, err := strconv.Atoi(p.value)
	if err == nil && lowest <= n && n <= highest {
		p.public = true
		return n
	}
	reason := "not an integer"
	switch {
	case lowest != math.MinInt && highest != math.MaxInt:
		reason = fmt.Sprintf("not an integer from %d to %d", lowest, highest)
	case lowest != math.MinInt:
		reason = fmt.Sprintf("not an integer of %d or more", lowest)
	case highest != math.MaxInt:
		reason = fmt.Sprintf("not an integer of %d or less", highest)
	}
	u.Reject(name, fmt.Sprintf("%s: write for example %s=%d", reason, name, min(max(def, lowest), highest)))
	return def
}

// Size returns the value of a parameter that is a number of bytes, as
// [ParseSize] reads it, or def if it was not given or is something else.
func (u *URI) Size(name string, def int64) int64 {
	p := u.ask(name, KindSize, strconv.FormatInt(def, 10))
	if p == nil {
		return def
	}
	n, err := ParseSize(p.value)
	if err == nil {
		p.public = true
		return n
	}
	u.Reject(name, fmt.Sprintf("not a size in bytes: write for example %s=64MiB", name))
	return def
}

// Duration returns the value of a parameter that is a duration, zero or more,
// as [ParseDuration] reads it ("250ms", "1h30m", "7d"), or def if it was not
// given or is something else.
func (u *URI) Duration(name string, def time.Duration) time.Duration {
	p := u.ask(name, KindDuration, durationText(def))
	if p == nil {
		return def
	}
	d, err := ParseDuration(p.value)
	if err == nil {
		p.public = true
		return d
	}
	u.Reject(name, fmt.Sprintf("not a duration of zero or more, with its unit: write for example %s=250ms, %[1]s=1m30s or %[1]s=7d", name))
	return def
}

// Level returns the value of a parameter that is a level, as [ParseLevel]
// reads it, or def if it was not given or is something else. The plus sign
// need not be percent-encoded.
func (u *URI) Level(name string, def slog.Level) slog.Level {
	p := u.ask(name, KindLevel, strings.ToLower(def.String()))
	if p == nil {
		return def
	}
	l, err := ParseLevel(strings.ReplaceAll(p.value, " ", "+"))
	if err != nil {
		u.Reject(name, err.Error())
		return def
	}
	p.public = true
	return l
}

// ParseLevel parses a level as [slog.Level.UnmarshalText] does ("debug",
// "INFO+2"), and also "warning". The error does not repeat s.
func ParseLevel(s string) (slog.Level, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if rest, ok := strings.CutPrefix(s, "warning"); ok {
		s = "warn" + rest
	}
	var l slog.Level
	if l.UnmarshalText([]byte(s)) != nil {
		return 0, errors.New("not a level: write debug, info, warn or error, or with an offset, as in info+2")
	}
	return l, nil
}

// Enum returns the value of a parameter that is one of the allowed words, as
// it is spelt in allowed, whatever the case it was written in. It returns def
// if the parameter was not given or is something else.
func (u *URI) Enum(name, def string, allowed ...string) string {
	p := u.ask(name, KindEnum, def, allowed...)
	if p == nil {
		return def
	}
	i := slices.IndexFunc(allowed, func(word string) bool { return strings.EqualFold(word, p.value) })
	if i >= 0 {
		p.public = true
		return allowed[i]
	}
	u.Reject(name, "not one of "+strings.Join(allowed, ", "))
	return def
}

// List returns the value of a parameter that is a list with commas between the
// elements, or def if it was not given. Blanks around elements are dropped, as
// are empty elements. A comma that belongs to an element is written %2C.
func (u *URI) List(name string, def ...string) []string {
	p := u.ask(name, KindList, strings.Join(def, ","))
	if p == nil {
		return def
	}
	return p.elements()
}

// A Pair is one element of a parameter such as labels=app=shop,env=prod.
type Pair struct{ Key, Value string }

// Pairs returns the value of a parameter that is a list of key=value, in the
// order they were written, or nil if it was not given or is something else.
// Commas are as for [URI.List]. A value may contain "=" and may be empty. A key
// must not be empty, nor be there twice.
func (u *URI) Pairs(name string) []Pair {
	p := u.ask(name, KindPairs, "")
	if p == nil {
		return nil
	}
	var pairs []Pair
	for _, element := range p.elements() {
		key, value, found := strings.Cut(element, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !found || key == "" {
			u.Reject(name, fmt.Sprintf("not a list of key=value: write for example %s=key=value,other=value", name))
			return nil
		}
		if slices.ContainsFunc(pairs, func(other Pair) bool { return other.Key == key }) {
			u.Reject(name, "a key is there twice")
			return nil
		}
		pairs = append(pairs, Pair{key, value})
	}
	return pairs
}

// elements splits the value at the commas that were not percent-encoded.
func (p *param) elements() []string {
	var list []string
	for raw := range strings.SplitSeq(p.rawValue, ",") {
		element, err := url.QueryUnescape(raw) // the whole was decoded by Parse, so no error
		if element = strings.TrimSpace(element); err == nil && element != "" {
			list = append(list, element)
		}
	}
	return list
}
