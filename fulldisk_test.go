//go:build linux

package fapilog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
)

// A million records go through a disk of 1 MiB that fills up again and again,
// with them or with something else, until somebody takes rotated files away.
// None is lost, torn, or there twice.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	records, ballasts := 1_000_000, 20
	if testing.Short() || raceDetector() {
		records = 300_000
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("only the superuser can mount a small disk: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })

	sink, err := file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 50_000})
	require.NoError(t, err)
	held := heldSink{sink, make(chan struct{}, 1)}
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets:         []fapilog.Target{{Name: "app", Sink: held, Overflow: fapilog.Block, BlockTimeout: time.Hour}},
		Buffer:          1 << 20,
		ShutdownTimeout: time.Hour,
		Fallback:        t.Output(),
	}.WithBackoff(time.Millisecond))
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		log := slog.New(fapilog.Handler(out, nil))
		for i := range records {
			log.Info("record", "n", i)
		}
		done <- out.Close()
	}()

	shipped, holds := 0, 0
	ballast := filepath.Join(dir, "ballast")
	for running := true; running; {
		select {
		case err := <-done:
			require.NoError(t, err)
			running = false
		case <-held.held:
			holds++
			if os.Remove(ballast) == nil {
				continue
			}
			shipped = ship(t, dir, "app-*.log", shipped)
			if ballasts > 0 {
				ballasts--
				fill(t, ballast)
				select {
				case <-held.held: // what was before does not count
				default:
				}
			}
		}
	}
	require.Zero(t, ballasts)
	require.Greater(t, holds, 40)
	shipped = ship(t, dir, "app-*.log", shipped)
	require.Equal(t, records, ship(t, dir, "app.log", shipped))
	st := out.Stats().Sinks[0]
	require.Equal(t, uint64(records), st.Delivered)
	require.Zero(t, st.Pending+st.Rejected+st.Filtered)
}

// ship takes files away and requires that they have the next records, whole.
func ship(t *testing.T, dir, pattern string, next int) int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern)) // sorted
	require.NoError(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, text)
		require.LessOrEqual(t, len(text), 50_000)
		for line := range bytes.Lines(text) {
			if !bytes.HasPrefix(line, []byte(`{"time":"`)) || !bytes.HasSuffix(line, []byte(`,"msg":"record","n":`+strconv.Itoa(next)+"}\n")) {
				t.Fatalf("%s has %q where record %d should be", path, line, next)
			}
			next++
		}
		require.NoError(t, os.Remove(path))
	}
	return next
}

// fill writes a file until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 10_000))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
}

// heldSink says when its sink is held.
type heldSink struct {
	*file.Sink
	held chan struct{}
}

func (h heldSink) Write(ctx context.Context, batch []sinks.Event) error {
	err := h.Sink.Write(ctx, batch)
	first := err
	var items *sinks.BatchError
	if errors.As(err, &items) {
		for _, item := range items.Items {
			first = item
		}
	}
	if kind, _, _ := verdict.Of(first); first != nil && kind == verdict.Hold {
		select {
		case h.held <- struct{}{}:
		default:
		}
	}
	return err
}

// raceDetector reports whether the test runs with it, which makes it slow.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" && s.Value == "true" {
			return true
		}
	}
	return false
}
