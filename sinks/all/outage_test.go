package all_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/testserver"
)

// An outageServer is one of those that TestEveryServerIsKilledOnce kills. The
// timeout in its URI is one that no busy machine needs.
type outageServer struct {
	name    string
	uri     string
	kill    func()
	restart func()
	// idle says that it is killed between two requests: what it answers to one that is
	// cut off is not sent again.
	idle bool
	// verify checks that the server has the records 1 to n, of which each
	// outageErrors-th is an error.
	verify func(t *testing.T, n int)
}

const outageErrors = 500

// Every record arrives at all destinations, although each of their servers is
// killed while it has a request, and nothing but that server's own sink notices.
func TestEveryServerIsKilledOnce(t *testing.T) {
	t.Parallel()
	const (
		records = 200_000
		buffer  = 64 << 20
	)
	servers := []outageServer{postgresOutage(t), redisOutage(t), lokiOutage(t), elasticsearchOutage(t), slackOutage(t)}
	file := filepath.Join(t.TempDir(), "app.log")
	cfg := fapilog.Config{Service: "shop", Fallback: t.Output(), Buffer: buffer, ShutdownTimeout: time.Minute, Sinks: []string{"file://" + file + "?name=file"}}
	for _, s := range servers {
		cfg.Sinks = append(cfg.Sinks, s.uri)
	}
	before := resident(t)
	out, err := fapilog.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	log := slog.New(fapilog.Handler(out, nil)).With("region", "eu")
	logged, most := 0, 0
	write := func(n int) {
		for range n {
			logged++
			level, msg := slog.LevelInfo, "order placed"
			if logged%outageErrors == 0 {
				level, msg = slog.LevelError, "order refused"
			}
			log.Log(t.Context(), level, msg, "i", logged, "item", "book", "price", 12.5)
		}
		most = max(most, resident(t))
	}
	stats := func(name string) fapilog.SinkStats {
		for _, s := range out.Stats().Sinks {
			if s.Name == name {
				return s
			}
		}
		t.Fatalf("there is no sink %s", name)
		return fapilog.SinkStats{}
	}
	// await waits until a sink has delivered what was logged so far, but for some.
	await := func(name string, some int) {
		t.Helper()
		testserver.Wait(t, "delivery to "+name, func() error {
			if s := stats(name); int(s.Filtered+s.Delivered) < logged-some {
				return fmt.Errorf("%d of %d delivered: %v: %w", s.Filtered+s.Delivered, logged, s.State, s.LastError)
			}
			return nil
		})
	}

	step := records / (3 * len(servers))
	for _, down := range servers {
		write(step)
		if down.idle {
			await(down.name, 0)
		} else {
			await(down.name, step/2) // it is in the midst of them
		}
		retries := out.Stats().Sinks
		down.kill()
		write(step)
		for _, s := range retries {
			if s.Name != down.name {
				await(s.Name, 0)
				require.Equal(t, s.Retries, stats(s.Name).Retries, "%s noticed the end of %s", s.Name, down.name)
			}
		}
		testserver.Wait(t, down.name+" to be tried again", func() error {
			if s := stats(down.name); s.Retries == 0 {
				return fmt.Errorf("it is %v: %w", s.State, s.LastError)
			}
			return nil
		})
		require.NotZero(t, stats(down.name).Pending, down.name)
		down.restart()
		write(step)
		await(down.name, 0)
	}
	write(records - logged)
	require.NoError(t, out.Close())

	lines, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, records, bytes.Count(lines, []byte("\n")))
	for i, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		var r struct{ I int }
		require.NoError(t, json.Unmarshal(line, &r))
		require.Equal(t, i+1, r.I)
	}
	for _, s := range servers {
		st := stats(s.name)
		require.EqualValues(t, records, st.Filtered+st.Delivered, s.name)
		require.Zero(t, st.Dropped+st.Rejected+st.Pending, s.name)
		s.verify(t, records)
	}
	require.Zero(t, stats("file").Retries)
	// The buffer, the batches that the workers have in hand, and their clients.
	if !raceEnabled {
		require.Less(t, most-before, buffer+64<<20)
	}
}

// requireIDs checks that ids are those of the records 1 to n. It returns how many
// are there again.
func requireIDs(t *testing.T, n int, ids []string) (doubled int) {
	t.Helper()
	seen := make([]int, n+1)
	for _, id := range ids {
		seq, err := strconv.Atoi(id[strings.LastIndex(id, ":")+1:])
		require.NoError(t, err)
		seen[seq]++
	}
	require.NotContains(t, seen[1:], 0)
	return len(ids) - n
}

func postgresOutage(t *testing.T) outageServer {
	p := testserver.StartPostgres(t, "log_min_messages=fatal")
	return outageServer{
		name: "postgres", uri: p.URI(p.User("app"), "name=postgres&timeout=2m"), kill: p.Kill, restart: p.Restart,
		verify: func(t *testing.T, n int) {
			ids, err := p.Strings(`SELECT log_id || ':' || seq FROM logs`)
			require.NoError(t, err)
			require.Zero(t, requireIDs(t, n, ids))
		},
	}
}

func redisOutage(t *testing.T) outageServer {
	r := testserver.StartRedis(t)
	return outageServer{
		name: "redis", uri: "redis://" + r.Address + "?maxlen=0&name=redis&timeout=2m", kill: r.Kill, restart: r.Restart,
		verify: func(t *testing.T, n int) {
			c := client.NewClient(&client.Options{Addr: r.Address})
			defer c.Close()
			entries, err := c.XRange(t.Context(), "logs", "-", "+").Result()
			require.NoError(t, err)
			var ids []string
			for _, e := range entries {
				ids = append(ids, e.Values["id"].(string))
			}
			t.Logf("redis: %d records are there twice, because an answer was lost", requireIDs(t, n, ids))
		},
	}
}

func lokiOutage(t *testing.T) outageServer {
	l := testserver.StartLoki(t, testserver.LokiConfig{Limits: testserver.LokiTakesAll, Own: true})
	from := time.Now()
	return outageServer{
		name: "loki", uri: "loki://" + l.Address + "?labels=app=shop&record_id=true&name=loki&timeout=2m", kill: l.Kill, restart: l.Restart,
		verify: func(t *testing.T, n int) {
			entries, err := l.Query("", `{app="shop"}`, from, time.Now())
			require.NoError(t, err)
			var ids []string
			for _, e := range entries {
				ids = append(ids, e.Metadata["log_id"]+":"+e.Metadata["log_seq"])
			}
			require.Zero(t, requireIDs(t, n, ids))
		},
	}
}

func elasticsearchOutage(t *testing.T) outageServer {
	e := testserver.StartElasticsearch(t)
	return outageServer{
		name: "elasticsearch", uri: "elasticsearch://" + e.Address + "/shop?name=elasticsearch&timeout=2m", kill: e.Kill, restart: e.Restart,
		verify: func(t *testing.T, n int) {
			// No two documents have the same id, which is the log and this number.
			require.Equal(t, n, e.Count("shop"))
			within := e.Do(http.MethodGet, fmt.Sprintf("/shop/_count?q=event.sequence:[1%%20TO%%20%d]", n), "")
			require.Contains(t, string(within), fmt.Sprintf(`"count":%d,`, n))
		},
	}
}

func slackOutage(t *testing.T) outageServer {
	s := testserver.StartSlack(t, 500*time.Millisecond)
	return outageServer{
		name: "slack", uri: "slack+" + s.URL + "?every=1s&per_hour=3600&name=slack&timeout=2m", kill: s.Kill, restart: s.Restart, idle: true,
		verify: func(t *testing.T, n int) {
			title, total := regexp.MustCompile(`^ERROR: ([0-9]+) records? of shop$`), 0
			for _, m := range s.Messages() {
				match := title.FindStringSubmatch(m.Blocks[0].Text.Text)
				require.NotNil(t, match, "%+v", m)
				n, err := strconv.Atoi(match[1])
				require.NoError(t, err)
				total += n
			}
			require.Equal(t, n/outageErrors, total)
		},
	}
}

// resident returns how much memory the process has, in bytes, but for files that
// are mapped into it.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not on Linux
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return n << 10
}
