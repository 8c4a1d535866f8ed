package redis_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/redis"
	"github.com/fapilog/fapilog/slogtest"
)

// logged is what the library has written through its logger, which would be
// standard error.
var logged atomic.Pointer[string]

type logger struct{}

func (logger) Printf(_ context.Context, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	logged.Store(&text)
}

// Whatever happens in these tests, the library must not write to standard error.
func TestMain(m *testing.M) {
	client.SetLogger(logger{})
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if text := logged.Load(); text != nil && code == 0 {
			fmt.Println("FAIL: the library has logged:", *text)
			code = 1
		}
		os.Exit(code)
	}))
}

func event(msg string, args ...any) sinks.Event {
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, msg, 0)
	r.Add(args...)
	return sinks.NewEvent(r)
}

// dial returns a client of the default user.
func dial(t testing.TB, address string, db int) *client.Client {
	t.Helper()
	c := client.NewClient(&client.Options{Addr: address, DB: db, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// streamed returns a function that reads the records in a stream, each once,
// although it may be there twice: a reader can tell by the ids.
func streamed(t testing.TB, address string, o redis.Options) func() ([]map[string]any, error) {
	c := dial(t, address, o.DB)
	return func() ([]map[string]any, error) {
		entries, err := c.XRange(context.Background(), o.Stream, "-", "+").Result()
		if err != nil {
			return nil, err
		}
		var lines strings.Builder
		seen := make(map[any]bool)
		for _, e := range entries {
			if id := e.Values["id"]; !seen[id] {
				seen[id] = true
				fmt.Fprintln(&lines, e.Values["record"])
			}
		}
		return slogtest.ParseJSON([]byte(lines.String()))
	}
}

// listed is streamed for a list.
func listed(t testing.TB, address string, o redis.Options) func() ([]map[string]any, error) {
	c := dial(t, address, o.DB)
	return func() ([]map[string]any, error) {
		lines, err := c.LRange(context.Background(), o.List, 0, -1).Result()
		if err != nil {
			return nil, err
		}
		return parse(lines)
	}
}

// published listens to a channel.
func published(t testing.TB, address string, o redis.Options) func() ([]map[string]any, error) {
	t.Helper()
	const marker = "that was all"
	c := dial(t, address, 0)
	listening := c.Subscribe(t.Context(), o.Channel)
	t.Cleanup(func() { _ = listening.Close() })
	_, err := listening.Receive(t.Context())
	require.NoError(t, err)
	var (
		mu    sync.Mutex
		lines []string
	)
	return func() ([]map[string]any, error) {
		mu.Lock()
		defer mu.Unlock()
		// Those who listen get messages in the order in which they were published.
		if err := c.Publish(context.Background(), o.Channel, marker).Err(); err != nil {
			return nil, err
		}
		for {
			m, err := listening.ReceiveMessage(context.Background())
			if err != nil {
				return nil, err
			}
			if m.Payload == marker {
				return parse(lines)
			}
			lines = append(lines, m.Payload)
		}
	}
}

func parse(lines []string) ([]map[string]any, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	return slogtest.ParseJSON([]byte(strings.Join(lines, "\n") + "\n"))
}

// fault returns a fault that commands of an operator begin and end.
func fault(t testing.TB, server *testserver.Redis, name string, want slogtest.Verdict, begin, end []string) slogtest.Fault {
	do := func(commands []string) func() {
		return func() {
			for _, command := range commands {
				if _, err := server.Do(strings.Fields(command)...); err != nil {
					t.Errorf("%s: %s: %v", name, command, err)
				}
			}
		}
	}
	return slogtest.Fault{Name: name, Begin: do(begin), End: do(end), Want: want}
}

// faults returns what can go wrong with a server and on the way there.
// command is what the sink sends.
func faults(t testing.TB, server *testserver.Redis, r *relay, command string) []slogtest.Fault {
	lines := func(lines ...string) []string { return lines }
	list := []slogtest.Fault{
		fault(t, server, "OOM", slogtest.Retry, lines("config set maxmemory 1"), lines("config set maxmemory 0")),
		fault(t, server, "NOPERM", slogtest.Hold, lines("acl setuser app -"+command), lines("acl setuser app +"+command)),
		fault(t, server, "NOPERM for the key", slogtest.Hold, lines("acl setuser app resetkeys ~other"), lines("acl setuser app resetkeys ~shop")),
		fault(t, server, "WRONGPASS", slogtest.Hold, lines("acl setuser app resetpass >other", "client kill user app"), lines("acl setuser app resetpass >"+password)),
		fault(t, server, "user off", slogtest.Hold, lines("acl setuser app off", "client kill user app"), lines("acl setuser app on")),
		fault(t, server, "READONLY", slogtest.Retry, lines("replicaof 127.0.0.1 1"), lines("replicaof no one")),
		fault(t, server, "MASTERDOWN", slogtest.Retry,
			lines("config set replica-read-only no replica-serve-stale-data no", "replicaof 127.0.0.1 1"),
			lines("replicaof no one", "config set replica-read-only yes replica-serve-stale-data yes")),
		fault(t, server, "NOREPLICAS", slogtest.Retry, lines("config set min-replicas-to-write 1"), lines("config set min-replicas-to-write 0")),
		{Name: "killed", Begin: server.Kill, End: server.Restart, Want: slogtest.Retry},
		busy(t, server),
	}
	pause := fault(t, server, "CLIENT PAUSE", slogtest.Retry, lines("client pause 1000000 write"), lines("client unpause"))
	pause.Hangs, pause.Delivers = true, true
	list = append(list, pause)
	for _, what := range []trouble{cutBefore, stall, garble, loseAll, loseSome} {
		list = append(list, slogtest.Fault{
			Name:     string(what),
			Begin:    func() { r.set(what, command) },
			End:      func() { r.set(nothing, "") },
			Want:     slogtest.Retry,
			Hangs:    what == stall,
			Delivers: what == loseAll || what == loseSome,
		})
	}
	return list
}

// busy is a server that runs a script without end.
func busy(t testing.TB, server *testserver.Redis) slogtest.Fault {
	var wg sync.WaitGroup
	return slogtest.Fault{
		Name: "BUSY",
		Begin: func() {
			wg.Go(func() { _, _ = server.Do("eval", "while true do end", "0") }) // ended by End
			testserver.Wait(t, "BUSY", func() error {
				if _, err := server.Do("ping"); err == nil || !strings.Contains(err.Error(), "BUSY") {
					return fmt.Errorf("not yet: %w", err)
				}
				return nil
			})
		},
		End: func() {
			if _, err := server.Do("script", "kill"); err != nil {
				t.Errorf("script kill: %v", err)
			}
			wg.Wait()
		},
		Want: slogtest.Retry,
	}
}

// wrongType is a key that is a string.
func wrongType(t testing.TB, server *testserver.Redis) slogtest.Fault {
	return fault(t, server, "WRONGTYPE", slogtest.Hold, []string{"set shop x"}, []string{"del shop"})
}

// open opens a fan-out that says what goes wrong in the test's output.
func open(t *testing.T, uri string) *fapilog.Fanout {
	t.Helper()
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: t.Output(), ShutdownTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// requireAll checks that n records of logN are there, in order, once.
func requireAll(t *testing.T, n int, records func() ([]map[string]any, error)) {
	t.Helper()
	got, err := records()
	require.NoError(t, err)
	require.Len(t, got, n)
	for i, r := range got {
		require.Equal(t, fmt.Sprint(i), fmt.Sprint(r["i"]))
	}
}
