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
	s := newSuite(open)
	s.patience, s.soon, s.hanging, s.linger = 2*time.Second, time.Second, 10*time.Millisecond, 500*time.Millisecond
	for _, r := range rules {
		if r.name == name {
			return s.check(t, r)
		}
	}
	panic("no rule " + name)
}

// CheckURI is Check for the rules of TestURI.
func CheckURI(name string, r *registry.Registry, uri string, malformed ...string) []error {
	s := &uriSuite{registry: r, text: uri, malformed: malformed, patience: 30 * time.Second}
	for _, r := range uriRules {
		if r.name == name {
			return report(r.name, r.sentence, r.check(s))
		}
	}
	panic("no rule " + name)
}
