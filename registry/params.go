package registry

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// param is one parameter of the query.
type param struct {
	raw      string // name=value as it was written
	rawValue string
	name     string // percent-decoded, as the value
	value    string
	hasValue bool // there was a '='
	view     int  // the URI it is seen through
	public   bool // the value is a valid number, duration, word of a list: no secret
}

// parseQuery splits a query into its parameters. As in net/url, a plus sign is
// a blank, because that is what [url.Values.Encode] writes. Unlike there, a
// semicolon is just a character.
func parseQuery(query string) ([]param, error) {
	var params []param
	for piece := range strings.SplitSeq(query, "&") {
		if piece == "" {
			continue
		}
		p := param{raw: piece}
		var name string
		name, p.rawValue, p.hasValue = strings.Cut(piece, "=")
		var err1, err2 error
		p.name, err1 = url.QueryUnescape(name)
		p.value, err2 = url.QueryUnescape(p.rawValue)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("malformed percent-encoding in parameter %s: write %%25 for a percent sign", p.label(len(params)))
		}
		params = append(params, p)
	}
	return params, nil
}

// label returns the parameter's name, or where it stands (i counts from 0) if
// it does not look like a name but like something that got there by mistake.
// A token that ends in '=', as base64 does, is taken for a name without a
// value, so a name without a value is not shown.
func (p param) label(i int) string {
	if p.name != "" && len(p.name) <= 32 && strings.Trim(p.rawValue, "=") != "" && !strings.ContainsFunc(p.name, notInName) {
		return p.name
	}
	return fmt.Sprintf("number %d", i+1)
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
}

// A ParamError is one problem with one parameter of a URI. [URI.Check] joins
// them; [errors.As] finds the first.
type ParamError struct {
	URI    string // scheme://host
	Name   string // its name, or "number 2" if that is not shown
	Reason string // what is wrong, and what to write instead
}

// Error returns the problem in one line. It does not show the value: a
// parameter that is malformed may be a password that got into the wrong place.
func (e *ParamError) Error() string {
	return "registry: check " + e.URI + ": parameter " + e.Name + ": " + e.Reason
}

// Take returns a URI that has the parameters with the given names, and hides
// them from u: u's accessors do not find them, and u's [URI.Raw] is without
// them. They remain names that a misspelt parameter is compared with, their
// values remain secrets (see [URI.Redact]), and their problems are reported by
// the Check of both.
//
// This is how the fan-out takes the parameters that every sink has. A
// constructor that passes Raw on to a library takes its own parameters in the
// same way.
func (u *URI) Take(names ...string) *URI {
	st := u.state()
	st.views++
	taken := *u
	taken.view = st.views
	for i := range st.params {
		if p := &st.params[i]; p.view == u.view && slices.Contains(names, p.name) {
			p.view = taken.view
		}
	}
	for _, name := range names {
		st.know(name)
	}
	return &taken
}

// Rest returns the parameters that no accessor has asked for, and accepts them
// as they are, repeated ones as well: for destinations with parameters of
// their own. They are part of [URI.Raw].
func (u *URI) Rest() url.Values {
	st := u.state()
	values := url.Values{}
	for _, p := range st.params {
		if p.view == u.view && !slices.Contains(st.known, p.name) {
			values.Add(p.name, p.value)
		}
	}
	if st.rest == nil {
		st.rest = make(map[int]bool)
	}
	st.rest[u.view] = true
	return values
}

// Has reports whether the parameter was given, with whatever value.
func (u *URI) Has(name string) bool { return u.lookup(name) != nil }

// Reject records a problem with a parameter, for [URI.Check] to report: that
// it is missing, that it does not go with another one, that the library it is
// meant for refuses it. The reason is shown, so it must not repeat the value.
// Only the first problem of a parameter is kept.
func (u *URI) Reject(name, reason string) {
	st := u.state()
	st.know(name)
	if st.problems == nil {
		st.problems = make(map[string]string)
	}
	if _, ok := st.problems[name]; !ok {
		st.problems[name] = reason
	}
}

// Unknown sets what the error for an unknown parameter says besides: for a
// destination that has parameters of its own, how these are written.
func (u *URI) Unknown(hint string) { u.state().hint = hint }

// Check reports everything that is wrong with the parameters, joined with
// [errors.Join]: malformed and repeated ones, those passed to [URI.Reject], and
// unknown ones, which are those that no accessor was called for. So it is to be
// called when all parameters have been read. [Registry.Open] does so when the
// constructor has returned; a constructor calls it before it connects to
// anything or creates a file.
func (u *URI) Check() error { return u.check(true) }

func (u *URI) check(unknown bool) error {
	st := u.state()
	var errs []error
	report := func(name, reason string) {
		errs = append(errs, &ParamError{URI: u.String(), Name: name, Reason: reason})
	}
	seen := make(map[string]bool)
	for i, p := range st.params {
		known := slices.Contains(st.known, p.name)
		if seen[p.name] || (!known && (!unknown || st.rest[p.view])) {
			continue
		}
		seen[p.name] = true
		switch {
		case !known:
			reason := "unknown: " + suggest(p.name, st.known, "this sink has no parameters")
			if st.hint != "" {
				reason += "; " + st.hint
			}
			report(p.label(i), reason)
		case st.count(p.name) > 1:
			report(p.name, fmt.Sprintf("given %d times", st.count(p.name)))
		case !p.hasValue:
			report(p.name, fmt.Sprintf("has no value: write %s=value", p.name))
		case st.problems[p.name] != "":
			report(p.name, st.problems[p.name])
		}
	}
	// What is left was rejected without having been given.
	for _, name := range st.known {
		if reason := st.problems[name]; reason != "" && !seen[name] {
			report(name, reason)
		}
	}
	err := errors.Join(errs...)
	if unknown && err != nil {
		st.reported = err
	}
	return err
}

// lookup returns the parameter with the given name, or nil, and remembers that
// it was asked for. Of a repeated one it is the first.
func (u *URI) lookup(name string) *param {
	st := u.state()
	st.know(name)
	for i := range st.params {
		if p := &st.params[i]; p.view == u.view && p.name == name {
			return p
		}
	}
	return nil
}

func (st *state) know(name string) {
	if !slices.Contains(st.known, name) {
		st.known = append(st.known, name)
	}
}

func (st *state) count(name string) int {
	n := 0
	for _, p := range st.params {
		if p.name == name {
			n++
		}
	}
	return n
}
