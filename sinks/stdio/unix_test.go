//go:build unix

package stdio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/stdio"
)

// child is what a child process does whose standard output is a pipe that
// nobody reads.
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
		var said bytes.Buffer
		out, err := fapilog.New(context.Background(), fapilog.Config{Sinks: []string{"stdout://"}, Fallback: &said})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for range 1000 {
			slog.New(fapilog.Handler(out, nil)).Info("hello")
		}
		err = out.Close()
		st := out.Stats().Sinks[0]
		fmt.Fprintf(os.Stderr, "survived: close %v, delivered %d, rejected %d, pending %d, said so %v\n",
			err, st.Delivered, st.Rejected, st.Pending, bytes.Contains(said.Bytes(), []byte("broken pipe")))
	}
	return 0
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
	require.Contains(t, stderr, "survived: close <nil>, delivered 0, rejected 1000, pending 0, said so true\n")
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
