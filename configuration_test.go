package fapilog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/docs"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// The tests in this file compare docs/configuration.md with what the code does.

const configurationPage = "docs/configuration.md"

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(configurationPage)
	require.NoError(t, err)
	return string(text)
}

// tableRows returns the cells of the first table under a heading.
func tableRows(t *testing.T, page, heading string) [][]string {
	t.Helper()
	rows, err := docs.Table(page, heading)
	require.NoError(t, err)
	return rows
}

// trySink is a registry with a scheme "try" that has no parameters of its own.
func trySink() *registry.Registry {
	var r registry.Registry
	r.Register("try", func(context.Context, *registry.URI) (sinks.Sink, error) { return &memo{}, nil })
	return &r
}

func TestDocumentedParameters(t *testing.T) {
	t.Parallel()
	page := readPage(t)
	rows := tableRows(t, page, "## Parameters of every sink")
	var documented []string
	for _, row := range rows {
		documented = append(documented, row[0])
	}
	slices.Sort(documented)

	// The error for a parameter that resembles none lists those that there are.
	_, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"try://?qqqqqqqqqqqq=1"}, Registry: trySink()})
	require.Error(t, err)
	_, known, found := strings.Cut(err.Error(), "known are ")
	require.True(t, found, "%v", err)
	require.Equal(t, strings.Split(known, ", "), documented)

	defaults := map[string]any{
		"batch":         fapilog.DefaultBatch,
		"batch_bytes":   int64(fapilog.DefaultBatchBytes),
		"linger":        fapilog.DefaultLinger,
		"timeout":       fapilog.DefaultTimeout,
		"block_timeout": fapilog.DefaultBlockTimeout,
		"overflow":      fapilog.DropOldest,
	}
	for _, row := range rows {
		name, byDefault, example := row[0], row[2], row[4]
		want, ok := defaults[name]
		if n, isSize := want.(int64); isSize {
			parsed, err := registry.ParseSize(byDefault)
			require.NoError(t, err)
			require.Equal(t, n, parsed, "default of %s", name)
		} else if ok {
			require.Equal(t, fmt.Sprint(want), byDefault, "default of %s", name)
		}
		require.True(t, strings.HasPrefix(example, name+"="), "example of %s: %s", name, example)
		out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"try://?" + example}, Registry: trySink()})
		require.NoError(t, err, "example of %s", name)
		require.NoError(t, out.Close())
	}
	expressions := regexp.MustCompile(`(?m)^    (match=\S+)`).FindAllStringSubmatch(page, -1)
	require.Greater(t, len(expressions), 2)
	for _, m := range expressions {
		out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{"try://?" + m[1]}, Registry: trySink()})
		require.NoError(t, err, "%s", m[1])
		require.NoError(t, out.Close())
	}
}

// Every variable that the code reads is documented, with its default.
func TestDocumentedVariables(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("config.go")
	require.NoError(t, err)
	var read []string
	for _, m := range regexp.MustCompile(`"(FAPILOG_[A-Z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		read = append(read, strings.Replace(m[1], "FAPILOG_SINKS_", "FAPILOG_SINKS_<SERVICE>", 1))
	}
	slices.Sort(read)

	var documented []string
	rows := tableRows(t, readPage(t), "## Environment variables")
	for _, row := range rows {
		documented = append(documented, row[0])
	}
	slices.Sort(documented)
	require.Equal(t, slices.Compact(read), documented)

	for _, row := range rows {
		switch row[0] {
		case "FAPILOG_BUFFER":
			n, err := registry.ParseSize(row[2])
			require.NoError(t, err)
			require.Equal(t, int64(fapilog.DefaultBuffer), n)
		case "FAPILOG_SHUTDOWN_TIMEOUT":
			require.Equal(t, fmt.Sprint(fapilog.DefaultShutdownTimeout), row[2])
		}
	}
}

// Each fallback line is explained, and each that is explained exists.
func TestDocumentedFallbackLines(t *testing.T) {
	t.Parallel()
	phrases := make(map[string]bool) // whether it was seen
	for _, row := range tableRows(t, readPage(t), "## Fallback lines, and what to do about them") {
		phrases[row[0]] = false
	}
	synctest.Test(t, func(t *testing.T) {
		var log *slog.Logger
		var up atomic.Bool
		release := make(chan struct{})
		warning := func(ctx context.Context, _ []sinks.Event) error {
			sinks.Warn(ctx, errors.New("a disk that is nearly full"))
			return nil
		}
		down := func(context.Context, []sinks.Event) error {
			if up.Load() {
				return nil
			}
			return errors.New("connection refused")
		}
		logging := func(ctx context.Context, _ []sinks.Event) error {
			for range 100 {
				log.InfoContext(ctx, "from a sink")
			}
			return nil
		}
		var fallback syncBuffer
		out := open(t, fapilog.Config{
			Targets: []fapilog.Target{
				target("down", &memo{fault: down}),
				{Name: "expiring", Sink: &memo{fault: down}, RetryMaxAge: time.Second},
				target("held", &memo{fault: func(context.Context, []sinks.Event) error { return sinks.Hold(errors.New("401")) }}),
				target("refusing", &memo{fault: func(context.Context, []sinks.Event) error { return sinks.Permanent(errors.New("400")) }}),
				target("warning", &memo{fault: warning}),
				target("logging", &memo{fault: logging}),
				target("hanging", &memo{fault: func(ctx context.Context, _ []sinks.Event) error { <-release; return nil }}),
				{
					Name: "blocking", Overflow: fapilog.Block, BlockTimeout: 100 * time.Millisecond,
					Sink: &memo{fault: func(ctx context.Context, _ []sinks.Event) error { return down(ctx, nil) }},
				},
				{Name: "soft", Sink: &failingProbe{err: errors.New("down")}, SoftStart: true},
			},
			Buffer:   8 << 10,
			Fallback: &fallback,
		})
		log = slog.New(fapilog.Handler(out, nil))
		log.Info("first")
		log.Info("larger than half of the buffer", "padding", strings.Repeat("x", 5<<10))
		time.Sleep(15 * time.Second)
		for i := range 500 {
			log.Info("more than the buffer holds", "i", i)
		}
		time.Sleep(15 * time.Second)
		up.Store(true)
		time.Sleep(time.Minute)
		require.Error(t, out.Close())
		log.Info("too late")
		none := open(t, fapilog.Config{Sinks: []string{"stdout://?enabled=false"}, Fallback: &fallback})
		require.NoError(t, none.Close())
		close(release)

		for line := range strings.Lines(fallback.String()) {
			line = strings.NewReplacer("1 record ", "1 records ", "refuses it", "refuses them").Replace(line)
			explained := false
			for phrase := range phrases {
				if strings.Contains(line, phrase) {
					explained, phrases[phrase] = true, true
				}
			}
			require.True(t, explained, "not on the page: %s", line)
		}
	})
	for phrase, seen := range phrases {
		require.True(t, seen, "on the page, but there is no such line: %s", phrase)
	}
}

// The error messages on the page are those that the variables above them lead
// to.
func TestDocumentedErrors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the errors of the operating system are others")
	}
	for _, name := range []string{"FAPILOG_SINKS", "FAPILOG_SERVICE", "FAPILOG_LEVEL", "FAPILOG_BUFFER", "FAPILOG_SHUTDOWN_TIMEOUT"} {
		t.Setenv(name, "")
	}
	blocks := regexp.MustCompile("(?s)\n```text\n(.*?)\n```\n").FindAllStringSubmatch(readPage(t), -1)
	require.Greater(t, len(blocks), 5)
	for _, b := range blocks {
		lines := strings.Split(b[1], "\n")
		t.Run(lines[0], func(t *testing.T) {
			for ; strings.HasPrefix(lines[0], "FAPILOG_"); lines = lines[1:] {
				name, value, _ := strings.Cut(lines[0], "=")
				t.Setenv(name, value)
			}
			_, err := fapilog.Open(t.Context())
			require.Error(t, err)
			require.Equal(t, strings.Join(lines, "\n"), err.Error())
		})
	}
}
