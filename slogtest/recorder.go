package slogtest

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/fapilog/fapilog/sinks"
)

// A Recorder is a sink that keeps what it gets, for tests of programs that
// log. The zero value is ready to use. Its methods may be called from several
// goroutines at once.
type Recorder struct {
	mu    sync.Mutex
	lines [][]byte   // guarded by mu
	ids   []sinks.ID // guarded by mu
}

var _ sinks.Sink = (*Recorder)(nil)

// Write keeps the records of batch.
func (r *Recorder) Write(_ context.Context, batch []sinks.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range batch {
		r.lines = append(r.lines, bytes.Clone(e.JSON()))
		r.ids = append(r.ids, e.ID())
	}
	return nil
}

// Lines returns the records as [sinks.Event.JSON] prints them, in order.
func (r *Recorder) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := make([]string, len(r.lines))
	for i, line := range r.lines {
		lines[i] = string(line)
	}
	return lines
}

// IDs returns the IDs of the records, in order.
func (r *Recorder) IDs() []sinks.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

// Records returns the records as maps, in order, as [ParseJSON] does: numbers
// are of type json.Number. It makes a recorder a [Subject].
func (r *Recorder) Records() ([]map[string]any, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ParseJSON(bytes.Join(r.lines, nil))
}
