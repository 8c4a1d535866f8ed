package stdio_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/stdio"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM"} {
		os.Unsetenv(name) // whoever runs the tests may like colors or not
	}
	if role := os.Getenv("STDIO_TEST_CHILD"); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(m)
}

func event(msg string, args ...any) sinks.Event {
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, msg, 0)
	r.Add(args...)
	return sinks.NewEvent(r)
}

// openOn opens a URI with os.Stdout and os.Stderr replaced by f.
func openOn(t *testing.T, f *os.File, uri string) sinks.Sink {
	t.Helper()
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = f, f
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	u, err := registry.Parse(uri)
	require.NoError(t, err)
	s, err := registry.Default().Open(context.Background(), u)
	require.NoError(t, err)
	return s
}

// open opens a URI on a pipe, and returns what to read its output with once the
// sink is closed.
func open(t *testing.T, uri string) (sinks.Sink, func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	s := openOn(t, w, uri)
	require.NoError(t, w.Close()) // the sink has a descriptor of its own
	return s, func() string {
		require.NoError(t, s.(io.Closer).Close())
		require.NoError(t, s.(io.Closer).Close())
		out, err := io.ReadAll(r)
		require.NoError(t, err)
		return string(out)
	}
}

// requireRefused requires that err refuses n records, each by itself, because of
// cause.
func requireRefused(t *testing.T, err error, n int, cause error) {
	t.Helper()
	var items *sinks.BatchError
	require.ErrorAs(t, err, &items)
	require.Len(t, items.Items, n)
	for _, err := range items.Items {
		kind, _, _ := verdict.Of(err)
		require.Equal(t, verdict.Permanent, kind)
		require.ErrorIs(t, err, cause)
	}
}

func TestURIs(t *testing.T) {
	e := event("two words", "a", 1)
	for uri, want := range map[string]string{
		"stdout":                  string(e.JSON()), // auto, and a pipe is no terminal
		"stdout://":               string(e.JSON()),
		"stderr://":               string(e.JSON()),
		"stderr://?format=auto":   string(e.JSON()),
		"stdout://?format=JSON":   string(e.JSON()),
		"stdout:?format=text":     "level=INFO msg=\"two words\" a=1\n",
		"stdout?format=pretty":    "INF two words a=1\n",
		"stderr://?format=pretty": "INF two words a=1\n",
		"stdout?color=always":     string(e.JSON()), // only pretty has colors

		"stdout?format=pretty&color=auto":   "INF two words a=1\n",
		"stdout?format=pretty&color=never":  "INF two words a=1\n",
		"stdout?format=pretty&color=always": inColor + "\n",
		"stdout?format=text&color=always":   "level=INFO msg=\"two words\" a=1\n",
	} {
		s, output := open(t, uri)
		require.NoError(t, s.Write(context.Background(), []sinks.Event{e}), uri)
		require.Equal(t, want, output(), uri)
	}
}

const inColor = "\x1b[92mINF\x1b[0m two words \x1b[2ma=\x1b[0m1"

// Colors can be had where there is no terminal.
func TestColorsOfAPipe(t *testing.T) {
	for _, test := range []struct {
		noColor, force, cliColor string
		uri                      string
		colors                   bool
	}{
		{uri: "stdout?format=pretty"},
		{uri: "stdout?format=pretty", force: "1", colors: true},
		{uri: "stdout?format=pretty", force: "yes", cliColor: "0", colors: true},
		{uri: "stdout?format=pretty", force: "0"},
		{uri: "stdout?format=pretty", cliColor: "1"}, // is for terminals
		{uri: "stdout?format=pretty", force: "1", noColor: "1"},
		{uri: "stdout?format=pretty&color=auto", force: "1", noColor: "0"}, // not empty
		{uri: "stdout?format=pretty&color=never", force: "1"},
		{uri: "stdout?format=pretty&color=always", noColor: "1", colors: true},
		{uri: "stdout", force: "1"}, // remains JSON
	} {
		t.Setenv("NO_COLOR", test.noColor)
		t.Setenv("CLICOLOR_FORCE", test.force)
		t.Setenv("CLICOLOR", test.cliColor)
		t.Setenv("TERM", "dumb") // is for terminals, too
		s, output := open(t, test.uri)
		e := event("two words", "a", 1)
		require.NoError(t, s.Write(t.Context(), []sinks.Event{e}))
		want := "INF two words a=1\n"
		switch {
		case test.uri == "stdout":
			want = string(e.JSON())
		case test.colors:
			want = inColor + "\n"
		}
		require.Equal(t, want, output(), "%+v", test)
	}
}

// The environment speaks of the program's output, not of a buffer in it.
func TestColorsOfAWriter(t *testing.T) {
	t.Setenv("CLICOLOR_FORCE", "1")
	for color, want := range map[stdio.Color]string{
		"": "INF two words a=1\n", stdio.ColorAuto: "INF two words a=1\n", stdio.ColorNever: "INF two words a=1\n",
		stdio.ColorAlways: inColor + "\n",
	} {
		var out bytes.Buffer
		s, err := stdio.New(&out, stdio.Options{Format: stdio.Pretty, Color: color})
		require.NoError(t, err)
		require.NoError(t, s.Write(t.Context(), []sinks.Event{event("two words", "a", 1)}))
		require.Equal(t, want, out.String(), color)
	}
}

func TestMalformedURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string][]string{
		"stdout://s3cret":                      {"it takes no host and no path", "stdout://?format=json"},
		"stdout:///s3cret":                     {"it takes no host and no path"},
		"stderr:s3cret":                        {"it takes no host and no path", "stderr://"},
		"stderr://s3cret:s3cret@":              {"it takes no host and no path"},
		"stdout://?format=s3cret":              {"parameter format: not one of auto, json, text, pretty"},
		"stdout://?formt=json":                 {"parameter formt: unknown", "format"},
		"stdout://?color=s3cret":               {"parameter color: not one of auto, always, never"},
		"stdout://x?format=s3cret&format=json": {"no host", "parameter format: given 2 times"},
	} {
		u, err := registry.Parse(uri)
		require.NoError(t, err, uri)
		_, err = registry.Default().Open(context.Background(), u)
		for _, text := range want {
			require.ErrorContains(t, err, text, uri)
		}
		require.NotContains(t, strings.ReplaceAll(err.Error(), "stdout://s3cret", ""), "s3cret", uri)
	}
}

func TestNewChecksItsOptions(t *testing.T) {
	t.Parallel()
	_, err := stdio.New(io.Discard, stdio.Options{Format: "xml", Color: "red"})
	require.ErrorContains(t, err, "xml")
	require.ErrorContains(t, err, `unknown color "red": it is auto, always or never`)
}

// A program without a standard output is told so when it starts.
func TestOutputThatIsClosed(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
	for f, want := range map[*os.File]string{w: "closed file", nil: "invalid argument"} {
		_, err = stdio.New(f, stdio.Options{})
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "redirect it if it is closed")
	}
}

// oneWriter counts writes.
type oneWriter struct {
	bytes.Buffer
	writes int
}

func (w *oneWriter) Write(p []byte) (int, error) {
	w.writes++
	return w.Buffer.Write(p)
}

func TestOneWriteForABatch(t *testing.T) {
	t.Parallel()
	w := &oneWriter{}
	s, err := stdio.New(w, stdio.Options{})
	require.NoError(t, err)
	require.True(t, s.MarksGaps())
	require.NoError(t, s.Write(context.Background(), []sinks.Event{event("one"), event("two"), event("three")}))
	require.Equal(t, 1, w.writes)
	require.Equal(t, 3, strings.Count(w.String(), "\n"))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
}

// A pipe that does not block, and whose reader stalls, is waited for.
func TestFullPipeIsWaitedFor(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe() // in non-blocking mode, as all pipes of package os
	require.NoError(t, err)
	defer r.Close()
	s, err := stdio.New(w, stdio.Options{})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	e := event(strings.Repeat("x", 300<<10)) // more than a pipe takes
	done := make(chan error, 1)
	go func() {
		done <- errors.Join(s.Write(context.Background(), []sinks.Event{e, event("two")}), s.Close())
	}()
	out, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Equal(t, string(e.JSON())+string(event("two").JSON()), string(out))
}

// The records that a reader has got before it exited are delivered, all others
// are refused, each by itself.
func TestReaderThatExits(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	s, err := stdio.New(w, stdio.Options{})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, w.Close())
	require.NoError(t, s.Write(context.Background(), []sinks.Event{event("one")}))
	require.NoError(t, r.Close())
	for range 3 {
		requireRefused(t, s.Write(context.Background(), []sinks.Event{event("two"), event("three")}), 2, errGone)
	}
}

// Two programs, or two sinks of one, write to the same pipe: no line is torn.
func TestSharedPipe(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	var writers sync.WaitGroup
	for range 2 {
		s, err := stdio.New(w, stdio.Options{Format: stdio.JSON})
		require.NoError(t, err)
		writers.Go(func() {
			defer s.Close()
			var batch []sinks.Event
			for i := range 1000 {
				batch = append(batch, sinks.NewEvent(slog.NewRecord(time.Now(), 0, strings.Repeat("x", i%200), 0)))
			}
			for range 10 {
				assert.NoError(t, s.Write(t.Context(), batch))
			}
		})
	}
	require.NoError(t, w.Close())
	lines := bufio.NewScanner(r)
	n := 0
	for ; lines.Scan(); n++ {
		require.True(t, json.Valid(lines.Bytes()), "torn: %s", lines.Text())
	}
	require.Equal(t, 20_000, n)
	writers.Wait()
}
