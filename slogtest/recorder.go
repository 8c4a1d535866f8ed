package slogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/fapilog/fapilog/sinks"
)

// A Recorder is a sink that keeps what it gets, for tests of programs that
// log. The zero value is ready to use. Its methods may be called from several
// goroutines at once.
type Recorder struct {
	mu    sync.Mutex
	lines [][]byte      // guarded by mu
	ids   []sinks.ID    // guarded by mu
	more  chan struct{} // closed by the next Write; nil if nobody waits; guarded by mu
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
	if r.more != nil {
		close(r.more)
		r.more = nil
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

// Await waits until there are n records, or ctx has ended, and returns all that
// there are, as Records does, and the error of ctx.
func (r *Recorder) Await(ctx context.Context, n int) ([]map[string]any, error) {
	for {
		r.mu.Lock()
		got := len(r.lines)
		if r.more == nil {
			r.more = make(chan struct{})
		}
		more := r.more
		r.mu.Unlock()
		if got >= n {
			return r.Records()
		}
		select {
		case <-more:
		case <-ctx.Done():
			records, err := r.Records()
			return records, errors.Join(fmt.Errorf("slogtest: await record %d: %d were written: %w", n, got, ctx.Err()), err)
		}
	}
}

// Lookup returns the value with the given key in a record, as [Recorder.Records]
// and the Parse functions return them. The key of an attribute in a group is the
// group's name, a dot, and the key: "http.status", as for [sinks.Event.Lookup].
// Groups are found, too.
func Lookup(record map[string]any, key string) (value any, ok bool) {
	if value, ok = record[key]; ok {
		return value, true
	}
	for i := range len(key) {
		if key[i] != '.' {
			continue
		}
		if group, is := record[key[:i]].(map[string]any); is {
			if value, ok = Lookup(group, key[i+1:]); ok {
				return value, true
			}
		}
	}
	return nil, false
}
