package slogtest_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/slogtest"
)

// A summary is a destination for people: it counts records by level and message,
// and has room for few in each batch.
type summary struct {
	broken string // in which way

	mu   sync.Mutex
	all  []line
	down bool
	lost bool
}

type line struct {
	level   slog.Level
	message string
	count   int
}

// room is how many lines there are for a batch: enough for the hostile records and
// their neighbours.
const room = 20

var (
	errDown   = errors.New("summary: down")
	errNoRoom = sinks.Permanent(errors.New("summary: no room"))
	errGaveUp = sinks.Permanent(errors.New("summary: perhaps delivered"))
)

func (s *summary) Write(ctx context.Context, batch []sinks.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.down {
		return errDown
	}
	var lines []*line
	items := make(map[int]error)
next:
	for i, e := range batch {
		r := e.Record() // a copy
		for _, l := range lines {
			if l.level == r.Level && l.message == r.Message {
				if s.broken != "does not count" {
					l.count++
				}
				continue next
			}
		}
		if len(lines) == room {
			if s.broken != "claims what it leaves out" {
				items[i] = errNoRoom
			}
			continue
		}
		l := &line{r.Level, r.Message, 1}
		if s.broken == "has one level" {
			l.level = slog.LevelInfo
		}
		if len(l.message) > 500 {
			l.message = l.message[:500]
		}
		if s.broken == "cuts too much" && len(l.message) > 20 {
			l.message = l.message[:20]
		}
		lines = append(lines, l)
	}
	if s.broken == "forgets the last of a crowd" && len(lines) > 10 {
		lines = lines[:len(lines)-1]
	}
	for _, l := range lines {
		s.all = append(s.all, *l)
	}
	if s.lost {
		for i := range batch {
			items[i] = errGaveUp
		}
	}
	if s.broken == "counts one too many" && len(batch) > 1 {
		s.all[len(s.all)-1].count++
	}
	if len(items) > 0 {
		return &sinks.BatchError{Items: items}
	}
	return nil
}

func (s *summary) records() (all []map[string]any, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		for range l.count {
			all = append(all, map[string]any{slog.LevelKey: l.level.String(), slog.MessageKey: l.message})
		}
	}
	return all, nil
}

func openSummary(broken string) func(*testing.T) slogtest.Subject {
	return func(*testing.T) slogtest.Subject {
		s := &summary{broken: broken}
		set := func(flag *bool, to bool) func() {
			return func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				*flag = to
			}
		}
		return slogtest.Subject{
			Sink: s, Records: s.records, Digest: true,
			Faults: []slogtest.Fault{
				{Name: "down", Begin: set(&s.down, true), End: set(&s.down, false), Want: slogtest.Retry},
				{Name: "answer lost", Begin: set(&s.lost, true), End: set(&s.lost, false), Want: slogtest.Permanent, Delivers: true},
			},
		}
	}
}

func TestDigestIsAccepted(t *testing.T) {
	t.Parallel()
	broken, notChecked := slogtest.CheckAll(t, openSummary(""))
	require.Empty(t, broken)
	for _, rule := range []string{"once", "whole", "hostile", "verdicts"} {
		require.Empty(t, notChecked[rule])
	}
	require.Contains(t, notChecked["order"], "Subject.Digest is set")
	require.Contains(t, notChecked["slog"], "Subject.Digest is set")
}

func TestBrokenDigestsAreFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ rule, says string }{
		"does not count":              {"once", `"one of few 1" arrived 1 times instead of 205`},
		"claims what it leaves out":   {"once", "of a batch of 1024 different records, 20 have arrived and 0 are rejected"},
		"counts one too many":         {"once", "arrived 411 times instead of 410"},
		"forgets the last of a crowd": {"hostile", "the account has"},
		"has one level":               {"whole", `is INFO instead of DEBUG`},
		"cuts too much":               {"whole", `a message of 4810 bytes arrived with 20 bytes`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken, why := slogtest.Check(t, test.rule, openSummary(name))
			require.NotEmpty(t, broken, why)
			require.ErrorContains(t, errors.Join(broken...), test.says)
		})
	}
}
