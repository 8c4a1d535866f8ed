package slogtest

import (
	"context"

	"github.com/fapilog/fapilog/sinks"
)

// Failing returns a sink that fails: each Write returns err, with whatever
// verdict that has ([sinks.Permanent] and the like). Failing(nil) takes
// everything and keeps nothing.
func Failing(err error) sinks.Sink { return failing{err} }

type failing struct{ err error }

func (s failing) Write(context.Context, []sinks.Event) error { return s.err }
