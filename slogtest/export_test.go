package slogtest

import (
	"testing"
	"time"

	"github.com/fapilog/fapilog/registry"
)

// Rules returns the names and the sentences of the rules, in order, those of
// sinks first.
func Rules() (names, sentences []string) {
	for _, r := range rules {
		names, sentences = append(names, r.name), append(sentences, r.sentence)
	}
	for _, r := range uriRules {
		names, sentences = append(names, r.name), append(sentences, r.sentence)
	}
	return names, sentences
}

// Check checks one rule, and has less patience than TestSink, which makes a
// difference to broken sinks only. It returns what is broken, or why nothing
// could be checked.
func Check(t *testing.T, name string, open func(*testing.T) Subject) (broken []error, notChecked string) {
	s := impatient(open)
	for _, r := range rules {
		if r.name == name {
			return s.check(t, r)
		}
	}
	panic("no rule " + name)
}

// CheckAll checks all rules as TestSink does, with the patience of Check. It
// returns what is broken, and why what could not be checked, by rules.
func CheckAll(t *testing.T, open func(*testing.T) Subject) (broken map[string][]error, notChecked map[string]string) {
	s := impatient(open)
	broken, notChecked = make(map[string][]error), make(map[string]string)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if errs, why := s.check(t, r); len(errs) > 0 {
				broken[r.name] = errs
			} else if why != "" {
				notChecked[r.name] = why
			}
		})
	}
	return broken, notChecked
}

func impatient(open func(*testing.T) Subject) *suite {
	s := newSuite(open)
	s.limit, s.soon, s.hanging = time.Second, time.Second, 10*time.Millisecond
	s.patience, s.retrying, s.linger = 2*time.Second, 300*time.Millisecond, 500*time.Millisecond
	return s
}

// CheckURI is Check for the rules of TestURI.
func CheckURI(name string, r *registry.Registry, uri string, malformed ...string) []error {
	s := newURISuite(r, uri, malformed)
	for _, r := range uriRules {
		if r.name == name {
			broken, _ := report(r.name, r.sentence, r.check(s))
			return broken
		}
	}
	panic("no rule " + name)
}

// CheckURICall returns what is wrong with how TestURI is called.
func CheckURICall(r *registry.Registry, uri string, malformed ...string) error {
	return newURISuite(r, uri, malformed).check()
}

// CheckSubject returns what is wrong with a subject.
func CheckSubject(s Subject) error { return s.check() }
