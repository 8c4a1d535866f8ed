package slogtest

import (
	"context"
	"sync"

	"github.com/fapilog/fapilog/sinks"
)

// A Hanging is a sink that hangs: Write ignores its context until Release is
// called, and then writes to the sink behind. The zero value is ready to use,
// with nothing behind it. A test that does not call Release leaks a goroutine.
//
// What else the sink behind can do ([sinks.Prober], [sinks.GapMarker],
// [sinks.Batcher], [io.Closer]) the Hanging does as well, without hanging. Its
// own methods may be called from several goroutines at once.
type Hanging struct {
	through
	once     sync.Once
	released chan struct{} // closed by Release
	hangs    chan struct{} // closed by the first Write
	hung     sync.Once
	release  sync.Once
}

var _ sinks.Sink = (*Hanging)(nil)

// NewHanging returns a sink that hangs before each Write to next.
func NewHanging(next sinks.Sink) *Hanging { return &Hanging{through: through{next}} }

func (s *Hanging) init() {
	s.once.Do(func() { s.released, s.hangs = make(chan struct{}), make(chan struct{}) })
}

// Write hangs until Release is called, then hands batch on.
func (s *Hanging) Write(ctx context.Context, batch []sinks.Event) error {
	s.init()
	s.hung.Do(func() { close(s.hangs) })
	<-s.released
	return s.through.Write(ctx, batch)
}

// Hangs returns a channel that is closed when a Write has been called.
func (s *Hanging) Hangs() <-chan struct{} {
	s.init()
	return s.hangs
}

// Release ends the hanging, for good. Further calls do nothing.
func (s *Hanging) Release() {
	s.init()
	s.release.Do(func() { close(s.released) })
}
