package slogtest

import (
	"context"
	"sync"

	"github.com/fapilog/fapilog/sinks"
)

// Flaky returns a sink that follows a script: the first Write returns the first
// error, the second Write the second, and so on, and their batches do not get to
// next. Where the script has nil, and when it is at its end, Write is that of
// next.
//
// What else next can do ([sinks.Prober], [sinks.GapMarker], [sinks.Batcher],
// [io.Closer]) the sink does as well. Its methods may be called from several
// goroutines at once if those of next may.
func Flaky(next sinks.Sink, script ...error) sinks.Sink {
	return &flaky{through: through{next}, script: script}
}

type flaky struct {
	through
	mu     sync.Mutex
	script []error // what is left of it; guarded by mu
}

func (s *flaky) Write(ctx context.Context, batch []sinks.Event) error {
	if err := s.step(); err != nil {
		return err
	}
	return s.through.Write(ctx, batch)
}

// step returns the next error of the script.
func (s *flaky) step() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.script) > 0 {
		err, s.script = s.script[0], s.script[1:]
	}
	return err
}
