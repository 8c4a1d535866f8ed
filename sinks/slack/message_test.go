package slack_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	view "github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/slack"
)

// sent returns what the stand-in has taken, which is one message.
func sent(t *testing.T, server *testserver.Slack) testserver.SlackMessage {
	t.Helper()
	messages := server.Messages()
	require.Len(t, messages, 1)
	return messages[0]
}

// What a person reads.
func TestMessage(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	s := newSink(t, server.URL, slack.Options{})
	s.Unpaced()
	out, err := fapilog.New(t.Context(), fapilog.Config{
		Service: "shop", Targets: []fapilog.Target{{Sink: s, Level: slog.LevelWarn, Linger: time.Hour}}, Fallback: t.Output(),
	})
	require.NoError(t, err)
	h := fapilog.Handler(out, nil)
	for i := range 3 {
		r := slog.NewRecord(at.Add(time.Duration(i)*time.Second), slog.LevelError, "payment refused", 0)
		r.AddAttrs(slog.Int("order", 4711+i), slog.String("trace_id", fmt.Sprint("4bf9", i)),
			slog.Group("card", slog.String("type", "visa"), slog.Any("error", errors.New("expired & <gone>"))), slog.Time("due", at), slog.Any("list", []int{1, 2}))
		require.NoError(t, h.Handle(t.Context(), r))
	}
	require.NoError(t, h.Handle(t.Context(), slog.NewRecord(at, slog.LevelWarn, "disk nearly full", 0)))
	require.NoError(t, h.Handle(t.Context(), slog.NewRecord(time.Time{}, slog.LevelError+4, "down", 0)))
	require.NoError(t, out.Close())

	m := sent(t, server)
	require.Equal(t, "shop: ERROR+4: down and 4 other records", m.Text)
	require.Equal(t, "header", m.Blocks[0].Type)
	require.Equal(t, "ERROR+4: 5 records of shop", m.Blocks[0].Text.Text)
	require.Equal(t, "card.error: expired &amp; &lt;gone&gt;", m.Blocks[3].Fields[2].Text)
	entries, err := entriesOf(m)
	require.NoError(t, err)
	require.Equal(t, []entry{
		{"ERROR+4", "down", 1, nil, []string{"1 time"}},
		{
			"ERROR", "payment refused", 3,
			[]string{"order: 4711", "card.type: visa", "card.error: expired & <gone>", "due: 2026-01-02T03:04:05.000Z", "list: [1,2]"},
			[]string{"3 times", "2026-01-02 03:04:05 to 2026-01-02 03:04:07 UTC", "trace_id: 4bf90"},
		},
		{"WARN", "disk nearly full", 1, nil, []string{"1 time", "2026-01-02 03:04:05 UTC"}},
	}, entries)
	require.Nil(t, endOf(m))
	for _, b := range m.Blocks {
		for _, text := range textsOf(b) {
			require.Equal(t, "plain_text", text.Type, "nothing is formatted")
		}
	}
}

func textsOf(b testserver.SlackBlock) (all []testserver.SlackText) {
	if b.Text != nil {
		all = append(all, *b.Text)
	}
	return append(append(all, b.Fields...), b.Elements...)
}

// What there is no room for is a number, and rejected.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	s := newSink(t, server.URL, slack.Options{})
	batch := events(30) // of which 20 have room
	batch = append(batch, event(slog.LevelError, "failed 25"), event(slog.LevelInfo+2, "less"), event(slog.LevelError+8, "most"))
	err := write(t, s, batch...)
	requireRejected(t, err, 13) // 19 to 29, 25 once more, less
	require.ErrorContains(t, err, "no room")
	m := sent(t, server)
	entries, err := entriesOf(m)
	require.NoError(t, err)
	require.Len(t, entries, 20)
	require.Equal(t, "most", entries[0].message)
	require.Equal(t, "failed 18", entries[19].message)
	require.Equal(t, []string{"and 13 more records: 12 ERROR, 1 INFO"}, endOf(m))
}

// What was dropped is said in any case: beside as many entries as there is room
// for, alone, after messages that were refused, and after the hour's last one.
func TestDroppedIsAlwaysSaid(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	s := newSink(t, server.URL, slack.Options{PerHour: 2})
	marks := view.NewBatch(&view.Origin{Service: "shop"})
	mark := func(n uint64) sinks.Event {
		r := slog.NewRecord(at, slog.LevelWarn, fmt.Sprint(n, " records dropped"), 0)
		r.AddAttrs(slog.Group("fapilog", slog.Uint64("dropped", n)))
		return sinks.Event(marks.AddMark(frame.NewEncoder(nil).Append(nil, r), n))
	}
	last := func() testserver.SlackMessage {
		messages := server.Messages()
		return messages[len(messages)-1]
	}

	requireRejected(t, write(t, s, append(events(25), mark(40), mark(2))...), 5)
	require.Equal(t, "ERROR: 25 records", last().Blocks[0].Text.Text)
	require.Equal(t, []string{"and 5 more records: 5 ERROR", "dropped before, of all levels: 42 records"}, endOf(last()))

	requireRejected(t, write(t, s, mark(3), events(1)[0]), 2)
	s.Pass(time.Hour)
	server.Answer(400, "invalid_blocks")
	requireRejected(t, write(t, s, mark(4)), 1)
	server.Answer(503, "")
	require.Error(t, write(t, s, mark(5)))
	server.Answer(0, "")
	require.NoError(t, write(t, s, mark(5)))
	require.Len(t, server.Messages(), 2)
	require.Equal(t, "5 records dropped of shop", last().Text)
	require.Equal(t, "5 records dropped of shop", last().Blocks[0].Text.Text)
	require.Equal(t, []string{"not sent before, because of per_hour: 1 record: 1 ERROR", "dropped before, of all levels: 12 records"}, endOf(last()))

	s.Pass(time.Hour)
	require.NoError(t, write(t, s, mark(1)))
	require.Equal(t, []string{"dropped before, of all levels: 1 record"}, endOf(last()))
}

// What was logged is shown as it is, and does nothing.
func TestTextIsPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<!channel> <@U123> <#C1> <https://a.example|b>": "&lt;!channel&gt; &lt;@U123&gt; &lt;#C1&gt; &lt;https://a.example|b&gt;",
		"@here *bold* _it_ ~no~ `code` :tada: > quote":   "@here *bold* _it_ ~no~ `code` :tada: &gt; quote",
		"&amp; & &lt;":               "&amp;amp; &amp; &amp;lt;",
		"one\n```\ntwo\t":            "one\n```\ntwo\t",
		"\x00\x1b[31m\r\u202e\ufeff": `\x00\x1b[31m\r\u202e\ufeff`,
		"\xff":                       "\ufffd",
		"\U0001f468\u200d\U0001f469 \u00a0 日本語": "\U0001f468\u200d\U0001f469 \u00a0 日本語",
		"": "(no message)",
	} {
		server := testserver.StartSlack(t, 0)
		require.NoError(t, write(t, newSink(t, server.URL, slack.Options{}), event(slog.LevelError, in, in+"x", in)))
		m := sent(t, server)
		require.Equal(t, "ERROR: "+want, m.Blocks[1].Text.Text, "%q", in)
		require.NotContains(t, m.Text, "<")
		if in != "" {
			require.True(t, strings.HasSuffix(m.Blocks[1].Fields[0].Text, ": "+want), "%q", m.Blocks[1].Fields[0].Text)
		}
	}
}

// Long texts are cut off, within what Slack takes, and not in the middle of an
// entity or a character.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, long := range []string{"x", "<", "é", "日", "\U0001f600", "\x00", " ", "\n", "&"} {
		text := strings.Repeat(long, 5000)
		server := testserver.StartSlack(t, 0)
		s := newSink(t, server.URL, slack.Options{})
		var batch []sinks.Event
		for i := range 25 {
			args := []any{"trace_id", text}
			for j := range 15 {
				args = append(args, fmt.Sprint(j, text), text)
			}
			batch = append(batch, event(slog.LevelError, fmt.Sprint(i, text), args...))
		}
		requireRejected(t, write(t, s, batch...), 5)
		require.NoError(t, write(t, s, batch[0]))
		require.Len(t, server.Messages(), 2)
		for _, m := range server.Messages() {
			entries, err := entriesOf(m)
			require.NoError(t, err)
			for _, e := range entries {
				require.True(t, strings.HasSuffix(e.message, "…"), "%q", e.message)
			}
		}
		entries, err := entriesOf(server.Messages()[1])
		require.NoError(t, err)
		require.Len(t, entries[0].fields, 10)
		require.Contains(t, entries[0].context, "and 5 more attributes")
	}
}

// Whatever is logged, Slack takes the message, and each record is counted in it
// once, or left out.
func FuzzMessage(f *testing.F) {
	f.Add(uint64(1), "message", "key", "value")
	f.Add(uint64(2), "<!channel>\n&", "\x00", strings.Repeat("\U0001f600", 300))
	f.Add(uint64(3), "\xff", "", "")
	f.Add(uint64(4), strings.Repeat("&", 600), strings.Repeat("<", 100), " ")
	s, err := slack.New("http://localhost"+testserver.SlackPath, slack.Options{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, seed uint64, message, key, value string) {
		if len(message)+len(key)+len(value) > 2000 {
			t.Skip() // what is longer is cut off, which has a test of its own
		}
		random := rand.New(rand.NewPCG(seed, 0))
		messages := []string{message, key, value, message + key, ""}
		var batch []sinks.Event
		want := make(map[string]int)
		for range 1 + random.IntN(40) {
			text := messages[random.IntN(len(messages))]
			if random.IntN(3) == 0 {
				text += fmt.Sprint(random.IntN(20))
			}
			attr := slog.String(key, value)
			for range random.IntN(4) {
				attr = slog.Group(key, attr, slog.Int(value, random.IntN(9)), slog.Any(message, []byte(value)))
			}
			level := slog.Level(random.IntN(20) - 8)
			batch = append(batch, event(level, text, attr, "trace_id", value))
			want[fmt.Sprint(level, text)]++
		}
		body, leftOut, err := s.Body(batch)
		require.NoError(t, err)
		m, reason, why := testserver.ParseSlackMessage(body)
		require.Empty(t, reason, "%s: %s", why, body)
		entries, err := entriesOf(m)
		require.NoError(t, err)
		counted := 0
		for _, e := range entries {
			counted += e.count
		}
		require.Equal(t, len(batch), counted+leftOut)
		require.Len(t, entries, min(len(want), 20))
		require.Equal(t, leftOut > 0, endOf(m) != nil)
	})
}
