package all_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
	// stored returns the IDs of the records that the server has, in the order in which it
	// has them.
	stored func() []string
	// doubles says that a record whose answer was lost may be there twice.
	doubles bool
}

// Every record arrives at all destinations, although each of their servers is
// killed while it has a request, and nothing but that server's own sink notices.
func TestEveryServerIsKilledOnce(t *testing.T) {
	t.Parallel()
	const (
		records = 200_000
		buffer  = 64 << 20
	)
	servers := []outageServer{postgresOutage(t), redisOutage(t), lokiOutage(t)}
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
			log.Info("order placed", "i", logged, "item", "book", "price", 12.5)
			logged++
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
			if s := stats(name); int(s.Delivered) < logged-some {
				return fmt.Errorf("%d of %d delivered: %v: %w", s.Delivered, logged, s.State, s.LastError)
			}
			return nil
		})
	}

	step := records / (3 * len(servers))
	for _, down := range servers {
		write(step)
		await(down.name, step/2) // it is in the midst of them
		retries := out.Stats().Sinks
		down.kill()
		write(step)
		for _, s := range retries {
			if s.Name != down.name {
				await(s.Name, 0)
				require.Equal(t, s.Retries, stats(s.Name).Retries, "%s noticed the end of %s", s.Name, down.name)
			}
		}
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
		require.Equal(t, i, r.I)
	}
	for _, s := range servers {
		st := stats(s.name)
		require.EqualValues(t, records, st.Delivered, s.name)
		require.Zero(t, st.Dropped+st.Rejected+st.Filtered+st.Pending, s.name)
		require.NotZero(t, st.Retries, s.name)
		requireAll(t, s, records)
	}
	require.Zero(t, stats("file").Retries)
	// The buffer, the batches that seven workers have in hand, and their clients.
	if !raceEnabled {
		require.Less(t, most-before, buffer+64<<20)
	}
}

// requireAll checks that a server has the records 1 to n.
func requireAll(t *testing.T, s outageServer, n int) {
	t.Helper()
	seen := make([]int, n+1)
	for _, id := range s.stored() {
		seq, err := strconv.Atoi(id[strings.LastIndex(id, ":")+1:])
		require.NoError(t, err, s.name)
		seen[seq]++
	}
	missing, doubled := 0, 0
	for _, times := range seen[1:] {
		if times == 0 {
			missing++
		} else {
			doubled += times - 1
		}
	}
	require.Zero(t, missing, s.name)
	if s.doubles {
		t.Logf("%s: %d records are there twice", s.name, doubled)
	} else {
		require.Zero(t, doubled, s.name)
	}
}

func postgresOutage(t *testing.T) outageServer {
	p := testserver.StartPostgres(t, "log_min_messages=fatal")
	return outageServer{
		name: "postgres", uri: p.URI(p.User("app"), "name=postgres&timeout=2m"), kill: p.Kill, restart: p.Restart,
		stored: func() []string {
			ids, err := p.Strings(`SELECT log_id || ':' || seq FROM logs`)
			require.NoError(t, err)
			return ids
		},
	}
}

func redisOutage(t *testing.T) outageServer {
	r := testserver.StartRedis(t)
	return outageServer{
		name: "redis", uri: "redis://" + r.Address + "?maxlen=0&name=redis&timeout=2m", kill: r.Kill, restart: r.Restart, doubles: true,
		stored: func() (ids []string) {
			c := client.NewClient(&client.Options{Addr: r.Address})
			defer c.Close()
			entries, err := c.XRange(t.Context(), "logs", "-", "+").Result()
			require.NoError(t, err)
			for _, e := range entries {
				ids = append(ids, e.Values["id"].(string))
			}
			return ids
		},
	}
}

func lokiOutage(t *testing.T) outageServer {
	l := testserver.StartLoki(t, testserver.LokiConfig{Limits: testserver.LokiTakesAll, Own: true})
	from := time.Now()
	return outageServer{
		name: "loki", uri: "loki://" + l.Address + "?labels=app=shop&record_id=true&name=loki&timeout=2m", kill: l.Kill, restart: l.Restart,
		stored: func() (ids []string) {
			entries, err := l.Query("", `{app="shop"}`, from, time.Now())
			require.NoError(t, err)
			for _, e := range entries {
				ids = append(ids, e.Metadata["log_id"]+":"+e.Metadata["log_seq"])
			}
			return ids
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
