package file_test

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("FILE_TEST_CHILD"); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

func event(msg string, args ...any) sinks.Event {
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, msg, 0)
	r.Add(args...)
	return sinks.NewEvent(r)
}

func write(t *testing.T, s sinks.Sink, events ...sinks.Event) {
	t.Helper()
	require.NoError(t, s.Write(context.Background(), events))
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func openURI(t *testing.T, uri string) (sinks.Sink, error) {
	t.Helper()
	u, err := registry.Parse(uri)
	require.NoError(t, err)
	return registry.Default().Open(context.Background(), u)
}

func TestURIs(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := filepath.ToSlash(t.TempDir())
	if !strings.HasPrefix(dir, "/") {
		dir = "/" + dir
	}
	e := event("two words", "a", 1)
	text := "level=INFO msg=\"two words\" a=1\n"
	for _, test := range []struct{ uri, path, want string }{
		{"file:app.log", "app.log", string(e.JSON())},
		{"file:logs/deep/app.log?format=text", "logs/deep/app.log", text},
		{"file://" + dir + "/app%20one.log", dir + "/app one.log", string(e.JSON())},
		{"file://" + dir + "/new/app.log?format=json&mode=0640", dir + "/new/app.log", string(e.JSON())},
		{"file://localhost" + dir + "/text.log?format=text", dir + "/text.log", text},
	} {
		s, err := openURI(t, test.uri)
		require.NoError(t, err, test.uri)
		write(t, s, e)
		require.NoError(t, s.(*file.Sink).Close())
		path := test.path
		if runtime.GOOS == "windows" {
			path = strings.TrimPrefix(path, "/")
		}
		require.Equal(t, test.want, read(t, path), test.uri)
	}
}

func TestMalformedURIs(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("directory", 0o700))
	require.NoError(t, os.WriteFile("plain", nil, 0o600))
	for uri, want := range map[string]string{
		"file://logs/app.log":        "did you mean file:logs/app.log (relative) or file:///logs/app.log (absolute)?",
		"file://":                    "write file:logs/app.log (relative)",
		"file:app.log?mode=0o600x":   "parameter mode: not the permissions of a file in octal",
		"file:app.log?mode=1777":     "parameter mode: not the permissions",
		"file:app.log?mode=888":      "parameter mode: not the permissions",
		"file:app.log?mode=0":        "parameter mode: not the permissions",
		"file:app.log?format=pretty": "parameter format: not one of json, text",
		"file:app.log?fromat=json":   "did you mean format",
		"file:directory":             "directory",
		"file:directory/":            "add the name of a file",
		"file:plain/app.log":         "plain",
	} {
		_, err := openURI(t, uri)
		require.ErrorContains(t, err, want, uri)
	}
	// A configuration that is refused leaves nothing behind.
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

func TestNewChecksItsOptions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	_, err := file.New(path, file.Options{Format: "xml"})
	require.ErrorContains(t, err, "xml")
	_, err = file.New(path, file.Options{Mode: 0o600 | fs.ModeSetuid})
	require.ErrorContains(t, err, "mode")
	_, err = file.New("", file.Options{})
	require.Error(t, err)
	_, err = os.Stat(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// The sink stays with its file when the working directory changes or the sink
// is closed twice.
func TestAppends(t *testing.T) {
	t.Chdir(t.TempDir())
	one, two := event("one"), event("two")
	for range 2 {
		s, err := file.New("app.log", file.Options{})
		require.NoError(t, err)
		require.True(t, s.MarksGaps())
		write(t, s, one, two)
		write(t, s, one)
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
	}
	batch := string(one.JSON()) + string(two.JSON()) + string(one.JSON())
	require.Equal(t, batch+batch, read(t, "app.log"))
}

// A run that was killed in the middle of a line does not spoil the first line
// of the next.
func TestFileThatEndsInTheMiddleOfALine(t *testing.T) {
	t.Parallel()
	e := event("one")
	for before, want := range map[string]string{
		"":            string(e.JSON()),
		"\n":          "\n" + string(e.JSON()),
		"whole\n":     "whole\n" + string(e.JSON()),
		"whole\ntorn": "whole\ntorn\n" + string(e.JSON()),
	} {
		path := filepath.Join(t.TempDir(), "app.log")
		require.NoError(t, os.WriteFile(path, []byte(before), 0o600))
		s, err := file.New(path, file.Options{})
		require.NoError(t, err)
		require.Equal(t, before, read(t, path)) // nothing happens before there is a record
		write(t, s, e)
		require.NoError(t, s.Close())
		require.Equal(t, want, read(t, path))
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	s, err := file.New(filepath.Join(t.TempDir(), "app.log"), file.Options{})
	require.NoError(t, err)
	defer s.Close()
	batch := []sinks.Event{event("one"), event("two")}
	ctx := context.Background()
	write := func() {
		if err := s.Write(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	write()
	require.Zero(t, testing.AllocsPerRun(100, write))
}
