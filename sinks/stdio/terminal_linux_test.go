package stdio_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/stdio"
)

// terminal returns both ends of a terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	conn, err := master.SyscallConn()
	require.NoError(t, err)
	var number int
	require.NoError(t, conn.Control(func(fd uintptr) {
		require.NoError(t, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
		number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		require.NoError(t, err)
	}))
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// screen reads what a terminal shows, up to the end of a line.
func screen(t *testing.T, master *os.File) string {
	t.Helper()
	line, err := bufio.NewReader(master).ReadString('\n')
	require.NoError(t, err)
	return line
}

func TestTerminal(t *testing.T) {
	const (
		plain   = "INF two words a=1\r\n"
		colored = inColor + "\r\n"
	)
	for _, test := range []struct {
		noColor, force, cliColor, term string
		uri                            string
		want                           string
	}{
		{term: "xterm", uri: "stdout", want: colored}, // auto is pretty on a terminal
		{term: "xterm", uri: "stderr://?format=pretty", want: colored},
		{uri: "stdout", want: colored},
		{term: "xterm", cliColor: "1", uri: "stdout", want: colored},
		{term: "xterm", cliColor: "0", uri: "stdout", want: plain},
		{term: "xterm", cliColor: "0", force: "1", uri: "stdout", want: colored},
		{term: "xterm", cliColor: "0", force: "0", uri: "stdout", want: plain},
		{term: "xterm", noColor: "1", uri: "stdout", want: plain},
		{term: "xterm", noColor: "1", force: "1", uri: "stdout", want: plain},
		{term: "xterm", noColor: "1", uri: "stdout?color=always", want: colored},
		{term: "dumb", uri: "stdout", want: plain},
		{term: "dumb", force: "1", uri: "stdout", want: colored},
		{term: "dumb", uri: "stdout?color=always", want: colored},
		{term: "xterm", uri: "stdout?color=never", want: plain},
		{term: "xterm", force: "1", uri: "stdout?color=never", want: plain},
		{term: "xterm", uri: "stdout?format=text&color=always", want: "level=INFO msg=\"two words\" a=1\r\n"},
		{term: "xterm", uri: "stdout?format=json", want: `{"level":"INFO","msg":"two words","a":1}` + "\r\n"},
	} {
		t.Setenv("NO_COLOR", test.noColor)
		t.Setenv("CLICOLOR_FORCE", test.force)
		t.Setenv("CLICOLOR", test.cliColor)
		t.Setenv("TERM", test.term)
		master, slave := terminal(t)
		s := openOn(t, slave, test.uri)
		require.NoError(t, s.Write(t.Context(), []sinks.Event{event("two words", "a", 1)}))
		require.Equal(t, test.want, screen(t, master), "%+v", test)
		require.NoError(t, s.(io.Closer).Close())
	}
}

// Nobody will ever read what is written to a terminal that was closed, and no
// operator can mend that, as they could with a disk, whose error is the same.
func TestTerminalThatHangsUp(t *testing.T) {
	t.Parallel()
	for _, blocking := range []bool{true, false} {
		master, slave := terminal(t)
		conn, err := slave.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, conn.Control(func(fd uintptr) { require.NoError(t, unix.SetNonblock(int(fd), !blocking)) }))
		s, err := stdio.New(slave, stdio.Options{})
		require.NoError(t, err)
		require.NoError(t, s.Write(t.Context(), []sinks.Event{event("one")}))
		require.Equal(t, "INF one\r\n", stripped(screen(t, master)))
		require.NoError(t, master.Close())
		for range 3 {
			requireRefused(t, s.Write(t.Context(), []sinks.Event{event("two"), event("three")}), 2, syscall.EIO)
		}
		require.NoError(t, s.Close())
	}
}

// A program that survives the end of its terminal goes on logging, for other
// sinks.
func TestWindowThatIsClosed(t *testing.T) {
	t.Parallel()
	master, slave := terminal(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STDIO_TEST_CHILD=terminal")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	var errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = slave, &errOut
	goOn, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, slave.Close())
	require.Contains(t, screen(t, master), "before")
	require.NoError(t, master.Close())
	require.NoError(t, goOn.Close())
	require.NoError(t, cmd.Wait(), "%s", &errOut)
	require.Contains(t, errOut.String(), "survived: close <nil>, delivered 1, rejected 1000, pending 0\n")
}

// stripped takes the colors from a line.
func stripped(line string) string {
	return regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(line, "")
}

// A disk that is full is for an operator to see to.
func TestFullDevice(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	s, err := stdio.New(f, stdio.Options{})
	require.NoError(t, err)
	defer s.Close()
	for range 2 {
		err = s.Write(t.Context(), []sinks.Event{event("one"), event("two")})
		var items *sinks.BatchError
		require.ErrorAs(t, err, &items)
		require.Len(t, items.Items, 2)
		for _, err := range items.Items {
			kind, _, _ := verdict.Of(err)
			require.Equal(t, verdict.Hold, kind)
			require.ErrorIs(t, err, syscall.ENOSPC)
		}
	}
}
