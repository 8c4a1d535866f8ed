package slogtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// checkSecrets makes the sink say all kinds of things, and looks at these and
// at all that it has said to the other rules.
func checkSecrets(r *run) error {
	s := r.subject(r.t)
	if len(s.Secrets) == 0 {
		return notApplicable("Subject.Secrets is empty")
	}
	r.provoke(s)
	if _, err := r.eachFault(func(s *opened, f Fault) error {
		defer f.begin(r)()
		r.provoke(s)
		return nil
	}); err != nil {
		return err
	}
	var errs []error
	told := make(map[string]bool)
	for _, err := range r.said.all() {
		for _, secret := range s.Secrets {
			if how := shows(err, secret); how != "" && !told[how+secret] {
				told[how+secret] = true
				errs = append(errs, fmt.Errorf("%q is in %s", secret, how))
			}
		}
	}
	return errors.Join(errs...)
}

// provoke calls everything in a way that may fail. What comes of it is not for
// this rule to judge.
func (r *run) provoke(s *opened) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	short, cancel := context.WithTimeout(context.Background(), s.hanging)
	defer cancel()
	b := newBatch(append(records(numbered("secrets", 2)...), s.Refused...))
	for _, ctx := range []context.Context{short, ended} {
		_ = within(s.soon, "Probe", func() error { return s.sink.Probe(ctx) })
		_ = within(s.soon, "Write", func() error { return s.sink.Write(ctx, b.events) })
	}
	_ = s.close()
	_ = within(s.soon, "Write", func() error { return s.sink.Write(ended, b.events) })
}

// shows says in which way err, or an error that it wraps, shows a secret, or "".
func shows(err error, secret string) string {
	if err == nil {
		return ""
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if strings.Contains(fmt.Sprintf(verb, err), secret) {
			return fmt.Sprintf("an error of type %T printed with %s", err, verb)
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return shows(e.Unwrap(), secret)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if how := shows(err, secret); how != "" {
				return how
			}
		}
	}
	return ""
}
