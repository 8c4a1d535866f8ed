//go:build unix

package stdio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/stdio"
)

// errGone is the error of writing to a pipe that nobody reads.
const errGone = syscall.EPIPE

// child is what the tests' child processes do.
func child(role string) int {
	switch role {
	case "direct":
		_, err := os.Stdout.WriteString("x\n")
		fmt.Fprintln(os.Stderr, "survived:", err)
	case "sink":
		s, err := stdio.New(os.Stdout, stdio.Options{})
		for range 3 {
			err = errors.Join(err, s.Write(context.Background(), []sinks.Event{event("one"), event("two")}))
		}
		fmt.Fprintln(os.Stderr, "survived:", errors.Join(err, s.Close()))
	case "fanout":
		return logInChild(func(*fapilog.Fanout) error { return nil })
	case "terminal":
		signal.Ignore(syscall.SIGHUP)
		return logInChild(func(out *fapilog.Fanout) error {
			slog.New(fapilog.Handler(out, nil)).Info("before")
			if err := out.Flush(context.Background()); err != nil {
				return err
			}
			_, err := io.ReadAll(os.Stdin) // until the terminal is gone
			return err
		})
	case "redirected":
		if err := fillsUp(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// logInChild logs 1000 records to standard output, and says what became of
// them.
func logInChild(before func(*fapilog.Fanout) error) int {
	var said bytes.Buffer
	out, err := fapilog.New(context.Background(), fapilog.Config{Sinks: []string{"stdout://"}, Fallback: &said})
	if err == nil {
		err = before(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for range 1000 {
		slog.New(fapilog.Handler(out, nil)).Info("hello")
	}
	err = out.Close()
	st := out.Stats().Sinks[0]
	fmt.Fprintf(os.Stderr, "survived: close %v, delivered %d, rejected %d, pending %d\n", err, st.Delivered, st.Rejected, st.Pending)
	os.Stderr.Write(said.Bytes())
	return 0
}

// fillsUp writes to a standard output that takes 1000 bytes at first, as a
// file on a disk that is full, and more when the operator has made room.
func fillsUp() error {
	signal.Ignore(syscall.SIGXFSZ)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	room := limit.Cur
	limit.Cur = 1000
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	s, err := stdio.New(os.Stdout, stdio.Options{})
	if err != nil {
		return err
	}
	batch := numbered(0, 100)
	for range 3 {
		var items *sinks.BatchError
		if err := s.Write(context.Background(), batch); !errors.As(err, &items) {
			return fmt.Errorf("not an answer for each record: %w", err)
		}
		kind, _, _ := verdict.Of(items.Items[len(batch)-1])
		if kind != verdict.Hold {
			return fmt.Errorf("not held: %w", items.Items[len(batch)-1])
		}
		batch = batch[len(batch)-len(items.Items):]
	}
	limit.Cur = room
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return errors.Join(s.Write(context.Background(), batch), s.Write(context.Background(), numbered(100, 200)), s.Close())
}

func numbered(from, to int) (batch []sinks.Event) {
	for i := from; i < to; i++ {
		batch = append(batch, event("hello", "i", i))
	}
	return batch
}

// runChild runs this test's program with a closed pipe as standard output.
func runChild(t *testing.T, role string) (stderr string, err error) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	defer w.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STDIO_TEST_CHILD="+role)
	var errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errOut
	err = cmd.Run()
	return errOut.String(), err
}

func TestClosedPipeDoesNotEndTheProgram(t *testing.T) {
	t.Parallel()
	// That it would is what this test is about.
	_, err := runChild(t, "direct")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, syscall.SIGPIPE, exit.Sys().(syscall.WaitStatus).Signal())

	stderr, err := runChild(t, "sink")
	require.NoError(t, err, stderr)
	require.Contains(t, stderr, "survived: 2 records not delivered")
	require.Contains(t, stderr, "broken pipe")

	stderr, err = runChild(t, "fanout")
	require.NoError(t, err, stderr)
	require.Contains(t, stderr, "survived: close <nil>, delivered 0, rejected 1000, pending 0\n")
	require.Contains(t, stderr, "broken pipe") // said on the fallback output
}

// The Go runtime opens /dev/null in place of a standard output that a program
// is started without.
func TestProgramWithoutStandardOutput(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `exec "$0" >&-`, os.Args[0])
	cmd.Env = append(os.Environ(), "STDIO_TEST_CHILD=fanout")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	require.NoError(t, cmd.Run(), "%s", &errOut)
	require.Equal(t, "survived: close <nil>, delivered 1000, rejected 0, pending 0\n", errOut.String())
}

func TestOutputThatIsOpenForReadingOnly(t *testing.T) {
	t.Parallel()
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	_, err = stdio.New(f, stdio.Options{})
	require.ErrorContains(t, err, "it is not open for writing")
}

// A file whose disk fills up has every line once, and none of them torn, when
// there is room again.
func TestRedirectedToADiskThatFillsUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STDIO_TEST_CHILD=redirected")
	cmd.Stdout = f
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	require.NoError(t, cmd.Run(), "%s", &errOut)
	var want bytes.Buffer
	for _, e := range numbered(0, 200) {
		want.Write(e.JSON())
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got))
}

// A pipe in non-blocking mode is not waited for any longer than the context
// allows, and goes on in the middle of the line when there is a reader again.
func TestStalledReaderOfAPipeThatDoesNotBlock(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	s, err := stdio.New(w, stdio.Options{})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	batch := []sinks.Event{event("one"), event(strings.Repeat("x", 300<<10)), event("three")} // more than a pipe takes

	var all bytes.Buffer
	for _, e := range batch {
		all.Write(e.JSON())
	}

	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() { written <- s.Write(ctx, batch) }()
	start := make([]byte, len(batch[0].JSON())+1)
	_, err = io.ReadFull(r, start) // it is in the middle of the second line
	require.NoError(t, err)
	cancel()
	requireStalled(t, <-written, 1, 2)
	left := batch[1:]
	requireStalled(t, s.Write(ctx, left), 0, 1) // with a context that has ended before

	go func() { written <- errors.Join(s.Write(t.Context(), left), s.Close()) }()
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, <-written)
	require.Equal(t, all.String(), string(start)+string(rest))
}

// requireStalled requires that err is to try the given records of a batch again,
// and no others, when the output takes more.
func requireStalled(t *testing.T, err error, records ...int) {
	t.Helper()
	var items *sinks.BatchError
	require.ErrorAs(t, err, &items)
	require.ElementsMatch(t, records, slices.Collect(maps.Keys(items.Items)))
	for _, err := range items.Items {
		kind, after, told := verdict.Of(err)
		require.Equal(t, verdict.Retry, kind)
		require.True(t, told)
		require.Zero(t, after)
		require.ErrorContains(t, err, "the reader stalls")
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

// A pipe in blocking mode cannot be called off: the fan-out gives up its sink
// when it is shut down.
func TestStalledReaderOfAPipeThatBlocks(t *testing.T) {
	t.Parallel()
	var fds [2]int
	require.NoError(t, syscall.Pipe(fds[:]))
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	s, err := stdio.New(w, stdio.Options{})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	out, err := fapilog.New(t.Context(), fapilog.Config{Targets: []fapilog.Target{{Sink: s}}, Fallback: t.Output()})
	require.NoError(t, err)
	slog.New(fapilog.Handler(out, nil)).Info(strings.Repeat("x", 300<<10))
	_, err = io.ReadFull(r, make([]byte, 1)) // it is in Write
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, out.Shutdown(ctx), "1 record undelivered: the sink does not return")
	require.NoError(t, r.Close()) // which releases the goroutine that was left
}

// The descriptor is not inherited by programs that the program starts, and it
// does not change the mode of the one that it was made of.
func TestDescriptor(t *testing.T) {
	t.Parallel()
	var fds [2]int
	require.NoError(t, syscall.Pipe(fds[:])) // blocking, as what a shell passes on
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	defer w.Close()
	s, err := stdio.New(w, stdio.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Write(context.Background(), []sinks.Event{event("one")}))
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[1]), syscall.F_GETFL, 0)
	require.Zero(t, errno)
	require.Zero(t, flags&syscall.O_NONBLOCK)
	require.NoError(t, s.Close())
	_, err = w.WriteString("still open\n")
	require.NoError(t, err)
}

// A descriptor that stops to block while it is in use, because another process
// changed the mode of the pipe they share, is waited for by the worker.
func TestPipeThatStopsToBlock(t *testing.T) {
	t.Parallel()
	var fds [2]int
	require.NoError(t, syscall.Pipe(fds[:]))
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	s, err := stdio.New(w, stdio.Options{})
	require.NoError(t, err)
	require.NoError(t, syscall.SetNonblock(fds[1], true))
	require.NoError(t, w.Close())

	out, err := fapilog.New(context.Background(), fapilog.Config{Targets: []fapilog.Target{{Sink: s}}, Fallback: &bytes.Buffer{}})
	require.NoError(t, err)
	const n = 5000
	for i := range n {
		slog.New(fapilog.Handler(out, nil)).Info("hello", "i", i)
	}
	closed := make(chan error, 1)
	go func() { closed <- out.Close() }()
	var got bytes.Buffer
	_, err = got.ReadFrom(r)
	require.NoError(t, err)
	require.NoError(t, <-closed)
	require.EqualValues(t, n, out.Stats().Sinks[0].Delivered)
	for i, text := range bytes.Split(bytes.TrimSpace(got.Bytes()), []byte("\n")) {
		require.Contains(t, string(text), fmt.Sprintf(`"msg":"hello","i":%d}`, i))
	}
	require.Equal(t, n, bytes.Count(got.Bytes(), []byte("\n")))
}
