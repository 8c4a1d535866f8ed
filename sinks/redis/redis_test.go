package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	client "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/redis"
)

// newSink makes a sink that is closed at the end of the test.
func newSink(t *testing.T, address string, o redis.Options) *redis.Sink {
	t.Helper()
	s, err := redis.New(address, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// A stream is the default, and its entries have the fields of the package
// comment.
func TestEntries(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t)
	for _, service := range []string{"", "shop"} {
		out, err := fapilog.New(t.Context(), fapilog.Config{Service: service, Sinks: []string{"redis://" + server.Address + "/7"}, Fallback: t.Output()})
		require.NoError(t, err)
		log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		log.Warn("one", "k", "\x00\xff")
		log.Log(t.Context(), slog.LevelError+1, "two")
		require.NoError(t, out.Close())

		c := dial(t, server.Address, 7)
		entries, err := c.XRange(t.Context(), redis.DefaultStream, "-", "+").Result()
		require.NoError(t, err)
		require.NoError(t, c.Del(t.Context(), redis.DefaultStream).Err())
		require.Len(t, entries, 2)
		log0, _, _ := strings.Cut(entries[0].Values["id"].(string), ":")
		require.NotEmpty(t, log0)
		want := []map[string]any{
			{"id": log0 + ":1", "level": "WARN", "record": `{"level":"WARN","msg":"one","k":"\u0000\ufffd"}`},
			{"id": log0 + ":2", "level": "ERROR+1", "record": `{"level":"ERROR+1","msg":"two"}`},
		}
		for i, e := range entries {
			if service != "" {
				want[i]["service"] = service
			}
			require.Equal(t, want[i], e.Values)
		}
	}
}

func TestMaxLen(t *testing.T) {
	t.Parallel()
	address := testserver.StartRedis(t).Address
	c := dial(t, address, 0)
	for uri, want := range map[string][2]int64{
		"?stream=a&maxlen=500": {500, 600},
		"?stream=b&maxlen=0":   {3000, 3000},
		"?stream=c":            {3000, 3000},
		"?list=d&maxlen=500":   {500, 500},
		"?list=e&maxlen=0":     {3000, 3000},
		"?list=f":              {3000, 3000},
	} {
		out := open(t, "redis://"+address+uri)
		sinktest.LogN(out, 3000)
		require.NoError(t, out.Close())
		_, key, _ := strings.Cut(uri, "=")
		key = key[:1]
		var n int64
		var err error
		if strings.Contains(uri, "list") {
			n, err = c.LLen(t.Context(), key).Result()
			last, lastErr := c.LIndex(t.Context(), key, -1).Result()
			require.NoError(t, lastErr)
			require.Contains(t, last, `"i":2999}`)
		} else {
			n, err = c.XLen(t.Context(), key).Result()
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, want[0], uri)
		require.LessOrEqual(t, n, want[1], uri)
	}
}

// A list that cannot be cut is a warning: the records are there.
func TestListThatCannotBeCut(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, "--user", "app", "on", ">"+password, "~*", "+rpush")
	var said strings.Builder
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"redis://app:" + password + "@" + server.Address + "?list=logs"}, Fallback: &said})
	require.NoError(t, err)
	sinktest.LogN(out, 10)
	require.NoError(t, out.Close())
	requireAll(t, 10, listed(t, server.Address, redis.Options{List: "logs"}))
	require.EqualValues(t, 10, out.Stats().Sinks[0].Delivered)
	require.Contains(t, said.String(), "redis: LTRIM logs at redis://"+server.Address+": NOPERM")
	require.Contains(t, said.String(), "the list grows")
	require.NotContains(t, said.String(), password)
}

func TestMalformedURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"redis":                              "redis: open redis://: there is no host: write redis://host:6379",
		"redis://:6379":                      "there is no host",
		"redis://a:1,b:2":                    "there is more than one host: clusters and sentinels are not supported",
		"redis://h/logs-secret":              "redis: open redis://h: the path is not the number of a database",
		"redis://h/-1":                       "the path is not the number of a database",
		"redis://h/99999999999":              "the path is not the number of a database",
		"redis://app@h":                      "there is a user without a password",
		"redis://h?strem=x":                  "did you mean stream?",
		"redis://h?stream=":                  "parameter stream: it is empty",
		"redis://h?stream=a&list=b":          "parameter list: there is stream as well: leave all but one out",
		"redis://h?list=a&channel=b":         "parameter channel: there is list as well",
		"redis://h?channel=a&maxlen=1":       "parameter maxlen: a channel keeps nothing",
		"redis://h?maxlen=-1":                "parameter maxlen: not an integer from 0",
		"redis://h?maxlen=1MiB":              "parameter maxlen: not an integer",
		"redis://h?ca_file=/x":               "parameter ca_file: there is no TLS in redis: write rediss",
		"rediss://h?ca_file=/nowhere-secret": "parameter ca_file: no such file or directory",
		"rediss://h?cert_file=/nowhere":      "parameter cert_file: it goes with key_file, which is missing",
		"rediss://h?key_file=/nowhere":       "parameter key_file: it goes with cert_file, which is missing",
	} {
		parsed, err := registry.Parse(uri)
		require.NoError(t, err, uri)
		_, err = registry.Default().Open(t.Context(), parsed)
		require.ErrorContains(t, err, want, uri)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := redis.New("", redis.Options{Stream: "a", List: "b", KeyFile: "/x", DB: -1})
	require.ErrorContains(t, err, "there is no host")
	require.ErrorContains(t, err, "list: there is stream as well")
	require.ErrorContains(t, err, "key_file: there is no TLS")
	_, err = redis.New("redis://user:secret@h", redis.Options{})
	require.EqualError(t, err, "redis: open redis://: the address is not of the form host:port")
	_, err = redis.New("h", redis.Options{DB: -1})
	require.ErrorContains(t, err, "the number of the database is negative")
	_, err = redis.New("[::1]", redis.Options{TLS: true, CAFile: filepath.Join(t.TempDir(), "none")})
	require.ErrorContains(t, err, "redis: open rediss://[::1]: ca_file: ")
}

// What is wrong at start-up is said, with what to do, and without the password.
func TestProbe(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, "--requirepass", password,
		"--user", "app", "on", ">"+password, "~logs", "+xadd",
		"--user", "reader", "on", ">"+password, "~*", "+xrange", "+type", "+ping")
	c := client.NewClient(&client.Options{Addr: server.Address, Password: password, Protocol: 2})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.NoError(t, c.Set(t.Context(), "text", "x", 0).Err())
	probe := func(user, parameters string) error {
		out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"redis://" + user + server.Address + parameters}, Fallback: t.Output()})
		if err == nil {
			require.NoError(t, out.Close())
			return nil
		}
		for _, secret := range []string{password, "hunter2"} {
			require.NotContains(t, err.Error(), secret)
		}
		return err
	}
	require.NoError(t, probe("app:"+password+"@", ""))
	require.NoError(t, probe(":"+password+"@", "?list=new"))
	require.NoError(t, probe(":"+password+"@", "?channel=new"))
	require.ErrorContains(t, probe("", ""), "NOAUTH Authentication required.: the server wants a password: write redis://user:password@host")
	require.ErrorContains(t, probe("app:hunter2@", ""), "redis: XADD logs at redis://"+server.Address+": WRONGPASS")
	require.ErrorContains(t, probe("app:"+password+"@", "?stream=other"), "NOPERM")
	require.ErrorContains(t, probe("reader:"+password+"@", ""), "allow the user the command and the key, as with ACL SETUSER")
	require.ErrorContains(t, probe(":"+password+"@", "/99"), "DB index is out of range: correct the number in the path of the URI")
	require.ErrorContains(t, probe(":"+password+"@", "?stream=text"), "WRONGTYPE the key is of type string: choose another key, or delete this one")
	require.ErrorContains(t, probe(":"+password+"@", "?list=text"), "redis: RPUSH text at redis://"+server.Address+": WRONGTYPE the key is of type string")
	keys, err := c.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Equal(t, []string{"text"}, keys, "a probe writes nothing")

	server.Kill()
	require.ErrorContains(t, probe("app:hunter2@", ""), "dial tcp "+server.Address+": connect: connection refused")
	require.NoError(t, probe("", "?soft_start=true"))
	require.Error(t, probe("", "?soft_start=true&stream="))
	server.Restart()
	for user, parameters := range map[string]string{"": "?", "app:hunter2@": "?", ":" + password + "@": "/99?", "app:" + password + "@": "?stream=other&"} {
		err := probe(user, parameters+"soft_start=true")
		require.Error(t, err, "waives that the server is down, not %s%s", user, parameters)
		require.NotContains(t, err.Error(), "starts all the same")
	}
}

// A call that the server does not answer ends with its context, and with Close.
func TestHangingServer(t *testing.T) {
	t.Parallel()
	r := newRelay(t, testserver.StartRedis(t).Address)
	s := newSink(t, r.address, redis.Options{})
	require.NoError(t, s.Write(t.Context(), []sinks.Event{event("before")}))
	r.set(stall, "")
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error)
	go func() { written <- s.Write(ctx, []sinks.Event{event("cancelled")}) }()
	cancel()
	err := <-written
	require.ErrorContains(t, err, "context canceled")
	go func() { written <- s.Write(context.Background(), []sinks.Event{event("closed")}) }()
	require.NoError(t, s.Close())
	require.ErrorContains(t, <-written, "the sink is closed")
	require.ErrorContains(t, s.Probe(t.Context()), "the sink is closed")
}

// An idle connection that the server has closed costs no failed attempt.
func TestIdleConnection(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t)
	s := newSink(t, server.Address, redis.Options{})
	for range 3 {
		require.NoError(t, s.Write(t.Context(), []sinks.Event{event("x")}))
		// Answered when it has been closed: the killer is another connection.
		_, err := server.Do("client", "kill", "type", "normal", "skipme", "yes")
		require.NoError(t, err)
		testserver.Wait(t, "the connection to end", func() error {
			n, err := dial(t, server.Address, 0).Info(t.Context(), "clients").Result()
			if err == nil && !strings.Contains(n, "connected_clients:1\r") {
				err = errors.New(n)
			}
			return err
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, strangers := testserver.NewAuthority(t, "ca"), testserver.NewAuthority(t, "strangers")
	cert, key := ca.Issue("server")
	port := testserver.Port(t)
	plain := testserver.StartRedis(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca.File)
	address := testserver.Address(port)
	certFile, keyFile := ca.Issue("client")
	parameters := "ca_file=" + ca.File + "&cert_file=" + certFile + "&key_file=" + keyFile
	out := open(t, "rediss://"+address+"?"+parameters)
	sinktest.LogN(out, 100)
	require.NoError(t, out.Close())
	requireAll(t, 100, streamed(t, plain.Address, redis.Options{Stream: redis.DefaultStream}))

	// Waits for the end of a line, which what is encrypted need not have.
	r := newRelay(t, plain.Address)
	r.set(stall, "")
	for uri, want := range map[string]string{
		"rediss://" + r.address + "?timeout=500ms":           "no answer to the TLS handshake: if the port speaks no TLS, write redis",
		"rediss://" + address:                                "certificate signed by unknown authority",
		"rediss://" + address + "?ca_file=" + strangers.File: "certificate",
		"rediss://" + address + "?ca_file=" + ca.File:        "certificate required",
		"redis://" + address:                                 "if the port speaks TLS, write rediss",
	} {
		_, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: t.Output()})
		require.ErrorContains(t, err, want, uri)
	}
	s := newSink(t, address, redis.Options{TLS: true, CAFile: ca.File})
	requireVerdict(t, hold, s.Write(t.Context(), []sinks.Event{event("x")}))
	s = newSink(t, address, redis.Options{TLS: true})
	requireVerdict(t, hold, s.Write(t.Context(), []sinks.Event{event("x")}))
}

// A client certificate that cannot be read any more is said to be so, and the one
// that was read before remains in use.
func TestCertificateThatIsSpoilt(t *testing.T) {
	t.Parallel()
	ca := testserver.NewAuthority(t, "ca")
	cert, key := ca.Issue("server")
	port := testserver.Port(t)
	plain := testserver.StartRedis(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca.File)
	certFile, keyFile := ca.Issue("client")
	var said strings.Builder
	out, err := fapilog.New(t.Context(), fapilog.Config{
		Sinks:    []string{"rediss://" + testserver.Address(port) + "?soft_start=true&ca_file=" + ca.File + "&cert_file=" + certFile + "&key_file=" + keyFile},
		Fallback: &said,
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certFile, []byte("not a certificate"), 0o600))
	_, err = plain.Do("client", "kill", "type", "normal", "skipme", "yes")
	require.NoError(t, err)
	sinktest.LogN(out, 3)
	require.NoError(t, out.Close())
	requireAll(t, 3, streamed(t, plain.Address, redis.Options{Stream: redis.DefaultStream}))
	require.Contains(t, said.String(), "the client certificate that was read before is still in use")
}

// A record costs the allocation of the answer, which is an ID.
func TestRecordsDoNotAllocate(t *testing.T) {
	s := newSink(t, testserver.RedisAddress(t), redis.Options{Stream: "allocations", MaxLen: 10})
	few, many := []sinks.Event{event("x")}, make([]sinks.Event, 2001)
	for i := range many {
		many[i] = event("x", "i", i)
		many[i].JSON()
	}
	allocs := func(batch []sinks.Event) float64 {
		write := func() {
			if err := s.Write(context.Background(), batch); err != nil {
				t.Fatal(err)
			}
		}
		write()
		return testing.AllocsPerRun(20, write)
	}
	require.Less(t, allocs(many), allocs(few)+2200)
}
