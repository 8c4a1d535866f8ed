package file_test

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
	"github.com/fapilog/fapilog/slogtest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("FILE_TEST_CHILD"); path != "" {
		os.Exit(child(path))
	}
	if path := os.Getenv("FILE_TEST_OWNER"); path != "" {
		os.Exit(owner(path))
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

// linesWith returns the lines of a file that contain a text.
func linesWith(t *testing.T, path, text string) (found []string) {
	t.Helper()
	for line := range strings.Lines(read(t, path)) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
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
		"file:app.log?max_size=0":    "parameter max_size: less than 1KiB",
		"file:app.log?mode=888":      "parameter mode: not the permissions",
		"file:app.log?mode=0":        "parameter mode: not the permissions",
		"file:app.log?format=pretty": "parameter format: not one of json, text",
		"file:app.log?fromat=json":   "did you mean format",

		"file:app.log?max_size=100":                         "parameter max_size: less than 1KiB",
		"file:app.log?max_size=1MiB&rotate=weekly":          "parameter rotate: neither daily nor hourly",
		"file:app.log?rotate=10ms":                          "parameter rotate: neither",
		"file:app.log?rotate=":                              "parameter rotate: neither",
		"file:app.log?compress=gzip":                        "parameter compress: is for rotated files: set max_size or rotate",
		"file:app.log?rotate=daily&compress=lzma":           "parameter compress: not one of none, gzip, zstd",
		"file:app.log?max_backups=3":                        "parameter max_backups: is for rotated files",
		"file:app.log?rotate=daily&max_backups=0":           "parameter max_backups: not an integer of 1 or more",
		"file:app.log?max_age=30d":                          "parameter max_age: is for rotated files",
		"file:app.log?rotate=daily&max_age=0s":              "parameter max_age: not more than zero",
		"file:app.log?max_total_size=1GiB":                  "parameter max_total_size: is for rotated files",
		"file:app.log?rotate=daily&max_total_size=0":        "parameter max_total_size: not more than zero",
		"file:app.log?max_size=2MiB&max_total_size=1MiB":    "parameter max_total_size: less than max_size",
		"file:app.log?max_age=1d&max_backups=2&fromat=json": "max_backups", // all at once
		"file:directory":                                    "directory",
		"file:directory/":                                   "add the name of a file",
		"file:plain/app.log":                                "plain",
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
	for want, o := range map[string]file.Options{
		"max_size: negative":            {MaxSize: -1},
		"rotate: less than a second":    {Rotate: time.Millisecond},
		"rotate: less":                  {Rotate: -time.Hour},
		"compress: is for rotated":      {Compress: file.Gzip},
		"compress: not one of":          {Compress: "lzma", MaxSize: 1},
		"max_backups: negative":         {MaxSize: 1, MaxBackups: -1},
		"max_age: negative":             {MaxSize: 1, MaxAge: -1},
		"max_total_size: negative":      {MaxSize: 1, MaxTotalSize: -1},
		"max_total_size: less than max": {MaxSize: 10, MaxTotalSize: 9},
	} {
		_, err = file.New(path, o)
		require.ErrorContains(t, err, want)
	}
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

// What a batch costs does not depend on how many records it has.
func TestRecordsDoNotAllocate(t *testing.T) {
	cost := func(records int) float64 {
		s, err := file.New(filepath.Join(t.TempDir(), "app.log"), file.Options{MaxSize: 1 << 30, Rotate: time.Hour})
		require.NoError(t, err)
		defer s.Close()
		batch := slices.Repeat([]sinks.Event{event("one")}, records)
		ctx := context.Background()
		write := func() {
			if err := s.Write(ctx, batch); err != nil {
				t.Fatal(err)
			}
		}
		write()
		return testing.AllocsPerRun(100, write)
	}
	one := cost(1)
	require.LessOrEqual(t, one, 4.0) // a stat
	require.Equal(t, one, cost(1000))
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]file.Options{
		"one file":     {},
		"rotated":      {MaxSize: 4 << 10},
		"many files":   {MaxSize: 1, Rotate: time.Second},
		"closed first": {MaxSize: 500},
	} {
		t.Run(name, func(t *testing.T) {
			slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
				dir := t.TempDir()
				f := &file.Faulty{Left: 1 << 30, Tears: 9, CloseFirst: name == "closed first"}
				sink, err := file.NewFaulty(filepath.Join(dir, "app.log"), o, f)
				require.NoError(t, err)
				full := func(full bool) func() { return func() { f.Full.Store(full) } }
				readOnly := func(readOnly bool) func() { return func() { f.ReadOnly.Store(readOnly) } }
				faults := []slogtest.Fault{{Name: "disk full", Begin: full(true), End: full(false), Want: slogtest.Hold}}
				if o.MaxSize == 1 {
					faults = append(faults, slogtest.Fault{
						Name: "rotation fails", Begin: readOnly(true), End: readOnly(false), Want: slogtest.Hold,
					})
				}
				return slogtest.Subject{Sink: sink, Faults: faults, Records: func() ([]map[string]any, error) {
					text := joinedFiles(t, dir)
					// What is torn is to be continued.
					return slogtest.ParseJSON([]byte(text[:strings.LastIndexByte(text, '\n')+1]))
				}}
			})
		})
	}
}
