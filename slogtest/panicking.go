package slogtest

import (
	"context"

	"github.com/fapilog/fapilog/sinks"
)

// Panicking returns a sink that panics with value: each Write does.
func Panicking(value any) sinks.Sink { return panicking{value} }

type panicking struct{ value any }

func (s panicking) Write(context.Context, []sinks.Event) error { panic(s.value) }
