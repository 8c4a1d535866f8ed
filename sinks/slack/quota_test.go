package slack_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/slack"
)

// In no hour are there more messages than the quota, however they are asked for,
// and after the first half nobody waits for longer than need be.
func TestQuota(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 3, 7, 60, 61, 720, 3600} {
		for _, step := range []time.Duration{time.Second, 7 * time.Second, 5 * time.Minute} {
			ask := slack.Quota(n)
			var sent []time.Time
			for now := at; now.Before(at.Add(5 * time.Hour)); now = now.Add(step) {
				if ask(now) {
					sent = append(sent, now)
				}
			}
			for i := n; i < len(sent); i++ {
				require.GreaterOrEqual(t, sent[i].Sub(sent[i-n]), time.Hour-time.Second, "%d, every %v: message %d", n, step, i)
			}
			longest := max(time.Hour/time.Duration(n/2), step)
			for i := 1; i < len(sent); i++ {
				require.Less(t, sent[i].Sub(sent[i-1]), longest+step, "%d, every %v: message %d", n, step, i)
			}
			require.LessOrEqual(t, at.Add(5*time.Hour).Sub(sent[len(sent)-1]), longest+step)
		}
	}
	ask := slack.Quota(2)
	require.True(t, ask(at))
	require.False(t, ask(at.Add(-time.Hour)), "the clock was set back")
	require.True(t, ask(at.Add(1<<62)))
}

// What is over the quota is rejected, and the next message says how many records
// these were.
func TestQuotaOfSink(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	s := newSink(t, server.URL, slack.Options{PerHour: 2})
	require.NoError(t, write(t, s, events(1)...))
	require.Nil(t, endOf(server.Messages()[0]))
	err := write(t, s, events(100)...)
	requireRejected(t, err, 100)
	require.ErrorContains(t, err, "per_hour")
	requireRejected(t, write(t, s, event(slog.LevelWarn+1, "a"), event(slog.LevelDebug-4, "b")), 2)
	require.Len(t, server.Messages(), 1)

	// A message that fails says it again.
	s.Pass(time.Hour)
	server.Answer(503, "")
	require.Error(t, write(t, s, events(1)...))
	server.Answer(0, "")
	require.NoError(t, write(t, s, events(1)...), "an attempt is no message")
	require.Equal(t, []string{"not sent before, because of per_hour: 102 records: 100 ERROR, 1 WARN, 1 DEBUG"}, endOf(server.Messages()[1]))

	s.Pass(time.Hour)
	require.NoError(t, write(t, s, events(1)...))
	require.Nil(t, endOf(server.Messages()[2]))

	// A message that was perhaps taken counts as one.
	s.Pass(time.Hour)
	server.LoseAnswers(true)
	err = write(t, s, events(3)...)
	requireRejected(t, err, 3)
	require.ErrorContains(t, err, "perhaps delivered")
	server.LoseAnswers(false)
	require.ErrorContains(t, write(t, s, events(1)...), "per_hour")
	require.Len(t, server.Messages(), 4)
}
