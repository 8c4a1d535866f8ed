package fapilog_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/stdio"
)

// A lines sink collects the JSON it gets.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *lines) Write(_ context.Context, batch []sinks.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range batch {
		s.buf.Write(e.JSON())
	}
	return nil
}

// What arrives is what slog.JSONHandler prints, whatever With was called in
// between, and whichever sink asks.
func TestEverySinkGetsWhatJSONHandlerPrints(t *testing.T) {
	t.Parallel()
	opts := &slog.HandlerOptions{
		AddSource: true,
		Level:     slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == "secret" {
				return slog.String("secret", "***")
			}
			if len(groups) == 0 && a.Key == slog.MessageKey {
				a.Key = "message"
			}
			return a
		},
	}
	var want bytes.Buffer
	a, b := &lines{}, &lines{}
	out := open(t, fapilog.Config{Targets: targets(a, sinks.FromHandler(slog.DiscardHandler), b)})
	l := slog.New(slog.NewMultiHandler(slog.NewJSONHandler(&want, opts), fapilog.Handler(out, opts)))
	l.Info("plain", "n", 1, "f", 1e21, "d", time.Second, "err", fmt.Errorf("e\x00\xff"), "any", map[string]int{"a": 1})
	bound := l.With("a", 1).WithGroup("g")
	left, right := bound.With("left", 1), bound.With("right", 1)
	left.Debug("left", "secret", "x")
	right.WithGroup("empty").Warn("right")
	right.WithGroup("h").Error("right", slog.Group("i", "j", 1, "secret", 2))
	bound.Info("bound")
	require.NoError(t, out.Close())
	require.Equal(t, want.String(), a.buf.String())
	require.Equal(t, want.String(), b.buf.String())
}

// What the caller changes after the call is not seen, by a sink that is late.
func TestRecordIsAsItWasWhenItWasLogged(t *testing.T) {
	t.Parallel()
	s := &lines{}
	tg := target("late", s)
	tg.Linger = time.Hour
	out := open(t, fapilog.Config{Targets: []fapilog.Target{tg}})
	l := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: noTime}))
	m, b, p := map[string]int{"a": 1}, []byte("bytes"), &struct{ A int }{1}
	l.Info("m", "map", m, "bytes", b, "pointer", p)
	m["a"], b[0], p.A = 2, 'B', 2
	require.NoError(t, out.Close())
	require.Equal(t, `{"level":"INFO","msg":"m","map":{"a":1},"bytes":"Ynl0ZXM=","pointer":{"A":1}}`+"\n", s.buf.String())
}

func noTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// The context of the caller ends; the record is delivered all the same.
func TestContextOfTheCallerDoesNotMatter(t *testing.T) {
	t.Parallel()
	s := &memo{}
	out := open(t, fapilog.Config{Targets: targets(s)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	slog.New(fapilog.Handler(out, nil)).InfoContext(ctx, "m")
	//lint:ignore SA1012 somebody does
	slog.New(fapilog.Handler(out, nil)).InfoContext(nil, "n")
	require.NoError(t, out.Close())
	require.Equal(t, []string{"m", "n"}, s.got())
}

func TestCallsDoNotAllocate(t *testing.T) {
	for _, n := range []int{1, 3, 10} {
		var all []sinks.Sink
		for range n {
			all = append(all, sinks.FromHandler(slog.DiscardHandler))
		}
		tg := targets(all...)
		for i := range tg {
			tg[i].Linger = time.Hour // of the call, not of the workers
			tg[i].Batch, tg[i].BatchBytes = 1<<20, 64<<20
		}
		out := open(t, fapilog.Config{Targets: tg})
		l := slog.New(fapilog.Handler(out, nil))
		bound := l.With("a", 1, "b", "two", "c", true)
		ctx := context.Background()
		call := func(l *slog.Logger) func() {
			return func() {
				l.LogAttrs(ctx, slog.LevelInfo, "a message", slog.String("s", "text"), slog.Int("i", 1),
					slog.Duration("d", time.Second), slog.Bool("b", true), slog.Float64("f", 1.5))
			}
		}
		require.Zero(t, testing.AllocsPerRun(1000, call(l)), "%d sinks", n)
		require.Zero(t, testing.AllocsPerRun(1000, call(bound)), "%d sinks, bound attributes", n)
		require.NoError(t, out.Close())
	}
}

// Some workers ask for JSON at once, and each line is right; see the events
// package for how often it is rendered.
func TestLinesAreSharedCorrectly(t *testing.T) {
	t.Parallel()
	var all []*lines
	var tg []fapilog.Target
	for i := range 4 {
		s := &lines{}
		all = append(all, s)
		t := target(fmt.Sprint(i), s)
		t.Batch = 1 + 10*i
		if i == 3 {
			t.Level = slog.LevelWarn
		}
		tg = append(tg, t)
	}
	var want, wantWarn bytes.Buffer
	out := open(t, fapilog.Config{Targets: tg})
	l := slog.New(slog.NewMultiHandler(fapilog.Handler(out, nil), slog.NewJSONHandler(&want, nil),
		slog.NewJSONHandler(&wantWarn, &slog.HandlerOptions{Level: slog.LevelWarn})))
	for i := range 5000 {
		l.Log(t.Context(), slog.Level(4*(i%3)), fmt.Sprint("message ", i), "i", i)
	}
	require.NoError(t, out.Close())
	for i, s := range all[:3] {
		require.Equal(t, want.String(), s.buf.String(), "sink %d", i)
	}
	require.Equal(t, wantWarn.String(), all[3].buf.String())
}

// The format text prints what slog.TextHandler prints, whatever became of the
// built-ins.
func TestTextIsWhatTextHandlerPrints(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*slog.HandlerOptions{
		"no options": nil,
		"source":     {AddSource: true},
		"no time":    {ReplaceAttr: noTime},
		"replaced": {AddSource: true, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			switch {
			case len(groups) > 0:
				return a
			case a.Key == slog.LevelKey:
				return slog.String("severity", "w")
			case a.Key == slog.MessageKey:
				return slog.Group("message", "text", a.Value, "n", 1)
			case a.Key == slog.TimeKey:
				return slog.Int64("ts", a.Value.Time().Unix())
			}
			return a
		}},
		"nothing left": {ReplaceAttr: func([]string, slog.Attr) slog.Attr { return slog.Attr{} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "log")
			out, err := fapilog.Open(t.Context(), "file:"+filepath.ToSlash(path)+"?format=text")
			require.NoError(t, err)
			var want bytes.Buffer
			l := slog.New(slog.NewMultiHandler(slog.NewTextHandler(&want, opts), fapilog.Handler(out, opts)))
			l.Warn("two words", "n", 1, "level", "mine", "d", time.Second, "at", time.Unix(0, 5e6).UTC())
			l.With("a", "=").WithGroup("g").Info("m", "err", io.EOF, "b", []byte("x y"), slog.Group("h", "i", true))
			require.NoError(t, out.Close())
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, want.String(), string(got))
		})
	}
}

func TestPrettyShowsTheSourceIfTheHandlerAddsIt(t *testing.T) {
	t.Parallel()
	for _, add := range []bool{false, true} {
		var got bytes.Buffer
		s, err := stdio.New(&got, stdio.Options{Format: stdio.Pretty})
		require.NoError(t, err)
		out := open(t, fapilog.Config{Targets: targets(s)})
		slog.New(fapilog.Handler(out, &slog.HandlerOptions{AddSource: add})).Info("m", "a", 1)
		require.NoError(t, out.Close())
		require.Equal(t, add, strings.Contains(got.String(), "handler_test.go:"), "%s", got.String())
		require.Contains(t, got.String(), "m a=1\n")
	}
}

// net/http prints through package log that a server answers without being asked.
// If it is the one that a sink sends to, it would do so again for that record.
func TestRecordsOfTheHTTPTransport(t *testing.T) {
	t.Parallel()
	var fallback syncBuffer
	s := &memo{}
	out := open(t, fapilog.Config{Targets: []fapilog.Target{target("s0", s)}, Fallback: &fallback})
	message := `Unsolicited response received on idle HTTP channel starting with "HTTP/1.1 200 OK"; err=<nil>`
	logger := slog.New(fapilog.Handler(out, nil))
	// As package log does after slog.SetDefault.
	require.NoError(t, logger.Handler().Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)))
	logger.Info(message) // a program may log what it likes
	require.NoError(t, out.Close())
	st := out.Stats()
	require.EqualValues(t, 1, st.Appended)
	require.EqualValues(t, 1, st.Refused)
	require.Contains(t, fallback.String(), "not delivered, because a sink logged it: ")
}
