package stdio_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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

func TestTerminal(t *testing.T) {
	const colored = "\x1b[92mINF\x1b[0m two words \x1b[2ma=\x1b[0m1\r\n"
	for _, test := range []struct {
		noColor, term string
		options       stdio.Options
		want          string
	}{
		{"", "xterm", stdio.Options{}, colored},
		{"", "xterm", stdio.Options{Format: stdio.Pretty}, colored},
		{"", "xterm", stdio.Options{NoColor: true}, "INF two words a=1\r\n"},
		{"1", "xterm", stdio.Options{}, "INF two words a=1\r\n"},
		{"", "dumb", stdio.Options{}, "INF two words a=1\r\n"},
		{"", "xterm", stdio.Options{Format: stdio.Text}, "level=INFO msg=\"two words\" a=1\r\n"},
		{"", "xterm", stdio.Options{Format: stdio.JSON}, `{"level":"INFO","msg":"two words","a":1}` + "\r\n"},
	} {
		t.Setenv("NO_COLOR", test.noColor)
		t.Setenv("TERM", test.term)
		master, slave := terminal(t)
		s, err := stdio.New(slave, test.options)
		require.NoError(t, err)
		require.NoError(t, s.Write(context.Background(), []sinks.Event{event("two words", "a", 1)}))
		buf := make([]byte, 1000)
		n, err := master.Read(buf)
		require.NoError(t, err)
		require.Equal(t, test.want, string(buf[:n]), "%+v", test)
		require.NoError(t, s.Close())
	}
}
