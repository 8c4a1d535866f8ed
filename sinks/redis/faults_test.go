package redis_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/redis"
)

const (
	retry    = verdict.Retry
	tooLarge = verdict.TooLarge
	hold     = verdict.Hold
)

func requireVerdict(t *testing.T, want verdict.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	kind, _, _ := verdict.Of(err)
	require.Equal(t, want, kind, "%v", err)
}

// requireItems checks the verdicts of a BatchError: of the records that were
// not delivered, by index.
func requireItems(t *testing.T, want map[int]verdict.Kind, err error) {
	t.Helper()
	e, ok := err.(*sinks.BatchError)
	require.True(t, ok, "%v", err)
	got := make(map[int]verdict.Kind)
	for i, err := range e.Items {
		got[i], _, _ = verdict.Of(err)
	}
	require.Equal(t, want, got, "%v", err)
}

func batch(n int) []sinks.Event {
	b := make([]sinks.Event, n)
	for i := range b {
		b[i] = event(fmt.Sprint("record ", i), "i", i)
	}
	return b
}

// Nothing is lost when the server is killed, and what is doubled can be told by
// its id.
func TestServerThatIsKilled(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t)
	out := open(t, "redis://"+server.Address+"?batch=50&linger=1ms")
	const count = 30_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		sinktest.LogN(out, count)
	}()
	testserver.Wait(t, "the first record", func() error {
		if line, err := server.Do("exists", redis.DefaultStream); err != nil || line != ":1" {
			return os.ErrNotExist
		}
		return nil
	})
	server.Kill()
	server.Restart()
	<-done
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, count, st.Delivered)
	require.Zero(t, st.Dropped+st.Rejected+st.Pending)
	requireAll(t, count, streamed(t, server.Address, redis.Options{Stream: redis.DefaultStream}))
}

// Other sinks are unaffected by one that is held, and the operator's correction
// is enough.
func TestHeldUntilCorrected(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t)
	path := t.TempDir() + "/log"
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"redis://" + server.Address, "file:" + path}, Fallback: t.Output()})
	require.NoError(t, err)
	_, err = server.Do("set", redis.DefaultStream, "a string")
	require.NoError(t, err)
	sinktest.LogN(out, 100)
	testserver.Wait(t, "the sink to be held", func() error {
		if st := out.Stats().Sinks; st[0].State != fapilog.StateHeld || st[1].Delivered != 100 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	require.ErrorContains(t, out.Stats().Sinks[0].LastError, "WRONGTYPE")
	_, err = server.Do("del", redis.DefaultStream)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	requireAll(t, 100, streamed(t, server.Address, redis.Options{Stream: redis.DefaultStream}))
}

// A password that the server is given while the sink is connected, and that the URI
// lacks, is the operator's matter: nothing is lost over it.
func TestPasswordThatIsSet(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t)
	c := dial(t, server.Address, 0)
	require.NoError(t, c.Ping(t.Context()).Err()) // its connection stays
	out := open(t, "redis://"+server.Address)
	require.NoError(t, c.ConfigSet(t.Context(), "requirepass", password).Err())
	require.NoError(t, c.Do(t.Context(), "client", "kill", "type", "normal", "skipme", "yes").Err())
	sinktest.LogN(out, 100)
	testserver.Wait(t, "the sink to be held", func() error {
		if st := out.Stats().Sinks[0]; st.State != fapilog.StateHeld {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	require.ErrorContains(t, out.Stats().Sinks[0].LastError, ": the server wants a password: write redis://user:password@host")
	require.NoError(t, c.Do(t.Context(), "auth", password).Err())
	require.NoError(t, c.ConfigSet(t.Context(), "requirepass", "").Err())
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, 100, st.Delivered)
	require.Zero(t, st.Dropped+st.Rejected+st.Pending)
	requireAll(t, 100, streamed(t, server.Address, redis.Options{Stream: redis.DefaultStream}))
}

// What was answered before the connection broke is not sent again.
func TestAnswersThatAreLost(t *testing.T) {
	t.Parallel()
	for what, want := range map[trouble]int{loseAll: 5, loseSome: 4} {
		server := testserver.StartRedis(t)
		r := newRelay(t, server.Address)
		s := newSink(t, r.address, redis.Options{Stream: "s"})
		b := batch(5)
		r.set(what, "xadd")
		err := s.Write(t.Context(), b)
		r.set(nothing, "")
		if what == loseSome {
			requireItems(t, map[int]verdict.Kind{1: retry, 2: retry, 3: retry, 4: retry}, err)
		} else {
			requireVerdict(t, retry, err)
			require.NotErrorAs(t, err, new(*sinks.BatchError), "the boundaries stay")
		}
		require.NoError(t, s.Write(t.Context(), b[5-want:]))
		entries, err := dial(t, server.Address, 0).XRange(t.Context(), "s", "-", "+").Result()
		require.NoError(t, err)
		times := make(map[any]int)
		for _, e := range entries {
			times[e.Values["record"]]++
		}
		require.Len(t, times, 5)
		require.Len(t, entries, 5+want, "what was answered is there once, the rest twice")
	}
}

// Each answer counts for its own record.
func TestRecordThatIsTooLarge(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, "--proto-max-bulk-len", "1mb")
	s := newSink(t, server.Address, redis.Options{Stream: "s"})
	for range 20 { // the server closes the connection while it is being written to
		b := batch(4)
		b[2] = event(strings.Repeat("x", 8<<20))
		requireItems(t, map[int]verdict.Kind{2: tooLarge, 3: retry}, s.Write(t.Context(), b))
	}
	out := open(t, "redis://"+server.Address+"?stream=t&linger=50ms")
	sinktest.LogN(out, 1)
	h := fapilog.Handler(out, nil)
	require.NoError(t, h.Handle(t.Context(), event(strings.Repeat("x", 2<<20)).Record()))
	require.NoError(t, h.Handle(t.Context(), event("after", "i", 1).Record()))
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, 2, st.Delivered)
	require.EqualValues(t, 1, st.Rejected)
	requireAll(t, 2, streamed(t, server.Address, redis.Options{Stream: "t"}))
}

// A server that has just been started reads what it has on its disk.
func TestLoading(t *testing.T) {
	t.Parallel()
	options := []string{"--appendonly", "no", "--loading-process-events-interval-bytes", "1024"}
	server := testserver.StartRedis(t, options...)
	c := dial(t, server.Address, 0)
	pipe := c.Pipeline()
	for i := range 10_000 {
		pipe.Set(t.Context(), fmt.Sprint("key ", i), "value", 0)
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Save(t.Context()).Err())
	conf, err := c.ConfigGet(t.Context(), "dir").Result()
	require.NoError(t, err)
	server.Kill()

	slow := testserver.StartRedis(t, append(options, "--dir", conf["dir"], "--key-load-delay", "2000")...) // microseconds
	s := newSink(t, slow.Address, redis.Options{Stream: "s"})
	require.ErrorContains(t, s.Probe(t.Context()), "LOADING")
	err = s.Write(t.Context(), batch(2))
	requireItems(t, map[int]verdict.Kind{0: retry, 1: retry}, err)
	require.ErrorContains(t, err, "LOADING")
	slow.Kill() // it would take long
}

func TestClusterWithoutSlots(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, "--cluster-enabled", "yes")
	s := newSink(t, server.Address, redis.Options{Stream: "s"})
	err := s.Write(t.Context(), batch(1))
	requireItems(t, map[int]verdict.Kind{0: retry}, err)
	require.ErrorContains(t, err, "CLUSTERDOWN")
	_, err = server.Do("cluster", "addslotsrange", "0", "16383")
	require.NoError(t, err)
	testserver.Wait(t, "the cluster", func() error { return s.Write(t.Context(), batch(1)) })
}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t)
	c := dial(t, server.Address, 0)
	require.NoError(t, c.ConfigSet(t.Context(), "maxclients", "1").Err())
	s := newSink(t, server.Address, redis.Options{Stream: "s"})
	err := s.Write(t.Context(), batch(1))
	requireVerdict(t, retry, err)
	require.ErrorContains(t, err, "max number of clients reached")
	require.ErrorContains(t, s.Probe(t.Context()), "max number of clients reached")
	require.NoError(t, c.ConfigSet(t.Context(), "maxclients", "100").Err())
	require.NoError(t, s.Write(t.Context(), batch(1)))
}

// Protected mode cannot be had on the loopback interface.
func TestProtectedMode(t *testing.T) {
	t.Parallel()
	r := newRelay(t, testserver.StartRedis(t).Address)
	r.words = "-DENIED Redis is running in protected mode because"
	r.set(lastWords, "")
	for _, o := range []redis.Options{{}, {Password: password}} {
		s := newSink(t, r.address, o)
		err := s.Write(t.Context(), batch(1))
		requireVerdict(t, hold, err)
		require.ErrorContains(t, err, "DENIED")
	}
}

// What the real server cannot easily be made to say.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]verdict.Kind{
		"-MOVED 3999 127.0.0.1:6381":                                 hold,
		"-ASK 3999 127.0.0.1:6381":                                   retry,
		"-TRYAGAIN Multiple keys request during rehashing of slot":   retry,
		"-MISCONF Errors writing to the AOF file: No space left":     hold,
		"-OOM command not allowed when used memory > 'maxmemory'.":   retry,
		"-ERR unknown command 'xadd', with args beginning with: 'x'": hold,
		"-ERR string exceeds maximum allowed size (512MB)":           tooLarge,
		"-ERR Elements are too large to be stored":                   tooLarge,
		"-ERR The stream has exhausted the last possible ID":         hold,
		"-WHATEVER secret-password":                                  hold,
	} {
		s := newSink(t, scripted(t, says), redis.Options{Username: "app", Password: password})
		err := s.Write(t.Context(), batch(3))
		requireItems(t, map[int]verdict.Kind{0: want, 2: want}, err) // the second is taken
		require.NotContains(t, err.Error(), password)
		require.Contains(t, err.Error(), strings.Fields(says[1:])[0])
	}
	// An answer that is none, or not the whole.
	for _, says := range []string{"", "!", "$5\r\nab", "*1", "-"} {
		s := newSink(t, scripted(t, says), redis.Options{})
		requireRetryOrHold(t, s.Write(t.Context(), batch(3)))
	}
}

// requireRetryOrHold checks that no record is given up.
func requireRetryOrHold(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	errs := []error{err}
	if e, ok := err.(*sinks.BatchError); ok {
		errs = slices.Collect(maps.Values(e.Items))
	}
	for _, err := range errs {
		kind, _, _ := verdict.Of(err)
		require.Contains(t, []verdict.Kind{retry, hold}, kind, "%v", err)
	}
}

// scripted is a server of old that takes every second record, and says the same
// about the others. It closes the connection after three.
func scripted(t *testing.T, says string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				answer(conn, says)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

func answer(conn net.Conn, says string) {
	r := bufio.NewReader(conn)
	for records := 0; records < 3; {
		var n int
		if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
			return
		}
		var name string
		for i := range n {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			size, err := strconv.Atoi(strings.TrimSpace(line[1:]))
			if err != nil {
				return
			}
			text := make([]byte, size+2)
			if _, err := io.ReadFull(r, text); err != nil {
				return
			}
			if i == 0 {
				name = string(text[:size])
			}
		}
		line := "+OK"
		switch name {
		case "hello":
			line = "-ERR unknown command 'HELLO', with args beginning with: 'AUTH' 'app' '" + password + "'"
		case "xadd":
			line = "+1-1"
			if records%2 == 0 {
				line = says
			}
			records++
		}
		if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
			return
		}
	}
}
