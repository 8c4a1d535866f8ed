package slogtest_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
	"github.com/fapilog/fapilog/sinks/stdio"
	"github.com/fapilog/fapilog/slogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRecorder(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(*testing.T) slogtest.Subject {
		r := new(slogtest.Recorder)
		return slogtest.Subject{Sink: r, Records: r.Records}
	})
}

// The buffers below are read when all is delivered, so they need no lock.

func TestStdio(t *testing.T) {
	t.Parallel()
	for format, parse := range map[stdio.Format]func([]byte) ([]map[string]any, error){
		stdio.JSON: slogtest.ParseJSON,
		stdio.Text: slogtest.ParseText,
	} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
				var out bytes.Buffer
				sink, err := stdio.New(&out, stdio.Options{Format: format})
				require.NoError(t, err)
				return slogtest.Subject{Sink: sink, Records: func() ([]map[string]any, error) { return parse(out.Bytes()) }}
			})
		})
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		path := filepath.Join(t.TempDir(), "app.log")
		sink, err := file.New(path, file.Options{})
		require.NoError(t, err)
		return slogtest.Subject{Sink: sink, Records: func() ([]map[string]any, error) {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			return slogtest.ParseJSON(text)
		}}
	})
}

func TestHandlersAsSinks(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]struct {
		handler func(io.Writer) slog.Handler
		parse   func([]byte) ([]map[string]any, error)
	}{
		"json": {func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, allLevels) }, slogtest.ParseJSON},
		"text": {func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, allLevels) }, slogtest.ParseText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slogtest.TestSink(t, func(*testing.T) slogtest.Subject {
				var out bytes.Buffer
				return slogtest.Subject{
					Sink:    sinks.FromHandler(as.handler(&out)),
					Records: func() ([]map[string]any, error) { return as.parse(out.Bytes()) },
				}
			})
		})
	}
}

var allLevels = &slog.HandlerOptions{Level: slog.Level(-100)}

// A sink that breaks a rule fails its test, and the output says which.
func TestOutput(t *testing.T) {
	t.Parallel()
	const child = "FAPILOG_SLOGTEST_CHILD"
	if os.Getenv(child) != "" {
		for _, b := range brokenSinks {
			if b.name == "delivers twice" {
				slogtest.TestSink(t, b.open)
			}
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOutput$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Contains(t, string(out), "--- FAIL: TestOutput/once ")
	require.Contains(t, string(out), "--- PASS: TestOutput/order ")
	require.Regexp(t, `slogtest_test.go:\d+: slogtest: rule "once": every record arrives exactly once on the happy path: with a batch of 1024 records: "one of many 1024" arrived 2 times`, string(out))
}

// What a subject does not tell is skipped, and the output says why.
func TestSkipped(t *testing.T) {
	t.Parallel()
	const child = "FAPILOG_SLOGTEST_SKIPS"
	if os.Getenv(child) != "" {
		slogtest.TestSink(t, func(*testing.T) slogtest.Subject {
			r := new(slogtest.Recorder)
			return slogtest.Subject{Sink: r, Records: r.Records}
		})
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSkipped$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), `slogtest: rule "verdicts": not checked: Subject.Faults is empty`)
}

// A subject that cannot be tested is said once.
func TestIncomplete(t *testing.T) {
	t.Parallel()
	const child = "FAPILOG_SLOGTEST_INCOMPLETE"
	if os.Getenv(child) != "" {
		slogtest.TestSink(t, func(*testing.T) slogtest.Subject { return slogtest.Subject{Sink: new(slogtest.Recorder)} })
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIncomplete$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Equal(t, 1, strings.Count(string(out), "it must have Sink and Records"), "%s", out)
	require.Contains(t, string(out), `slogtest: rule "secrets": not checked: there is no subject to test, see rule "close"`)
}

func TestSubjectsThatCannotBeTested(t *testing.T) {
	t.Parallel()
	m := newMemory(hooks{})
	require.NoError(t, slogtest.CheckSubject(m.subject(m)))
	for want, change := range map[string]func(*slogtest.Subject){
		"it must have Sink and Records":                                  func(s *slogtest.Subject) { s.Sink = nil },
		"the empty text in Secrets":                                      func(s *slogtest.Subject) { s.Secrets = []string{""} },
		`the fault "down" must have Begin and End`:                       func(s *slogtest.Subject) { s.Faults[0].End = nil },
		`the fault "down" must have Want`:                                func(s *slogtest.Subject) { s.Faults[0].Want = "" },
		`the fault "down" wants the verdict "again", which there is not`: func(s *slogtest.Subject) { s.Faults[0].Want = "again" },
	} {
		s := m.subject(m)
		change(&s)
		require.ErrorContains(t, slogtest.CheckSubject(s), want)
	}
}
