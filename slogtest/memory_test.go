package slogtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/slogtest"
)

// secretToken is the secret of the memory.
const secretToken = "t0ken-of-the-memory"

// A memory is a sink that does everything right, and its destination. Hooks
// break it.
type memory struct {
	mu     sync.Mutex
	lines  [][]byte
	ids    map[sinks.ID]bool
	fault  string
	ended  chan struct{} // closed when the fault has ended
	closed bool

	hooks
}

// hooks are what can be broken. Those that are nil are right.
type hooks struct {
	write   func(m *memory, ctx context.Context, batch []sinks.Event) error // the whole Write; may call m.deliver
	line    func(e sinks.Event) []byte                                      // what is stored
	refuse  func(m *memory, batch []sinks.Event) map[int]error
	fail    func(m *memory, ctx context.Context, fault string, batch []sinks.Event) (error, bool)
	probe   func(m *memory) error
	close   func(m *memory) error
	unkeyed bool // the ids are not looked at
	faults  []string
}

var faultsOfMemory = []string{"down", "busy", "too large", "refuses all", "full", "half full", "hangs", "answer lost"}

func newMemory(h hooks) *memory {
	if h.faults == nil {
		h.faults = faultsOfMemory
	}
	return &memory{ids: make(map[sinks.ID]bool), ended: make(chan struct{}), hooks: h}
}

// subject returns the subject that m is.
func (m *memory) subject(sink sinks.Sink) slogtest.Subject {
	s := slogtest.Subject{
		Sink:       sink,
		Records:    m.records,
		Refused:    []slog.Record{slog.NewRecord(time.Now(), slog.LevelInfo, "refuse me", 0)},
		Secrets:    []string{secretToken},
		Idempotent: true,
	}
	for _, name := range m.faults {
		s.Faults = append(s.Faults, slogtest.Fault{
			Name:  name,
			Begin: func() { m.set(name) },
			End:   func() { m.set("") },
			Want: map[string]slogtest.Verdict{
				"down": slogtest.Retry, "busy": slogtest.RetryAfter, "too large": slogtest.TooLarge,
				"refuses all": slogtest.Permanent, "full": slogtest.Hold, "half full": slogtest.Hold,
				"hangs": slogtest.Retry, "answer lost": slogtest.Retry,
			}[name],
			Hangs:    name == "hangs",
			Delivers: name == "answer lost",
		})
	}
	return s
}

func (m *memory) set(fault string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
	if fault == "" {
		close(m.ended)
		m.ended = make(chan struct{})
	}
}

// is says whether the fault is the given one.
func (m *memory) is(fault string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fault == fault
}

func (m *memory) records() ([]map[string]any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slogtest.ParseJSON(bytes.Join(m.lines, nil))
}

var errClosed = errors.New("memory: closed")

func (m *memory) Write(ctx context.Context, batch []sinks.Event) error {
	if m.hooks.write != nil {
		return m.hooks.write(m, ctx, batch)
	}
	return m.deliver(ctx, batch)
}

func (m *memory) deliver(ctx context.Context, batch []sinks.Event) error {
	m.mu.Lock()
	fault, ended, closed := m.fault, m.ended, m.closed
	m.mu.Unlock()
	switch {
	case closed:
		return errClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if m.fail != nil {
		if err, done := m.fail(m, ctx, fault, batch); done {
			return err
		}
	}
	failed := errors.New("memory: " + fault)
	switch fault {
	case "down":
		return failed
	case "busy":
		return sinks.RetryAfter(failed, time.Millisecond)
	case "too large":
		return sinks.TooLarge(failed)
	case "refuses all":
		return sinks.Permanent(failed)
	case "full":
		return sinks.Hold(failed)
	case "half full":
		items := make(map[int]error)
		for i := len(batch) / 2; i < len(batch); i++ {
			items[i] = sinks.Hold(failed)
		}
		m.store(batch[:len(batch)/2])
		return &sinks.BatchError{Items: items}
	case "hangs":
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
		}
	case "answer lost":
		m.store(batch)
		return failed
	}
	refuse := refuse
	if m.hooks.refuse != nil {
		refuse = m.hooks.refuse
	}
	items := refuse(m, batch)
	for i, e := range batch {
		if items[i] == nil {
			m.store([]sinks.Event{e})
		}
	}
	if len(items) > 0 {
		return &sinks.BatchError{Items: items}
	}
	return nil
}

var errRefused = sinks.Permanent(errors.New("memory: refused"))

func refuse(_ *memory, batch []sinks.Event) map[int]error {
	items := make(map[int]error)
	for i, e := range batch {
		if e.Message() == "refuse me" {
			items[i] = errRefused
		}
	}
	return items
}

// store keeps the records that it does not have yet.
func (m *memory) store(batch []sinks.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range batch {
		if m.ids[e.ID()] && !m.unkeyed {
			continue
		}
		m.ids[e.ID()] = true
		line := bytes.Clone(e.JSON())
		if m.line != nil {
			line = m.line(e)
		}
		m.lines = append(m.lines, line)
	}
}

func (m *memory) Probe(ctx context.Context) error {
	if m.hooks.probe != nil {
		return m.hooks.probe(m)
	}
	m.mu.Lock()
	fault, ended := m.fault, m.ended
	m.mu.Unlock()
	switch fault {
	case "":
		return nil
	case "hangs":
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return nil
		}
	default:
		return fmt.Errorf("memory: %s", fault)
	}
}

func (m *memory) Close() error {
	if m.hooks.close != nil {
		return m.hooks.close(m)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func TestMemory(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(*testing.T) slogtest.Subject {
		m := newMemory(hooks{})
		return m.subject(m)
	})
}

// messages returns the messages of a batch.
func messages(batch []sinks.Event) (list []string) {
	for _, e := range batch {
		list = append(list, e.Message())
	}
	return slices.Clip(list)
}

// record returns a record with a message.
func record(message string) slog.Record {
	return slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
}
