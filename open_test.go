package fapilog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// memos is a registry with a scheme my_sink, whose sinks it keeps.
type memos struct {
	registry.Registry
	opened []*closing
	uris   []*registry.URI
}

type closing struct {
	memo
	service string
	closed  atomic.Bool
}

func (s *closing) Write(ctx context.Context, batch []sinks.Event) error {
	s.service = batch[0].Service()
	return s.memo.Write(ctx, batch)
}

func (s *closing) Close() error {
	s.closed.Store(true)
	return nil
}

func newMemos() *memos {
	m := &memos{}
	m.Register("my_sink", func(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
		uri.Text("token", "")
		uri.Text("labels", "")
		uri.Int("max_bytes", 1, 1, 100)
		if uri.Bool("fail", false) {
			return nil, fmt.Errorf("dial %s: refused", uri.Raw())
		}
		m.opened = append(m.opened, &closing{})
		m.uris = append(m.uris, uri)
		return m.opened[len(m.opened)-1], nil
	})
	return m
}

func TestEverythingThatIsWrongIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	m := newMemos()
	_, err := fapilog.New(t.Context(), fapilog.Config{
		Registry: &m.Registry,
		Buffer:   10,
		Sinks: []string{
			"my_sink://ok",
			"my_sink://u:pass@one/?maxBytes=10&level=loud&linger=5",
			"my_sink://two?fail=true&token=hunter22",
			"nonsense",
			"://",
			"my_sink://three?match=a==,&name=a",
			"my_sink://four?name=a",
		},
		Targets: []fapilog.Target{
			{},
			{Name: "a", Sink: &memo{}, Batch: -1, Overflow: "explode"},
		},
	})
	require.Error(t, err)
	want := []string{
		`fapilog: buffer of 10 bytes: at least 1024 are needed`,
		`fapilog: open sink 2: registry: check my_sink://one: parameter maxBytes: unknown: did you mean max_bytes?`,
		`fapilog: open sink 2: registry: check my_sink://one: parameter level: not a level:`,
		`fapilog: open sink 2: registry: check my_sink://one: parameter linger: not a duration`,
		`fapilog: open sink 3: registry: open my_sink://two: dial my_sink://two`,
		`fapilog: open sink 4: registry: open nonsense://: unknown scheme: registered are my_sink`,
		`fapilog: open sink 5: registry: parse URI:`,
		`fapilog: open sink 6: registry: check my_sink://three: parameter match:`,
		`fapilog: open sink 7 (my_sink://four): name "a" is that of sink 6`,
		`fapilog: open target 1 (sink-2): there is no sink: set Sink`,
		`fapilog: open target 2 (a): name "a" is that of sink 7`,
		`fapilog: open target 2 (a): batch -1: at least 1 record`,
		`fapilog: open target 2 (a): overflow "explode": write drop_oldest or block`,
	}
	got := strings.Split(err.Error(), "\n")
	for _, w := range want {
		require.Condition(t, func() bool {
			for _, line := range got {
				if strings.HasPrefix(line, w) {
					return true
				}
			}
			return false
		}, "%s\nis not in\n%s", w, err)
	}
	require.Len(t, got, len(want), "%s", err)
	for _, secret := range []string{"pass", "hunter22", "loud"} {
		require.NotContains(t, err.Error(), secret)
	}
	for _, s := range m.opened {
		require.True(t, s.closed.Load(), "what was opened before a failure is closed")
	}
	require.NotEmpty(t, m.opened)
}

// The forms that users of the predecessor knew, as far as they concern more
// than package registry.
func TestFormsOfThePredecessor(t *testing.T) {
	m := newMemos()
	t.Setenv("FAPILOG_SINKS", " my_sink://localhost:8080 ,, my_sink://loki:3100?labels=app=shop,env=prod")
	cfg, err := fapilog.ConfigFromEnv()
	require.NoError(t, err)
	cfg.Registry = &m.Registry
	out, err := fapilog.New(t.Context(), cfg)
	require.NoError(t, err)
	logN(out, 1)
	require.NoError(t, out.Close())
	require.Len(t, m.opened, 2)
	require.Equal(t, "app=shop,env=prod", m.uris[1].Text("labels", ""), "not split at the inner comma")
	require.Equal(t, "my_sink", out.Stats().Sinks[0].Name)
	require.Equal(t, "my_sink-2", out.Stats().Sinks[1].Name)
	for _, s := range m.opened {
		require.Equal(t, []string{"0"}, s.got())
		require.True(t, s.closed.Load(), "the lifecycle is called")
	}
}

func TestEnvironment(t *testing.T) {
	env := map[string]string{
		"FAPILOG_SERVICE":          "shop-api",
		"FAPILOG_SINKS":            "stdout://",
		"FAPILOG_SINKS_SHOP_API":   "my_sink://a,stderr",
		"FAPILOG_LEVEL":            "warning",
		"FAPILOG_BUFFER":           "2MiB",
		"FAPILOG_SHUTDOWN_TIMEOUT": "1m",
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	cfg, err := fapilog.ConfigFromEnv()
	require.NoError(t, err)
	require.Equal(t, "shop-api", cfg.Service)
	require.Equal(t, []string{"my_sink://a", "stderr"}, cfg.Sinks)
	require.Equal(t, slog.LevelWarn, cfg.Level)
	require.Equal(t, int64(2<<20), cfg.Buffer)
	require.Equal(t, time.Minute, cfg.ShutdownTimeout)

	m := newMemos()
	cfg.Registry, cfg.Sinks = &m.Registry, cfg.Sinks[:1]
	out, err := fapilog.New(t.Context(), cfg)
	require.NoError(t, err)
	l := slog.New(fapilog.Handler(out, nil))
	l.Info("below the level of the environment")
	l.Warn("w")
	require.NoError(t, out.Close())
	require.Equal(t, []string{"w"}, m.opened[0].got())
	require.Equal(t, "shop-api", m.opened[0].service, "sinks see the service")

	t.Setenv("FAPILOG_SERVICE", "other")
	cfg, err = fapilog.ConfigFromEnv()
	require.NoError(t, err)
	require.Equal(t, []string{"stdout://"}, cfg.Sinks)

	t.Setenv("FAPILOG_LEVEL", "s3cret-a")
	t.Setenv("FAPILOG_BUFFER", "s3cret-b")
	t.Setenv("FAPILOG_SHUTDOWN_TIMEOUT", "s3cret-c")
	_, err = fapilog.Open(t.Context())
	for _, name := range []string{"FAPILOG_LEVEL", "FAPILOG_BUFFER", "FAPILOG_SHUTDOWN_TIMEOUT"} {
		require.ErrorContains(t, err, "fapilog: read "+name+": ")
	}
	require.NotContains(t, err.Error(), "s3cret")
}

func TestErrorsSayWhereInTheEnvironmentTheSinkIs(t *testing.T) {
	t.Setenv("FAPILOG_SINKS", "stderr://,nope://x")
	_, err := fapilog.Open(t.Context())
	require.ErrorContains(t, err, "fapilog: open FAPILOG_SINKS 2: registry: open nope://x: unknown scheme: ")
	require.ErrorContains(t, err, "stdout")
}

func TestOpenWithoutAnySink(t *testing.T) {
	t.Setenv("FAPILOG_SINKS", "")
	old := os.Stdout
	r, w, err := os.Pipe()
	require.NoError(t, err)
	os.Stdout = w
	defer func() { os.Stdout = old }()
	out, err := fapilog.Open(t.Context())
	require.NoError(t, err)
	slog.New(fapilog.Handler(out, nil)).Info("hello")
	require.NoError(t, out.Close())
	require.NoError(t, w.Close())
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Contains(t, string(got), `"msg":"hello"`)
}

func TestDisabledSinkIsNotOpened(t *testing.T) {
	t.Parallel()
	m := newMemos()
	out := open(t, fapilog.Config{Registry: &m.Registry, Sinks: []string{"my_sink://a?enabled=false", "my_sink://b?enabled=true"}})
	require.NoError(t, out.Close())
	require.Len(t, m.opened, 1)
}

func TestParametersOfEverySink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemos()
		out := open(t, fapilog.Config{Registry: &m.Registry, Sinks: []string{
			"my_sink://a?name=x&level=warn&match=a=1&batch=2&batch_bytes=1MiB&linger=1m&timeout=1s&retry_max_age=1h&overflow=block&block_timeout=1s&soft_start=true&token=t",
		}})
		s := m.opened[0]
		var deadline time.Duration
		s.fault = func(ctx context.Context, _ []sinks.Event) error {
			d, _ := ctx.Deadline()
			deadline = time.Until(d)
			return nil
		}
		l := slog.New(fapilog.Handler(out, nil))
		l.Warn("no")
		l.Info("no, for nobody wants it", "a", 1)
		for i := range 6 {
			l.Warn(fmt.Sprint(i), "a", 1)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, "x", out.Stats().Sinks[0].Name)
		require.Equal(t, uint64(1), out.Stats().Sinks[0].Filtered)
		require.Equal(t, time.Second, deadline)
		require.Len(t, s.got(), 5, "batches of 2, the last lingers")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, s.got(), 6)
		require.Equal(t, "my_sink://a?token=t", m.uris[0].Raw(), "the sink does not see them")
		require.NoError(t, out.Close())
	})
}

type failingProbe struct {
	memo
	err   error
	hangs bool
}

func (s *failingProbe) Probe(context.Context) error {
	if s.hangs {
		time.Sleep(time.Hour)
	}
	return s.err
}

func TestProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bad, hanging := target("bad", &failingProbe{err: errors.New("connection refused")}), target("hanging", &failingProbe{hangs: true})
		cfg := fapilog.Config{Targets: []fapilog.Target{bad, hanging, target("good", &proberSink{})}}
		start := time.Now()
		_, err := fapilog.New(t.Context(), cfg)
		require.EqualError(t, err, "fapilog: open target 1 (bad): connection refused; SoftStart starts all the same\n"+
			"fapilog: open target 2 (hanging): no answer within 10s: context deadline exceeded; SoftStart starts all the same")
		require.Less(t, time.Since(start), fapilog.DefaultTimeout+time.Second)
		require.Equal(t, int32(1), cfg.Targets[2].Sink.(*proberSink).closed.Load())

		cfg.Targets[0].SoftStart, cfg.Targets[1].SoftStart = true, true
		cfg.Fallback = io.Discard
		out, err := fapilog.New(t.Context(), cfg)
		require.NoError(t, err)
		require.NoError(t, out.Close())
		time.Sleep(time.Hour) // the hanging probes
	})
}

// What waiting does not mend is an error at start-up, also where a destination
// that cannot be reached yet is none.
func TestSoftStartWaivesUnreachabilityAlone(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		sinks.Hold(errors.New("password refused")),
		fmt.Errorf("wrapped: %w", sinks.Hold(errors.New("password refused"))),
		sinks.Permanent(errors.New("password refused")),
	} {
		s := target("bad", &failingProbe{err: err})
		s.SoftStart = true
		_, got := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{s}, Fallback: io.Discard})
		require.EqualError(t, got, "fapilog: open target 1 (bad): "+err.Error())
	}
	for _, err := range []error{errors.New("starting up"), sinks.RetryAfter(errors.New("starting up"), time.Second)} {
		s := target("soft", &failingProbe{err: err})
		s.SoftStart = true
		out, err := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{s}, Fallback: io.Discard})
		require.NoError(t, err)
		require.NoError(t, out.Close())
	}
}

func TestConstructorThatHangsIsGivenUpAndClosedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r registry.Registry
		s := &closing{}
		r.Register("slow", func(context.Context, *registry.URI) (sinks.Sink, error) {
			time.Sleep(time.Hour)
			return s, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := fapilog.New(ctx, fapilog.Config{Registry: &r, Sinks: []string{"slow://x"}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(2 * time.Hour)
		require.True(t, s.closed.Load())
	})
}

// Whatever happens to a sink, what is printed shows no more of its URI than
// scheme://host.
func TestNothingPrintedContainsASecret(t *testing.T) {
	t.Parallel()
	const uri = "leaky://us3r:pl%40nted-1@host:1/services/pl4nted-2/?token=pl4nted-3&name=leaky"
	secrets := []string{"pl4nted", "pl@nted", "pl%40nted", "planted"}
	leak := func(u *registry.URI) error {
		return fmt.Errorf("Post %q: %s: %w", "https://host:1"+u.Path+"?token="+u.Text("token", ""), u.Raw(), os.ErrPermission)
	}
	faults := map[string]func(*registry.URI) error{
		"plain":     leak,
		"permanent": func(u *registry.URI) error { return sinks.Permanent(leak(u)) },
		"hold":      func(u *registry.URI) error { return sinks.Hold(leak(u)) },
		"too large": func(u *registry.URI) error { return sinks.TooLarge(leak(u)) },
		"items":     func(u *registry.URI) error { return &sinks.BatchError{Items: map[int]error{0: leak(u)}} },
		"panic":     func(u *registry.URI) error { panic(leak(u)) },
		"panic with the URI": func(u *registry.URI) error {
			password, _ := u.Password()
			panic(fmt.Sprintf("%v %+v %#v %s", u, *u, u, password))
		},
	}
	for name, fault := range faults {
		for _, where := range []string{"constructor", "probe", "write", "close", "log"} {
			t.Run(name+" in "+where, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var r registry.Registry
					s := &leaky{}
					r.Register("leaky", func(_ context.Context, u *registry.URI) (sinks.Sink, error) {
						u.Text("token", "")
						s.fail = func(at string) error {
							if at != where {
								return nil
							}
							return fault(u)
						}
						if where == "log" {
							s.log = func() { slog.New(s.handler).Error(leak(u).Error(), "uri", u, "err", leak(u)) }
						}
						return s, s.fail("constructor")
					})
					var printed syncBuffer
					out, err := fapilog.New(t.Context(), fapilog.Config{Registry: &r, Sinks: []string{uri}, Fallback: &printed})
					show := func(v any) { fmt.Fprintf(&printed, "%v %+v %#v %q\n", v, v, v, fmt.Sprint(v)) }
					show(err)
					if err == nil {
						s.handler = fapilog.Handler(out, nil)
						logN(out, 3)
						time.Sleep(time.Minute)
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						defer cancel()
						show(out.Flush(ctx))
						show(out.Close())
						st := out.Stats()
						show(st)
						show(st.Sinks[0].LastError)
						show(errors.Unwrap(st.Sinks[0].LastError))
						text, _ := json.Marshal(st)
						show(string(text))
						slog.New(slog.NewTextHandler(&printed, nil)).Info("stats", "st", st, "err", st.Sinks[0].LastError)
						if where == "write" && name == "plain" {
							require.ErrorIs(t, st.Sinks[0].LastError, os.ErrPermission)
						}
					} else {
						require.Contains(t, []string{"constructor", "probe"}, where)
					}
					require.NotEmpty(t, printed.String())
					for _, secret := range secrets {
						require.NotContains(t, printed.String(), secret)
					}
				})
			})
		}
	}
}

type leaky struct {
	fail    func(at string) error
	log     func()
	handler slog.Handler
}

func (s *leaky) Write(context.Context, []sinks.Event) error {
	if s.log != nil {
		s.log()
	}
	return s.fail("write")
}
func (s *leaky) Probe(context.Context) error { return s.fail("probe") }
func (s *leaky) Close() error                { return s.fail("close") }

func TestFilesByURI(t *testing.T) {
	t.Chdir(t.TempDir())
	abs := filepath.Join(t.TempDir(), "a b", "app.log")
	out, err := fapilog.Open(t.Context(), "file:logs/app.log", "file://"+strings.ReplaceAll(abs, " ", "%20"))
	require.NoError(t, err)
	slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: noTime})).Info("m")
	require.NoError(t, out.Close())
	for _, path := range []string{"logs/app.log", abs} {
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, `{"level":"INFO","msg":"m"}`+"\n", string(got))
	}
	_, err = fapilog.Open(t.Context(), "file://logs/app.log")
	require.ErrorContains(t, err, "did you mean file:logs/app.log (relative) or file:///logs/app.log (absolute)?")
}

// Two workers would call it at the same time.
func TestSinkThatIsThereTwice(t *testing.T) {
	t.Parallel()
	s := &closing{}
	_, err := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{
		{Name: "a", Sink: s}, {Name: "b", Sink: &closing{}}, {Name: "c", Sink: s},
	}})
	require.EqualError(t, err, "fapilog: open target 3 (c): its sink is that of target 1, too: make one for each")
	require.True(t, s.closed.Load())

	out, err := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{
		{Name: "a", Sink: &closing{}, Disabled: true},
		{Name: "b", Sink: sinks.FromHandler(slog.DiscardHandler)},
		{Name: "c", Sink: sinks.FromHandler(slog.DiscardHandler)},
		{Name: "d", Sink: s},
		{Name: "e", Sink: s, Disabled: true},
	}})
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
