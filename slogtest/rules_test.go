package slogtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/slogtest"
)

// A broken is a sink that breaks a rule.
type broken struct {
	name string
	rule string
	says string   // what follows the sentence of the rule
	also []string // other rules that it cannot but break, with the reason in a comment
	open func(t *testing.T) slogtest.Subject
}

// of opens a memory with hooks.
func of(h hooks) func(*testing.T) slogtest.Subject {
	return func(*testing.T) slogtest.Subject {
		m := newMemory(h)
		return m.subject(m)
	}
}

// fresh is of for hooks that have a state.
func fresh(h func() hooks) func(*testing.T) slogtest.Subject {
	return func(t *testing.T) slogtest.Subject { return of(h())(t) }
}

// large is the size of a batch that the rules "order" and "once" alone write.
const large = 50

// about says whether a batch is that of the rule whose messages begin with what.
func about(batch []sinks.Event, what string) bool { return strings.HasPrefix(batch[0].Message(), what) }

var brokenSinks = []broken{
	{
		name: "prints a time where there is none",
		rule: "slog",
		says: `a Handler should ignore a zero Record.Time`,
		open: of(hooks{line: func(e sinks.Event) []byte {
			if e.Time().IsZero() {
				return append([]byte(`{"time":"0001-01-01T00:00:00Z",`), e.JSON()[1:]...)
			}
			return bytes.Clone(e.JSON())
		}}),
	},
	{
		name: "swaps records",
		rule: "order",
		says: "arrived after record",
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if len(batch) >= large {
				batch = slices.Clone(batch)
				slices.Reverse(batch)
			}
			return m.deliver(ctx, batch)
		}}),
	},
	{
		name: "delivers twice",
		rule: "once",
		says: "arrived 2 times",
		open: of(hooks{unkeyed: true, faults: []string{"down"}, write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			err := m.deliver(ctx, batch)
			if len(batch) >= large {
				m.store(batch[len(batch)-1:])
			}
			return err
		}}),
		also: []string{"idempotent"}, // delivering twice at once needs a destination that takes it
	},
	{
		name: "loses a record",
		rule: "once",
		says: "arrived 0 times",
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if len(batch) >= large {
				batch = batch[1:]
			}
			return m.deliver(ctx, batch)
		}}),
	},
	{
		name: "sends what fits into a request",
		rule: "once",
		says: `with a batch of 1024 records: "one of many 501" arrived 0 times`,
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			return m.deliver(ctx, batch[:min(len(batch), 500)])
		}}),
	},
	{
		name: "sends what a request is configured for",
		rule: "once",
		says: `with a batch of 2000 records: "one of many 1025" arrived 0 times`,
		open: func(*testing.T) slogtest.Subject {
			m := newMemory(hooks{})
			s := m.subject(m)
			s.Sink = atMost{m, 1024}
			return s
		},
	},
	{
		name: "claims that it failed",
		rule: "once",
		says: "the account has",
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if err := m.deliver(ctx, batch); err != nil || len(batch) < large || !about(batch, "record") {
				return err
			}
			return &sinks.BatchError{Items: map[int]error{0: errRefused}}
		}}),
	},
	{
		name: "rounds numbers",
		rule: "whole",
		says: `the attribute "lowest", which is Int64, is "-9223372036854776000" instead of -9223372036854775808`,
		open: of(hooks{line: func(e sinks.Event) []byte { return changed(e, func(map[string]any) {}) }}),
	},
	{
		name: "forgets what is in a group",
		rule: "whole",
		says: `the attribute "group.inner.number" is missing`,
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.Replace(e.JSON(), []byte(`"inner":{"number":1,`), []byte(`"inner":{`), 1)
		}}),
	},
	{
		name: "flattens lines",
		rule: "whole",
		says: `a message is "INFO+1, \"quoted\", and in two lines" instead of "INFO+1, \"quoted\",\nand in two lines"`,
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.ReplaceAll(e.JSON(), []byte(`\nand in two`), []byte(` and in two`))
		}}),
	},
	{
		name: "trims messages",
		rule: "whole",
		says: `a message of 4810 bytes arrived with 4805 bytes: "a long message`,
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.Replace(e.JSON(), []byte(`"msg":" \t\n  a`), []byte(`"msg":"a`), 1)
		}}),
	},
	{
		name: "cuts times",
		rule: "whole",
		says: `is "2026-02-03T04:05:06Z" instead of "2026-02-03T04:05:06.123456789Z", as RFC 3339 has it, or a time.Time`,
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.ReplaceAll(e.JSON(), []byte(`.123456789Z`), []byte(`Z`))
		}}),
	},
	{
		name: "prints times in its own way",
		rule: "whole",
		says: `the attribute "utc", which is Time, is "2026-02-03 04:05:06.123456789 +0000 UTC" instead of "2026-02-03T04:05:06.123456789Z", as RFC 3339 has it`,
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.Replace(e.JSON(), []byte(`"utc":"2026-02-03T04:05:06.123456789Z"`), []byte(`"utc":"2026-02-03 04:05:06.123456789 +0000 UTC"`), 1)
		}}),
	},
	{
		name: "prints groups as text",
		rule: "whole",
		says: `the group "group.inner.innermost" is "[yes=true empty=]" instead of a map[string]any with [yes=true empty=]`,
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.Replace(e.JSON(), []byte(`"innermost":{"yes":true,"empty":""}`), []byte(`"innermost":"[yes=true empty=]"`), 1)
		}}),
	},
	{
		name: "tries for ever",
		rule: "hostile",
		says: `the record "NUL" alone: "a\x00b": not delivered after`,
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if slices.ContainsFunc(batch, func(e sinks.Event) bool { return strings.Contains(e.Message(), "\x00") }) {
				return errors.New("memory: NUL")
			}
			return m.deliver(ctx, batch)
		}}),
	},
	{
		name: "prints NUL as it is",
		rule: "hostile",
		says: "what has arrived cannot be read back: ",
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.ReplaceAll(e.JSON(), []byte(`\u0000`), []byte{0})
		}}),
	},
	{
		name: "tears lines",
		rule: "hostile",
		says: "what has arrived cannot be read back: ",
		open: of(hooks{line: func(e sinks.Event) []byte {
			return bytes.ReplaceAll(e.JSON(), []byte(`\"msg\":\"fake\"}\n`), []byte("\n"))
		}}),
	},
	{
		name: "refuses a record and its neighbour",
		rule: "hostile",
		says: "neighbour 0 arrived 0 times",
		open: of(hooks{refuse: func(m *memory, batch []sinks.Event) map[int]error {
			items := refuse(m, batch)
			for i, e := range batch {
				if strings.Contains(e.Message(), "\x00") {
					items[i], items[max(i-1, 0)] = errRefused, errRefused
				}
			}
			return items
		}}),
	},
	{
		name: "swallows empty messages",
		rule: "hostile",
		says: "the account has",
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			return m.deliver(ctx, slices.DeleteFunc(slices.Clone(batch), func(e sinks.Event) bool { return e.Message() == "" }))
		}}),
	},
	{
		name: "takes what is to be refused",
		rule: "refused",
		says: `Refused[0] "refuse me" is delivered instead of refused`,
		open: of(hooks{refuse: func(*memory, []sinks.Event) map[int]error { return nil }}),
	},
	{
		name: "refuses the neighbours",
		rule: "refused",
		says: `Refused[0] "refuse me" among others: "before 1" arrived 0 times`,
		open: of(hooks{refuse: func(m *memory, batch []sinks.Event) map[int]error {
			items := refuse(m, batch)
			if len(items) > 0 {
				for i := range batch {
					items[i] = errRefused
				}
			}
			return items
		}}),
	},
	{
		name: "takes a full disk for an outage",
		rule: "verdicts",
		says: `fault "full": Write returned the verdict "retry" instead of "hold": memory: full`,
		open: of(failing("full", func(m *memory, _ []sinks.Event) error { return errors.New("memory: full") })),
	},
	{
		name: "claims success",
		rule: "verdicts",
		says: `fault "down": Write returned no error instead of the verdict "retry"; not arrived: "verdicts 1", "verdicts 2", "verdicts 3" and 2 more`,
		open: of(failing("down", func(*memory, []sinks.Event) error { return nil })),
	},
	{
		name: "claims too much",
		rule: "verdicts",
		says: `fault "half full": "verdicts 1" arrived 0 times`,
		open: of(failing("half full", func(_ *memory, batch []sinks.Event) error {
			return &sinks.BatchError{Items: map[int]error{len(batch) - 1: sinks.Hold(errors.New("memory: full"))}}
		})),
	},
	{
		name: "claims too little",
		rule: "verdicts",
		says: `fault "down": "verdicts 1" arrived, which was not to`,
		open: of(failing("down", func(m *memory, batch []sinks.Event) error {
			m.store(batch)
			return errors.New("memory: down")
		})),
	},
	{
		name: "loses what was held",
		rule: "verdicts",
		says: `fault "full": "during 1" arrived 0 times`,
		open: of(failing("full", func(m *memory, batch []sinks.Event) error {
			if about(batch, "during") {
				m.mu.Lock()
				defer m.mu.Unlock()
				for _, e := range batch {
					m.ids[e.ID()] = true
				}
			}
			return sinks.Hold(errors.New("memory: full"))
		})),
	},
	{
		name: "rejects what was busy",
		rule: "verdicts",
		says: `fault "busy": "during 1" arrived 0 times`,
		open: of(failing("busy", func(_ *memory, batch []sinks.Event) error {
			if about(batch, "during") {
				return sinks.Permanent(errors.New("memory: busy"))
			}
			return sinks.RetryAfter(errors.New("memory: busy"), time.Millisecond)
		})),
	},
	{
		name: "takes in secret what it refuses",
		rule: "verdicts",
		says: `fault "refuses all": the account has`,
		open: of(failing("refuses all", func(m *memory, batch []sinks.Event) error {
			if about(batch, "during") {
				m.store(batch)
			}
			return sinks.Permanent(errors.New("memory: refused"))
		})),
	},
	{
		name: "has an item too many",
		rule: "verdicts",
		says: `fault "half full": Write returned a BatchError with an item 5 for a batch of 5 records`,
		open: of(failing("half full", func(_ *memory, batch []sinks.Event) error {
			return &sinks.BatchError{Items: map[int]error{len(batch): sinks.Hold(errors.New("memory: full"))}}
		})),
	},
	{
		name: "comes back after hours",
		rule: "verdicts",
		says: `fault "busy": Write wants to be called again after 1h0m0s: Fault.After does not say that the destination does`,
		open: of(failing("busy", func(*memory, []sinks.Event) error {
			return sinks.RetryAfter(errors.New("memory: busy"), time.Hour)
		})),
	},
	{
		name: "comes back too early",
		rule: "verdicts",
		says: `fault "busy": Write wants to be called again after 30ms, when the destination says 30s`,
		open: busyFor(30*time.Second, 30*time.Millisecond),
	},
	{
		name: "remembers a batch by its first record",
		rule: "verdicts",
		says: `fault "too large": the batch in two parts, after the fault: "verdicts 3" arrived 2 times`,
		open: fresh(remembering),
	},
	{
		name: "panics while the destination is down",
		rule: "verdicts",
		says: `fault "down": Write panicked: memory: down`,
		open: of(failing("down", func(_ *memory, batch []sinks.Event) error {
			if about(batch, "verdicts") {
				panic("memory: down")
			}
			return errors.New("memory: down")
		})),
	},
	{
		name: "is not affected by its fault",
		rule: "verdicts",
		says: `fault "down": Write returned no error instead of the verdict "retry": Begin has had no effect, all records have arrived`,
		open: withFault("down", func(f *slogtest.Fault) { f.Begin = func() {} }),
	},
	{
		name: "does not say that it hangs",
		rule: "verdicts",
		says: `if the destination does not answer while this fault lasts, set Fault.Hangs`,
		open: withFault("hangs", func(f *slogtest.Fault) { f.Hangs = false }),
		also: []string{"not-retained"}, // it waits, too, if "verdicts" has not said so
	},
	{
		name: "says that it hangs",
		rule: "context",
		says: `fault "down": Write returned before its context ended, although Fault.Hangs is set: memory: down`,
		open: withFault("down", func(f *slogtest.Fault) { f.Hangs = true }),
	},
	{
		name: "knows one log",
		rule: "idempotent",
		says: `with two logs, which have the same sequence numbers: "of another log 1" arrived 0 times`,
		open: fresh(func() hooks {
			seen := make(map[uint64]bool)
			return hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
				if !about(batch, "idempotent") && !about(batch, "of another log") {
					return m.deliver(ctx, batch)
				}
				batch = slices.DeleteFunc(slices.Clone(batch), func(e sinks.Event) bool {
					was := seen[e.ID().Seq]
					seen[e.ID().Seq] = true
					return was
				})
				return m.deliver(ctx, batch)
			}}
		}),
	},
	{
		name: "knows no keys",
		rule: "idempotent",
		says: `"idempotent 1" arrived 3 times`,
		open: of(hooks{unkeyed: true, faults: []string{"down", "full"}}),
	},
	{
		name: "claims to have delivered",
		rule: "context",
		says: "Write with a context that has ended delivered 0 records, and claimed 3",
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if ctx.Err() != nil {
				return nil
			}
			return m.deliver(ctx, batch)
		}}),
	},
	{
		name: "blames the records",
		rule: "context",
		says: `Write with a context that has ended returned the verdict "permanent"`,
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if ctx.Err() != nil {
				return sinks.Permanent(ctx.Err())
			}
			return m.deliver(ctx, batch)
		}}),
	},
	{
		name: "does not heed its context",
		rule: "context",
		says: `fault "hangs": Write with a context that has ended has not returned within 1s`,
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if ctx.Err() == nil {
				ctx = context.WithoutCancel(ctx)
			}
			return m.deliver(ctx, batch)
		}}),
		also: []string{"verdicts"}, // there is none
	},
	{
		name: "probes for ever",
		rule: "context",
		says: `fault "hangs": Probe with a context that has ended has not returned within 1s`,
		open: of(hooks{probe: func(m *memory) error {
			m.mu.Lock()
			fault, ended := m.fault, m.ended
			m.mu.Unlock()
			if fault == "hangs" {
				<-ended
			}
			return nil
		}}),
	},
	{
		name: "claims what hangs",
		rule: "context",
		says: `fault "hangs": Write returned nil`,
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			ended := ctx.Err() != nil
			if err := m.deliver(ctx, batch); ended || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}}),
		also: []string{"verdicts"}, // it is the wrong one
	},
	{
		name: "tires of probes",
		rule: "probe",
		says: "time 4: memory: too many probes",
		open: func(*testing.T) slogtest.Subject {
			probes := 0
			m := newMemory(hooks{probe: func(m *memory) error {
				if probes++; probes > 3 {
					return errors.New("memory: too many probes")
				}
				return nil
			}, faults: []string{"down"}})
			return m.subject(m)
		},
	},
	{
		name: "writes to probe",
		rule: "probe",
		says: `"probe" arrived, which was not to`,
		open: func(*testing.T) slogtest.Subject {
			probes := 0
			m := newMemory(hooks{probe: func(m *memory) error {
				if probes++; probes > 3 {
					m.lines = append(m.lines, []byte("{\"msg\":\"probe\"}\n"))
				}
				return nil
			}, faults: []string{"down"}})
			return m.subject(m)
		},
	},
	{
		name: "fails to close again",
		rule: "close",
		says: "Close once more: memory: closed",
		open: of(hooks{close: func(m *memory) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.closed {
				return errClosed
			}
			m.closed = true
			return nil
		}}),
	},
	{
		name: "panics after Close",
		rule: "close",
		says: "after Close: Write panicked: memory: closed",
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			err := m.deliver(ctx, batch)
			if errors.Is(err, errClosed) {
				panic(err)
			}
			return err
		}}),
	},
	{
		name: "takes records after Close",
		rule: "close",
		says: "Write after Close returned nil and has delivered nothing",
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			err := m.deliver(ctx, batch)
			if errors.Is(err, errClosed) {
				return nil
			}
			return err
		}}),
	},
	{
		name: "does not close unused",
		rule: "close",
		says: "Close of a sink that was not written to: Close panicked: memory: nothing was written",
		open: func(*testing.T) slogtest.Subject {
			written := false
			m := newMemory(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
				written = true
				return m.deliver(ctx, batch)
			}})
			m.hooks.close = func(m *memory) error {
				if !written {
					panic("memory: nothing was written")
				}
				m.hooks.close = nil
				return m.Close()
			}
			return m.subject(m)
		},
	},
	{
		name: "keeps the JSON",
		rule: "not-retained",
		says: "what has arrived cannot be read back: ",
		open: of(hooks{line: func(e sinks.Event) []byte {
			if strings.HasPrefix(e.Message(), "not-retained") {
				return e.JSON()
			}
			return bytes.Clone(e.JSON())
		}}),
	},
	{
		name: "keeps events",
		rule: "not-retained",
		says: `"not-retained 1 1" arrived 0 times`,
		open: fresh(func() hooks { return keeping(slices.Clone[[]sinks.Event]) }),
	},
	{
		name: "keeps the slice",
		rule: "not-retained",
		says: `"overwritten" arrived, which was not to`,
		open: fresh(func() hooks { return keeping(func(batch []sinks.Event) []sinks.Event { return batch }) }),
	},
	{
		name: "keeps a message",
		rule: "not-retained",
		says: "\"\ufffd\ufffd",
		open: fresh(keepingMessages),
	},
	{
		name: "sends a message once more",
		rule: "not-retained",
		says: "has something in it that was read from an earlier batch after its Write had returned",
		open: fresh(func() hooks {
			previous := ""
			return hooks{line: func(e sinks.Event) []byte {
				if !strings.HasPrefix(e.Message(), "not-retained") {
					return bytes.Clone(e.JSON())
				}
				line := fmt.Appendf(nil, `{"previous":%s,%s`, quoted(previous), e.JSON()[1:])
				previous = e.Message()
				return line
			}}
		}),
	},
	{
		name: "keeps what has failed",
		rule: "not-retained",
		says: `fault "down": after a Write that failed: "overwritten" arrived, which was not to`,
		open: fresh(func() hooks {
			var kept []sinks.Event
			return hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
				err := m.deliver(ctx, append(kept, batch...))
				kept = nil
				if err != nil && about(batch, "not-retained in failure") {
					kept = batch
				}
				return err
			}}
		}),
	},
	{
		name: "sorts its batch",
		rule: "unchanged",
		says: "record 0 of the batch is another one than before",
		open: of(changing(func(batch []sinks.Event) { slices.Reverse(batch) })),
	},
	{
		name: "changes the JSON",
		rule: "unchanged",
		says: "the JSON of record 4 was changed from ",
		open: of(changing(func(batch []sinks.Event) { batch[4].JSON()[0] = '[' })),
	},
	{
		name: "changes the strings",
		rule: "unchanged",
		says: "the memory of record 2, which its strings are in, was changed",
		open: of(changing(func(batch []sinks.Event) { *unsafe.StringData(batch[2].Message()) = 'U' })),
	},
	{
		name: "has one destination for all sinks",
		rule: "concurrency",
		says: `sink 1 of 3: `,
		open: func() func(*testing.T) slogtest.Subject {
			var (
				mu     sync.Mutex
				newest *memory
			)
			return func(*testing.T) slogtest.Subject {
				m := newMemory(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
					mu.Lock()
					defer mu.Unlock()
					return newest.deliver(ctx, batch)
				}})
				mu.Lock()
				defer mu.Unlock()
				newest = m
				return m.subject(m)
			}
		}(),
	},
	{
		name: "leaves a goroutine of a call",
		rule: "goroutines",
		says: "a goroutine that a call of the sink has started is left after Close:",
		open: leaking(true),
	},
	{
		name: "leaves a goroutine of its own",
		rule: "goroutines",
		says: "a goroutine that was started when the sink was opened is left after Close:",
		open: leaking(false),
	},
	{
		name: "shows the token in an error",
		rule: "secrets",
		says: `"t0ken-of-the-memory" is in an error of type *errors.errorString printed with %v (Write, rule "secrets", fault "down")`,
		open: of(failing("down", func(*memory, []sinks.Event) error { return errors.New("memory: down: token=" + secretToken) })),
	},
	{
		name: "shows the token in the fields of an error",
		rule: "secrets",
		says: `"t0ken-of-the-memory" is in an error of type *slogtest_test.fieldError printed with %#v`,
		open: of(failing("full", func(*memory, []sinks.Event) error {
			return sinks.Hold(fmt.Errorf("memory: full: %w", &fieldError{secretToken}))
		})),
	},
	{
		name: "shows the token to who probes",
		rule: "secrets",
		says: `"t0ken-of-the-memory" is in an error of type *errors.errorString printed with %v`,
		open: of(hooks{faults: []string{"down"}, probe: func(m *memory) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.fault != "" {
				return errors.New("memory: token refused: " + secretToken)
			}
			return nil
		}}),
	},
	{
		name: "panics with the token",
		rule: "secrets",
		says: `"t0ken-of-the-memory" is in a panic of type *errors.errorString printed with %v (Write, rule "secrets")`,
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if about(batch, "secrets") {
				panic("memory: token " + secretToken)
			}
			return m.deliver(ctx, batch)
		}}),
	},
	{
		name: "shows the token in a warning",
		rule: "secrets",
		says: `"t0ken-of-the-memory" is in a warning of type *errors.errorString printed with %v (Write, rule "secrets")`,
		open: of(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			sinks.Warn(ctx, errors.New("memory: old token: "+secretToken))
			return m.deliver(ctx, batch)
		}}),
	},
}

// An atMost is a memory that asks for large batches, and takes n records.
type atMost struct {
	*memory
	n int
}

func (s atMost) Batching() sinks.Batching { return sinks.Batching{Records: 2000} }

func (s atMost) Write(ctx context.Context, batch []sinks.Event) error {
	return s.memory.Write(ctx, batch[:min(len(batch), s.n)])
}

// withFault opens memories with a change to one of their faults.
func withFault(name string, change func(*slogtest.Fault)) func(*testing.T) slogtest.Subject {
	return func(*testing.T) slogtest.Subject {
		m := newMemory(hooks{})
		s := m.subject(m)
		for i := range s.Faults {
			if s.Faults[i].Name == name {
				change(&s.Faults[i])
			}
		}
		return s
	}
}

// busyFor opens memories whose destination says when to come back, and which
// return a verdict with a delay.
func busyFor(says, returned time.Duration) func(*testing.T) slogtest.Subject {
	return func(*testing.T) slogtest.Subject {
		m := newMemory(failing("busy", func(*memory, []sinks.Event) error {
			return sinks.RetryAfter(errors.New("memory: busy"), returned)
		}))
		m.faults = []string{"down", "busy"}
		s := m.subject(m)
		s.Faults[1].After = says
		return s
	}
}

// remembering returns hooks that keep the lines of a batch that was too large,
// and take a batch that begins with the same record for the same.
func remembering() hooks {
	var (
		first sinks.ID
		lines [][]byte
	)
	return hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
		if lines != nil && batch[0].ID() == first {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.lines = append(m.lines, lines...)
			lines = nil
			return nil
		}
		err := m.deliver(ctx, batch)
		if err != nil && about(batch, "verdicts") && err.Error() == "memory: too large" {
			first = batch[0].ID()
			for _, e := range batch {
				lines = append(lines, bytes.Clone(e.JSON()))
			}
		}
		return err
	}}
}

// quoted returns a text as JSON has it.
func quoted(text string) []byte {
	line, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return line
}

type fieldError struct{ token string }

func (*fieldError) Error() string { return "denied" }

// failing returns hooks that answer one fault in another way.
func failing(fault string, answer func(*memory, []sinks.Event) error) hooks {
	return hooks{fail: func(m *memory, _ context.Context, is string, batch []sinks.Event) (error, bool) {
		if is != fault {
			return nil, false
		}
		return answer(m, batch), true
	}}
}

// changed returns the JSON of an event after a change.
func changed(e sinks.Event, change func(map[string]any)) []byte {
	var r map[string]any
	if json.Unmarshal(e.JSON(), &r) != nil {
		return bytes.Clone(e.JSON())
	}
	change(r)
	line, err := json.Marshal(r)
	if err != nil {
		return bytes.Clone(e.JSON())
	}
	return append(line, '\n')
}

// keeping returns hooks that store a batch of the rule "not-retained" when the
// sink is closed.
func keeping(keep func([]sinks.Event) []sinks.Event) hooks {
	var kept [][]sinks.Event
	return hooks{
		write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if about(batch, "not-retained") {
				kept = append(kept, keep(batch))
				return nil
			}
			return m.deliver(ctx, batch)
		},
		close: func(m *memory) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, batch := range kept {
				for _, e := range batch {
					m.lines = append(m.lines, fmt.Appendf(nil, "{\"msg\":%q}\n", e.Message()))
				}
			}
			kept, m.closed = nil, true
			return nil
		},
	}
}

// keepingMessages returns hooks that keep the memory of messages.
func keepingMessages() hooks {
	var kept []string
	return hooks{
		write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			if about(batch, "not-retained") {
				kept = append(kept, messages(batch)...)
				return nil
			}
			return m.deliver(ctx, batch)
		},
		close: func(m *memory) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, message := range kept {
				line := append([]byte(`{"msg":"`), message...)
				m.lines = append(m.lines, append(line, "\"}\n"...))
			}
			kept, m.closed = nil, true
			return nil
		},
	}
}

// changing returns hooks that change a batch of the rule "unchanged" when it
// was delivered.
func changing(change func([]sinks.Event)) hooks {
	return hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
		err := m.deliver(ctx, batch)
		if about(batch, "unchanged") {
			change(batch)
		}
		return err
	}}
}

// leaked are the channels that goroutines wait for.
var leaked struct {
	sync.Mutex
	ends []chan struct{}
}

// leaking opens memories that start a goroutine when they are opened or first
// written to, and end it with the
// subject or, if it is not of a call, after all tests of broken sinks.
func leaking(byCall bool) func(*testing.T) slogtest.Subject {
	return func(t *testing.T) slogtest.Subject {
		var once sync.Once
		end := make(chan struct{})
		leak := func() { once.Do(func() { go func() { <-end }() }) }
		if byCall {
			t.Cleanup(func() { close(end) })
		} else {
			leak()
			leaked.Lock()
			defer leaked.Unlock()
			leaked.ends = append(leaked.ends, end)
		}
		m := newMemory(hooks{write: func(m *memory, ctx context.Context, batch []sinks.Event) error {
			leak()
			return m.deliver(ctx, batch)
		}})
		return m.subject(m)
	}
}

// Each broken sink breaks its rule, with a message that begins with the rule,
// and no other.
func TestBrokenSinks(t *testing.T) {
	t.Parallel()
	t.Cleanup(func() {
		for _, end := range leaked.ends {
			close(end)
		}
		leaked.ends = nil
	})
	names, sentences := slogtest.Rules()
	for _, b := range brokenSinks {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for i, name := range names[:slices.Index(names, "unknown-parameter")] {
				var errs []error
				t.Run(name, func(t *testing.T) { errs, _ = slogtest.Check(t, name, b.open) })
				if slices.Contains(b.also, name) {
					require.NotEmpty(t, errs, "rule %q", name)
					continue
				}
				if name != b.rule {
					require.Empty(t, errs, "rule %q", name)
					continue
				}
				require.NotEmpty(t, errs)
				said := fmt.Sprint(errs)
				for _, err := range errs {
					require.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("slogtest: rule %q: %s: ", name, sentences[i])), "%v", err)
				}
				require.Contains(t, said, b.says)
			}
		})
	}
}

func TestEveryRuleCatchesABrokenSink(t *testing.T) {
	t.Parallel()
	names, _ := slogtest.Rules()
	for _, name := range names {
		caught := slices.ContainsFunc(brokenSinks, func(b broken) bool { return b.rule == name }) ||
			slices.ContainsFunc(brokenConstructors, func(b brokenConstructor) bool { return b.rule == name })
		require.True(t, caught, "no broken sink breaks rule %q", name)
	}
}

// What a subject does not tell cannot be checked.
func TestRulesThatDoNotApply(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]string{
		"refused":    "Subject.Refused is empty",
		"verdicts":   "Subject.Faults is empty",
		"idempotent": "Subject.Idempotent is not set",
		"probe":      "the sink is no sinks.Prober",
		"close":      "the sink is no io.Closer",
		"secrets":    "Subject.Secrets is empty",
	} {
		errs, notChecked := slogtest.Check(t, name, func(*testing.T) slogtest.Subject {
			r := new(slogtest.Recorder)
			return slogtest.Subject{Sink: r, Records: r.Records}
		})
		require.Empty(t, errs)
		require.Equal(t, why, notChecked)
	}
}
