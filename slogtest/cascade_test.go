package slogtest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/slogtest"
)

// What hangs in one call, or never delivers, would do so in every rule. It is
// said once, by the rule that is about it, and not waited for again.
func TestOneFaultIsSaidOnce(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	hang := func() { <-released }
	for name, test := range map[string]struct {
		hooks hooks
		rule  string
		says  string
		why   string // the rest is not checked
	}{
		"Close hangs": {
			hooks: hooks{close: func(*memory) error { hang(); return nil }},
			rule:  "close",
			says:  "Close of a sink that was not written to: Close has not returned within",
			why:   `Close hung, see rule "close"`,
		},
		"Probe hangs": {
			hooks: hooks{probe: func(*memory) error { hang(); return nil }},
			rule:  "probe",
			says:  "time 1: Probe has not returned within",
			why:   `Probe hung, see rule "probe"`,
		},
		"every Write fails": {
			hooks: hooks{write: func(*memory, context.Context, []sinks.Event) error { return errors.New("memory: never") }},
			rule:  "once",
			says:  `not even a single record arrives: "single 1": not delivered after`,
			why:   `not even a single record arrives, see rule "once"`,
		},
		"nothing arrives": {
			hooks: hooks{write: func(*memory, context.Context, []sinks.Event) error { return nil }},
			rule:  "once",
			says:  `not even a single record arrives: "single 1" arrived 0 times`,
			why:   `not even a single record arrives, see rule "once"`,
		},
		"an item too many": {
			hooks: hooks{write: func(_ *memory, _ context.Context, batch []sinks.Event) error {
				return &sinks.BatchError{Items: map[int]error{len(batch): errRefused}}
			}},
			rule: "once",
			says: "not even a single record arrives: Write returned a BatchError with an item 1 for a batch of 1 records",
			why:  `not even a single record arrives, see rule "once"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken, notChecked := slogtest.CheckAll(t, of(test.hooks))
			require.NotEmpty(t, broken[test.rule])
			require.ErrorContains(t, broken[test.rule][0], test.says)
			names, _ := slogtest.Rules()
			after := false
			for _, name := range names {
				if name == "unknown-parameter" {
					break
				}
				if after {
					require.Equal(t, test.why, notChecked[name], "rule %q", name)
				}
				after = after || name == test.rule
			}
		})
	}
}

// A Write that hangs when its context has ended is not called like this again,
// and the sink is not closed while it hangs.
func TestHangingWriteIsNotRepeated(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	var mu sync.Mutex
	hangs, closedInWrite := 0, false
	broken, notChecked := slogtest.CheckAll(t, func(*testing.T) slogtest.Subject {
		inWrite := false
		m := newMemory(hooks{
			faults: []string{"down", "hangs"},
			write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
				if m.is("hangs") {
					mu.Lock()
					hangs++
					inWrite = true
					mu.Unlock()
					<-released
				}
				return m.deliver(ctx, batch)
			},
			close: func(*memory) error {
				mu.Lock()
				defer mu.Unlock()
				closedInWrite = closedInWrite || inWrite
				return nil
			},
		})
		return m.subject(m)
	})
	require.Len(t, broken, 1, "%v", broken)
	require.ErrorContains(t, broken["context"][0], `fault "hangs": Write with a context that has ended has not returned within 1s`)
	require.Equal(t, `Write with a context that has ended during fault "hangs" hung, see rule "context"`, notChecked["verdicts"])
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, hangs)
	require.False(t, closedInWrite)
}

// A Probe that is broken does not take what else is right along.
func TestBrokenProbeIsSaidOnce(t *testing.T) {
	t.Parallel()
	broken, _ := slogtest.CheckAll(t, of(hooks{probe: func(*memory) error { return errors.New("memory: no") }}))
	require.Len(t, broken, 1, "%v", broken)
	require.ErrorContains(t, broken["probe"][0], "time 1: memory: no")
}

// What is unusual and right is not to be blamed.
func TestUnusualSinks(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) slogtest.Subject{
		"a BatchError for nothing": of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if err := m.deliver(ctx, batch); err != nil {
				return err
			}
			return &sinks.BatchError{}
		}}),
		"times to the millisecond": of(hooks{line: func(e sinks.Event) []byte {
			return []byte(strings.Replace(string(e.JSON()), ".123456789", ".123", 1))
		}}),
		"every other record comes back": of(failing("half full", func(m *memory, batch []sinks.Event) error {
			items := make(map[int]error)
			for i := range batch {
				if i%2 == 0 {
					items[i] = sinks.Hold(errors.New("memory: half full"))
				} else {
					m.store(batch[i : i+1])
				}
			}
			if len(batch) == 1 {
				items[0] = sinks.Hold(errors.New("memory: half full"))
			}
			return &sinks.BatchError{Items: items}
		})),
		"a long wait": busyFor(time.Minute, 58*time.Second),
		"no wait":     busyFor(time.Second, 0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken, _ := slogtest.CheckAll(t, open)
			require.Empty(t, broken)
		})
	}
}
