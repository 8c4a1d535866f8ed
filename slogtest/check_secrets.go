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
	_, err := r.eachFault(func(s *opened, f Fault) error {
		defer s.begin(r.t, f)()
		r.provoke(s)
		return nil
	})
	errs := []error{err} // what was said until then is looked at all the same
	told := make(map[string]bool)
	for _, said := range r.said.list() {
		for _, secret := range s.Secrets {
			if how := shows(said.err, secret); how != "" && !told[said.kind+how+secret] {
				told[said.kind+how+secret] = true
				errs = append(errs, fmt.Errorf("%q is in %s of %s (%s)", secret, said.kind, how, said.where))
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
	b := newBatch(append(records(numbered("secrets", 2)...), s.Refused...))
	for _, last := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(context.Background(), s.hanging)
		if last {
			ctx = ended
		}
		_, _ = s.soonOf("Probe", func() error { return s.sink.Probe(ctx) })
		_, _ = s.soonOf("Write", func() error { return s.sink.Write(ctx, b.events) })
		cancel()
	}
	if s.close() == nil && !s.hung {
		_, _ = s.soonOf("Write", func() error { return s.sink.Write(ended, b.events) })
	}
}

// shows says which error, err or one that it wraps, shows a secret and in which
// way, or "".
func shows(err error, secret string) string {
	if err == nil {
		return ""
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if strings.Contains(fmt.Sprintf(verb, err), secret) {
			return fmt.Sprintf("type %T printed with %s", err, verb)
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
