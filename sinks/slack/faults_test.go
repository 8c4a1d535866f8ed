package slack_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks/slack"
	"github.com/fapilog/fapilog/slogtest"
)

// uri returns the URI for the URL of a webhook.
func uri(url string) string { return "slack+" + url }

// A story is a fan-out with the sink and another one, which nothing that happens
// to the first may touch.
type story struct {
	*fapilog.Fanout
	log   *slog.Logger
	other *slogtest.Recorder
	said  *locked // on the fallback output
	n     int
}

func open(t *testing.T, uri string) *story {
	t.Helper()
	s := &story{other: new(slogtest.Recorder), said: new(locked)}
	out, err := fapilog.New(t.Context(), fapilog.Config{
		Sinks: []string{uri}, Targets: []fapilog.Target{{Name: "other", Sink: s.other}}, Fallback: s.said, ShutdownTimeout: time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	s.Fanout, s.log = out, slog.New(fapilog.Handler(out, nil))
	return s
}

// fail logs n equal errors, and as many records that the sink does not get.
func (s *story) fail(message string, n int) {
	for range n {
		s.log.Error(message)
		s.log.Info("works")
		s.n++
	}
}

// requireAccount checks the account of the sink, and the other sink. Everything
// must be settled.
func (s *story) requireAccount(t *testing.T, delivered, rejected int) {
	t.Helper()
	st := s.Stats()
	require.Equal(t, s.n, delivered+rejected)
	require.Equal(t, uint64(2*s.n), st.Appended)
	require.Equal(t, []uint64{uint64(s.n), uint64(delivered), uint64(rejected), 0, 0},
		[]uint64{st.Sinks[0].Filtered, st.Sinks[0].Delivered, st.Sinks[0].Rejected, st.Sinks[0].Dropped, st.Sinks[0].Pending})
	require.Equal(t, uint64(2*s.n), st.Sinks[1].Delivered)
	require.Len(t, s.other.Lines(), 2*s.n)
}

// untilState waits for the sink to be in a state.
func (s *story) untilState(t *testing.T, state fapilog.State) {
	t.Helper()
	testserver.Wait(t, "state "+string(state), func() error {
		if got := s.Stats().Sinks[0].State; got != state {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// flush delivers what there is, of all sinks.
func (s *story) flush(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return s.Flush(ctx)
}

// counts returns what a channel says: how often each message was counted.
func counts(t *testing.T, server *testserver.Slack) map[string]int {
	t.Helper()
	found := make(map[string]int)
	records, err := recordsOf(server.Messages())
	require.NoError(t, err)
	for _, r := range records {
		found[r[slog.MessageKey].(string)]++
	}
	return found
}

// locked is a buffer for several goroutines.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// The server ends and comes back: nothing is lost, nothing is said twice.
func TestKilledAndRestarted(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	s := open(t, uri(server.URL))
	s.fail("before", 3)
	require.NoError(t, s.flush(t))
	server.Kill()
	s.fail("meanwhile", 5)
	flushed := make(chan error, 1)
	go func() { flushed <- s.flush(t) }()
	s.untilState(t, fapilog.StateRetrying)
	server.Restart()
	require.NoError(t, <-flushed)
	s.fail("after", 1)
	require.NoError(t, s.Close())
	require.Equal(t, map[string]int{"before": 3, "meanwhile": 5, "after": 1}, counts(t, server))
	s.requireAccount(t, 9, 0)
}

// The webhook is forbidden, removed or archived, until somebody has seen to it.
func TestHeldAndCorrected(t *testing.T) {
	t.Parallel()
	for text, status := range map[string]int{"invalid_token": 403, "no_service": 404, "channel_is_archived": 410} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			server := testserver.StartSlack(t, 0)
			server.Answer(status, text)
			s := open(t, uri(server.URL))
			s.fail("held", 2)
			flushed := make(chan error, 1)
			go func() { flushed <- s.flush(t) }()
			s.untilState(t, fapilog.StateHeld)
			require.ErrorContains(t, s.Stats().Sinks[0].LastError, text)
			require.ErrorContains(t, s.Stats().Sinks[0].LastError, "make a new webhook")
			server.Answer(0, "")
			require.NoError(t, <-flushed)
			require.NoError(t, s.Close())
			require.Equal(t, map[string]int{"held": 2}, counts(t, server))
			s.requireAccount(t, 2, 0)
		})
	}
}

// A webhook that takes a message a second: what it says is heeded, and the last
// digest goes out with the end of the program.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 2*time.Second) // more than the sink waits for when it closes
	s := open(t, uri(server.URL))
	s.fail("first", 2)
	require.NoError(t, s.flush(t))
	s.fail("second", 3)
	require.NoError(t, s.Close())
	require.Equal(t, map[string]int{"first": 2, "second": 3}, counts(t, server))
	require.Len(t, server.Messages(), 2)
	require.Positive(t, s.Stats().Sinks[0].Retries)
	s.requireAccount(t, 5, 0)
}

// Without being flushed, the last digest goes out at once when the program ends.
func TestShutdownDeliversTheLastDigest(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	s := open(t, uri(server.URL)+"?every=1h")
	s.fail("x", 1000)
	require.NoError(t, s.Close())
	require.Equal(t, map[string]int{"x": 1000}, counts(t, server))
	require.Len(t, server.Messages(), 1)
	s.requireAccount(t, 1000, 0)
}

// An answer that is lost: the message is in the channel, and not sent again.
func TestLostAnswerIsNotSentAgain(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	server.LoseAnswers(true)
	s := open(t, uri(server.URL))
	s.fail("lost", 7)
	require.Error(t, s.flush(t))
	server.LoseAnswers(false)
	s.fail("after", 1)
	require.NoError(t, s.Close())
	require.Equal(t, map[string]int{"lost": 7, "after": 1}, counts(t, server))
	require.Len(t, server.Messages(), 2)
	s.requireAccount(t, 1, 7)
	require.Contains(t, s.said.String(), "7 records rejected")
	require.Contains(t, s.said.String(), "perhaps delivered: not sent again")
}

// A message that Slack refuses is not sent in parts.
func TestRefusedIsNotDivided(t *testing.T) {
	t.Parallel()
	server := slogtest.NewServer(t, slogtest.Answer{Status: 400, Body: "invalid_blocks"}, slogtest.Answer{Status: 413})
	server.SetDefault(slogtest.Answer{Body: "ok\n"})
	s := newSink(t, server.URL+testserver.SlackPath, slack.Options{})
	err := write(t, s, events(8)...)
	requireRejected(t, err, 8)
	require.ErrorContains(t, err, "invalid_blocks")
	requireRejected(t, write(t, s, events(3)...), 3)
	require.NoError(t, write(t, s, events(8)...))
	require.Len(t, server.Requests(), 3)
}

// Half of a request may be all that Slack needed, as far as the sink knows.
func TestCutWhileWriting(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 300)) // the headers, and some of the body
			_ = conn.Close()
		}
	}()
	err = write(t, newSink(t, "http://"+listener.Addr().String()+testserver.SlackPath, slack.Options{}), events(20)...)
	requireRejected(t, err, 20)
	require.ErrorContains(t, err, "perhaps delivered")
}

// With HTTP/2 it is the same: what a server perhaps has is not sent again, and each
// message has a connection of its own.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var from []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		from = append(from, r.Proto+" "+r.RemoteAddr)
		n := len(from)
		mu.Unlock()
		if n == 2 {
			panic(http.ErrAbortHandler) // the stream is reset
		}
		_, _ = io.WriteString(w, "ok")
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	s := newSink(t, server.URL+testserver.SlackPath, slack.Options{CAFile: file})
	require.NoError(t, write(t, s, events(1)...))
	err := write(t, s, events(3)...)
	requireRejected(t, err, 3)
	require.ErrorContains(t, err, "perhaps delivered")
	require.NoError(t, write(t, s, events(1)...))
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, from, 3)
	for i, one := range from {
		require.True(t, strings.HasPrefix(one, "HTTP/2.0 "), one)
		require.NotContains(t, from[i+1:], one)
	}
}

// What is certain not to have been sent is tried again.
func TestNotSentIsTriedAgain(t *testing.T) {
	t.Parallel()
	isPlain := func(err error, what string) {
		t.Helper()
		require.ErrorContains(t, err, what)
		kind, _, _ := verdict.Of(err)
		require.Equal(t, verdict.Retry, kind)
		require.NotContains(t, err.Error(), "perhaps")
	}
	nobody := "http://" + testserver.Address(testserver.Port(t)) + testserver.SlackPath
	isPlain(write(t, newSink(t, nobody, slack.Options{}), events(2)...), "refused")

	// A listener that takes connections and does not go on with the handshake.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	s := newSink(t, "https://"+listener.Addr().String()+testserver.SlackPath, slack.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	isPlain(s.Write(ctx, events(2)), "no answer within")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	isPlain(s.Write(ended, events(2)), "canceled")

	// With TLS that nobody trusts, an operator has to act.
	untrusted := slogtest.NewTLSServer(t)
	err = write(t, newSink(t, untrusted.URL+testserver.SlackPath, slack.Options{}), events(2)...)
	kind, _, _ := verdict.Of(err)
	require.Equal(t, verdict.Hold, kind, "%v", err)
	require.Empty(t, untrusted.Requests())
}

// TLS and a proxy, as for all sinks on HTTP.
func TestTLSAndProxy(t *testing.T) {
	t.Parallel()
	server := slogtest.NewTLSServer(t)
	server.SetDefault(slogtest.Answer{Body: "ok"})
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, server.CertificatePEM, 0o600))
	s := newSink(t, server.URL+testserver.SlackPath, slack.Options{CAFile: file})
	require.NoError(t, s.Probe(t.Context()))
	require.NoError(t, write(t, s, events(2)...))
	require.Len(t, server.Requests(), 1)
	require.Equal(t, "application/json; charset=utf-8", server.Requests()[0].Header.Get("Content-Type"))

	proxy := slogtest.NewServer(t) // a gateway that gets the request as it is
	proxy.SetDefault(slogtest.Answer{Body: "ok"})
	s = newSink(t, "http://hooks.slack.example"+testserver.SlackPath, slack.Options{Proxy: proxy.URL})
	require.NoError(t, write(t, s, events(2)...))
	require.Equal(t, "http://hooks.slack.example"+testserver.SlackPath, proxy.Requests()[0].Path)

	// A message is on a connection of its own.
	gone := slogtest.NewServer(t, slogtest.Answer{Body: "ok"}, slogtest.Answer{Body: "ok"})
	s = newSink(t, gone.URL+testserver.SlackPath, slack.Options{})
	require.NoError(t, write(t, s, events(1)...))
	gone.Close()
	err := write(t, s, events(1)...)
	require.ErrorContains(t, err, "refused")
	require.NotContains(t, err.Error(), "perhaps")
}

// What is wrong is said at start-up, and the path is not.
func TestMisconfiguration(t *testing.T) {
	t.Parallel()
	nobody := testserver.Address(testserver.Port(t))
	for text, want := range map[string][]string{
		"slack://hooks.slack.com":                                           {"slack://hooks.slack.com", "copy the whole URL that Slack shows"},
		"slack://hooks.slack.com/services/T1/hunter2":                       {"copy the whole URL that Slack shows"},
		"slack://hooks.slack.com/services/T1/B1/":                           {"copy the whole URL that Slack shows"},
		"slack://hooks.slack.com/services/T1/B1/hunter2/more":               {"copy the whole URL that Slack shows"},
		"slack://hooks.slack.com/hooks/T1/B1/hunter2":                       {"copy the whole URL that Slack shows"},
		"slack://user:hunter2@hooks.slack.com/services/T1/B1/hunter2":       {"no user"},
		"slack://hooks.slack.com/services/T1/B1/hunter2?channel=ops":        {"parameter channel: unknown"},
		"slack://hooks.slack.com/services/T1/B1/hunter2?evry=1m":            {"did you mean every?"},
		"slack://hooks.slack.com/services/T1/B1/hunter2?every=10ms":         {"parameter every: it must be from 1s"},
		"slack://hooks.slack.com/services/T1/B1/hunter2?per_hour=0&every=1": {"parameter per_hour", "parameter every"},
		"slack+http://hooks.slack.com/services/T1/B1/hunter2?ca_file=/x":    {"parameter ca_file: no such file"},
		"slack+http://" + nobody + "/services/T1/B1/hunter2":                {nobody, "refused", "soft_start=true starts all the same"},
		"slack://" + nobody + "/services/T1/B1/hunter2":                     {nobody, "refused"},
	} {
		_, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{text}, Fallback: t.Output()})
		for _, what := range want {
			require.ErrorContains(t, err, what, text)
		}
		require.NotContains(t, err.Error(), "hunter2", text)
	}
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"slack+http://" + nobody + "/services/T1/B1/hunter2?soft_start=true"}, Fallback: new(locked)})
	require.NoError(t, err, "unreachable is waived")
	require.NoError(t, out.Close())
	_, err = fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"slack+http://" + nobody + "/hunter2?soft_start=true"}})
	require.ErrorContains(t, err, "copy the whole URL", "and nothing else is")

	for _, url := range []string{"https://hooks.slack.com/hunter2", "https://hooks.slack.com/services/T/B/hunter2?x=hunter2", "ftp://x/services/T/B/hunter2", "%hunter2"} {
		_, err = slack.New(url, slack.Options{Every: time.Millisecond, PerHour: -1, Proxy: "hunter2"})
		require.ErrorContains(t, err, "every: ")
		require.ErrorContains(t, err, "per_hour: ")
		require.ErrorContains(t, err, "proxy: ")
		require.Equal(t, 3, strings.Count(err.Error(), "\n"), "and the URL: %v", err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// The defaults that the fan-out asks for.
func TestDefaults(t *testing.T) {
	t.Parallel()
	parsed, err := registry.Parse("slack://hooks.slack.com/services/T1/B1/x?every=30s")
	require.NoError(t, err)
	opened, err := registry.Default().Open(t.Context(), parsed)
	require.NoError(t, err)
	s := opened.(*slack.Sink)
	t.Cleanup(func() { _ = s.Close() })
	require.Equal(t, slog.LevelError, s.DefaultLevel())
	require.Equal(t, 30*time.Second, s.Batching().Interval)
	require.Equal(t, 30*time.Second, s.Batching().Linger)
	require.True(t, s.MarksGaps())
}

// Whatever a server does with the path, nothing of it is printed.
func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	secrets := []string{"T00000000", "B00000000", "secretsecret"}
	for name, answer := range map[string]slogtest.Answer{
		"echo":             {Status: 500, Body: "POST " + testserver.SlackPath},
		"refused":          {Status: 400, Body: testserver.SlackPath + "?"},
		"redirect":         {Status: 302, Header: http.Header{"Location": {"https://elsewhere" + testserver.SlackPath}}, Body: "to " + testserver.SlackPath},
		"success":          {Status: 200, Body: "thank you for " + testserver.SlackPath},
		"half":             {Status: 200, Body: testserver.SlackPath, Trouble: slogtest.Truncate},
		"malformed":        {Trouble: slogtest.Malformed},
		"cut":              {Trouble: slogtest.CutAfter},
		"no such location": {Status: 301},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := slogtest.NewServer(t)
			server.SetDefault(answer)
			said := new(locked)
			text := uri(server.URL + testserver.SlackPath)
			out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{text}, Fallback: said, ShutdownTimeout: 300 * time.Millisecond})
			require.NoError(t, err)
			slog.New(fapilog.Handler(out, nil)).Error("x")
			closing := out.Close()
			require.NotEmpty(t, server.Requests())
			all := fmt.Sprintf("%s %v %+v %#v", said, closing, out.Stats().Sinks[0].LastError, out.Stats())
			require.Contains(t, all, "last error: slack: ")
			for _, secret := range secrets {
				require.NotContains(t, all, secret)
			}
			server.Close()
			_, err = fapilog.New(t.Context(), fapilog.Config{Sinks: []string{text}, Fallback: said})
			require.Error(t, err)
			for _, secret := range secrets {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
}

// What was dropped while the server was down is said in the channel.
func TestDroppedIsSaid(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, 0)
	s, err := slack.New(server.URL, slack.Options{})
	require.NoError(t, err)
	s.Unpaced()
	out, err := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{{Sink: s}}, Buffer: 64 << 10, Fallback: new(locked), ShutdownTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	server.Kill()
	const n = 5000
	log := slog.New(fapilog.Handler(out, nil))
	for range n {
		log.Error("failed")
	}
	server.Restart()
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.Positive(t, st.Dropped)
	require.Equal(t, uint64(n), st.Delivered+st.Dropped)
	require.Equal(t, map[string]int{"failed": int(st.Delivered)}, counts(t, server))
	dropped := 0
	for _, m := range server.Messages() {
		for _, text := range endOf(m) {
			var some int
			_, err := fmt.Sscanf(text, "dropped before, of all levels: %d record", &some)
			require.NoError(t, err, text)
			dropped += some
		}
	}
	require.Equal(t, int(st.Dropped), dropped)
}

// A program that logs errors all the time stays within Slack's limit by itself:
// the stand-in never has to refuse.
func TestPace(t *testing.T) {
	t.Parallel()
	server := testserver.StartSlack(t, time.Second)
	s := open(t, uri(server.URL)+"?every=1s&linger=1ms")
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for len(server.Messages()) < 3 {
		<-ticks.C
		s.fail("again and again", 3)
	}
	require.NoError(t, s.Close())
	require.Zero(t, s.Stats().Sinks[0].Retries)
	require.Equal(t, map[string]int{"again and again": s.n}, counts(t, server))
	s.requireAccount(t, s.n, 0)
}
