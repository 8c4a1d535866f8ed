package fapilog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// news returns the lines about sink s0, each without what is before its
// message, when the sink's answers are those of answer.
func news(t *testing.T, target fapilog.Target, answer func() error, story func(out *fapilog.Fanout)) []string {
	t.Helper()
	var fallback syncBuffer
	target.Name, target.Sink = "s0", &memo{fault: func(context.Context, []sinks.Event) error { return answer() }}
	out := open(t, fapilog.Config{Targets: []fapilog.Target{target}, Fallback: &fallback})
	story(out)
	_ = out.Close()
	synctest.Wait()
	var lines []string
	for line := range strings.Lines(fallback.String()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), "sink s0: ")
		lines = append(lines, line)
	}
	return lines
}

// An operator who mends one thing learns of the next.
func TestNewReasonIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		lines := news(t, fapilog.Target{}, func() error {
			// The ports differ each time, the reason does not.
			if since := time.Since(began); since < 20*time.Second {
				return sinks.Hold(fmt.Errorf("401 to port %d", since.Milliseconds()))
			}
			return sinks.Hold(errors.New("404"))
		}, func(out *fapilog.Fanout) {
			logN(out, 3)
			time.Sleep(5 * time.Minute)
		})
		require.Equal(t, []string{
			"held until an operator acts; last error: 401 to port 5",
			"held until an operator acts, for 31s now, 3 records waiting; last error: 404",
			"3 records dropped: undelivered at the end of the shutdown (3 so far)",
		}, lines)
	})
}

// A trouble that lasts is not forgotten.
func TestTroubleThatLastsIsSaidAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		lines := news(t, fapilog.Target{}, func() error {
			if time.Since(began) < 25*time.Minute {
				return errors.New("refused")
			}
			return nil
		}, func(out *fapilog.Fanout) {
			logN(out, 1)
			time.Sleep(time.Hour)
		})
		require.Equal(t, []string{
			"delivery fails and is tried again; last error: refused",
			"delivery fails and is tried again, for 10m0s now, 1 record waiting; last error: refused",
			"delivery fails and is tried again, for 20m0s now, 1 record waiting; last error: refused",
			"delivers again",
		}, lines)
	})
}

// Nothing is said to be delivered that was given up.
func TestNothingDeliversAgainThatHasNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lines := news(t, fapilog.Target{RetryMaxAge: time.Second}, func() error { return errors.New("refused") }, func(out *fapilog.Fanout) {
			logN(out, 2)
			time.Sleep(3 * time.Second)
		})
		require.Equal(t, []string{
			"delivery fails and is tried again; last error: refused",
			"2 records dropped: undelivered for longer than retry_max_age (2 so far)",
		}, lines)
	})
}

func TestLongWaitIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var st fapilog.SinkStats
		lines := news(t, fapilog.Target{}, func() error { return sinks.RetryAfter(errors.New("503"), time.Hour) }, func(out *fapilog.Fanout) {
			logN(out, 1)
			time.Sleep(time.Minute)
			st = out.Stats().Sinks[0]
		})
		require.Equal(t, "delivery fails and is tried again at 2000-01-01T01:00:00Z, as the destination asks; last error: 503", lines[0])
		require.Equal(t, "2000-01-01T01:00:00Z", st.NextAttempt.UTC().Truncate(time.Second).Format(time.RFC3339))
	})
}

// That the buffer is full says nothing about why.
func TestWhyTheSinkIsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fallback syncBuffer
		hold := func(context.Context, []sinks.Event) error { return sinks.Hold(errors.New("403")) }
		out := open(t, fapilog.Config{Targets: []fapilog.Target{target("s0", &memo{fault: hold})}, Fallback: &fallback, Buffer: 8 << 10})
		logN(out, 1)
		time.Sleep(time.Minute)
		logN(out, 1000)
		time.Sleep(time.Minute)
		require.Regexp(t, `sink s0: \d+ records dropped: the buffer is full and the sink behind \(\d+ so far\), held; last error: 403\n`, fallback.String())
		require.Error(t, out.Close())
	})
}

// That a program is slowed down, as it has asked for, is said.
func TestBlockingIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fallback syncBuffer
		slow := func(context.Context, []sinks.Event) error {
			time.Sleep(70 * time.Millisecond)
			return nil
		}
		out := open(t, fapilog.Config{
			Targets:  []fapilog.Target{{Name: "s0", Sink: &memo{fault: slow}, Overflow: fapilog.Block, BlockTimeout: time.Minute}},
			Fallback: &fallback, Buffer: 8 << 10,
		})
		began := time.Now()
		logN(out, 1000)
		took := time.Since(began)
		st := out.Stats().Sinks[0]
		require.InDelta(t, took.Seconds(), st.Blocked.Seconds(), 0.01)
		require.Greater(t, st.Blocked, time.Second)
		time.Sleep(time.Minute)
		require.NoError(t, out.Close())
		require.Regexp(t, `sink s0: the program waited [\d.]+m?s for room in the buffer, as overflow=block asks \(`, fallback.String())
		require.Contains(t, fallback.String(), fmt.Sprintf("as overflow=block asks (%v so far)\n", st.Blocked.Round(time.Millisecond)))
		require.Zero(t, st.Dropped)
	})
}
