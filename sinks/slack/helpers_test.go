package slack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/slack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func event(level slog.Level, message string, args ...any) sinks.Event {
	r := slog.NewRecord(at, level, message, 0)
	r.Add(args...)
	return sinks.NewEvent(r)
}

// events returns n events at level ERROR with different messages.
func events(n int) (all []sinks.Event) {
	for i := range n {
		all = append(all, event(slog.LevelError, fmt.Sprintf("failed %d", i)))
	}
	return all
}

// newSink returns a sink that sends to a URL.
func newSink(t *testing.T, url string, o slack.Options) *slack.Sink {
	t.Helper()
	s, err := slack.New(url, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// write writes a batch with the usual timeout.
func write(t *testing.T, s *slack.Sink, batch ...sinks.Event) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fapilog.DefaultTimeout)
	defer cancel()
	return s.Write(ctx, batch)
}

// requireRejected checks that all of n records have the verdict Permanent, so that
// no part of the batch is sent.
func requireRejected(t *testing.T, err error, n int) {
	t.Helper()
	var b *sinks.BatchError
	require.ErrorAs(t, err, &b)
	require.Len(t, b.Items, n)
	for _, err := range b.Items {
		kind, _, _ := verdict.Of(err)
		require.Equal(t, verdict.Permanent, kind, "%v", err)
	}
}

// An entry is one that a person reads in a message.
type entry struct {
	level, message string
	count          int
	fields         []string
	context        []string
}

// entriesOf reads a message.
func entriesOf(m testserver.SlackMessage) (all []entry, err error) {
	for i, b := range m.Blocks {
		if b.Type != "section" {
			continue
		}
		var e entry
		var ok bool
		if e.level, e.message, ok = strings.Cut(shown(b.Text.Text), ": "); !ok {
			return nil, fmt.Errorf("there is no level in %q", b.Text.Text)
		}
		for _, f := range b.Fields {
			e.fields = append(e.fields, shown(f.Text))
		}
		for _, c := range m.Blocks[i+1].Elements {
			e.context = append(e.context, shown(c.Text))
		}
		if _, err := fmt.Sscanf(e.context[0], "%d time", &e.count); err != nil {
			return nil, fmt.Errorf("there is no number in %q: %w", e.context[0], err)
		}
		all = append(all, e)
	}
	return all, nil
}

// shown returns a text as Slack shows it.
func shown(text string) string { return html.UnescapeString(text) }

// endOf returns what stands at the end of a message.
func endOf(m testserver.SlackMessage) (texts []string) {
	last := m.Blocks[len(m.Blocks)-1]
	if last.Type != "context" || m.Blocks[len(m.Blocks)-2].Type == "section" {
		return nil
	}
	for _, e := range last.Elements {
		texts = append(texts, e.Text)
	}
	return texts
}

// recordsOf returns a record for each that is counted in messages.
func recordsOf(messages []testserver.SlackMessage) (all []map[string]any, err error) {
	for _, m := range messages {
		entries, err := entriesOf(m)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			for range e.count {
				all = append(all, map[string]any{slog.LevelKey: e.level, slog.MessageKey: strings.TrimSuffix(e.message, "…")})
			}
		}
	}
	return all, nil
}

// messageOf reads the body of a request.
func messageOf(body []byte) (m testserver.SlackMessage, err error) {
	err = json.Unmarshal(body, &m)
	return m, err
}
