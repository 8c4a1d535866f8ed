//go:build unix

package file_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
)

func TestPermissions(t *testing.T) {
	t.Chdir(t.TempDir())
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	for query, want := range map[string][2]fs.FileMode{ // of the directory and the file
		"":           {0o700, 0o600},
		"?mode=0600": {0o700, 0o600},
		"?mode=640":  {0o750, 0o640},
		"?mode=0666": {0o755, 0o644},
		"?mode=0400": {0o700, 0o400},
	} {
		dir := "logs" + query[max(len(query)-3, 0):]
		s, err := openURI(t, "file:"+dir+"/app.log"+query)
		require.NoError(t, err)
		require.NoError(t, s.(*file.Sink).Close())
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, want[0], info.Mode().Perm(), query)
		info, err = os.Stat(dir + "/app.log")
		require.NoError(t, err)
		require.Equal(t, want[1], info.Mode().Perm(), query)
	}
	// What exists stays as it is.
	require.NoError(t, os.WriteFile("old.log", nil, 0o644))
	s, err := openURI(t, "file:old.log?mode=0600")
	require.NoError(t, err)
	require.NoError(t, s.(*file.Sink).Close())
	info, err := os.Stat("old.log")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
}

func TestFileThatMustNotBeWritten(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("the superuser may write to everything")
	}
	path := filepath.Join(t.TempDir(), "app.log")
	require.NoError(t, os.WriteFile(path, nil, 0o400))
	_, err := file.New(path, file.Options{})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, path)
}

// One that may be written and not be read is good enough.
func TestFileThatMustNotBeRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	require.NoError(t, os.WriteFile(path, []byte("torn"), 0o200))
	s, err := file.New(path, file.Options{})
	require.NoError(t, err)
	write(t, s, event("one"))
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(path, 0o600))
	require.Equal(t, "torn\n"+joined(event("one")), read(t, path))
}

// A program that has given up the right to look into the directory goes on with
// the file.
func TestDirectoryThatMustNotBeEntered(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("the superuser may enter every directory")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	s, err := file.New(path, file.Options{})
	require.NoError(t, err)
	write(t, s, numbered(0, 1)...)
	require.NoError(t, os.Chmod(dir, 0))
	write(t, s, numbered(1, 2)...)
	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, s.Close())
	require.Equal(t, joined(numbered(0, 2)...), read(t, path))
}

// A child that the program is about to start has all files open for a moment.
// It does not keep the lock of one that is closed, or a program that opens its
// log anew would find it in use now and then.
func TestLockOfAFileThatIsClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	f := &file.Faulty{Left: 1 << 20, Opened: func(log *os.File) {
		fd, err := syscall.Dup(int(log.Fd())) // as the child has it
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, syscall.Close(fd)) })
	}}
	for i := range 3 {
		s, err := file.NewFaulty(path, file.Options{MaxSize: 1 << 20}, f)
		require.NoError(t, err)
		write(t, s, numbered(i, i+1)...)
		require.NoError(t, s.Close())
	}
	require.Equal(t, joined(numbered(0, 3)...), read(t, path))
}

func TestNamedPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no named pipe to be had: %v", err)
	}
	_, err := file.New(path, file.Options{})
	require.ErrorContains(t, err, "a pipe or a socket")
}

// A file that follows a rotated one is like it, whatever the umask, and so is
// what it is compressed to. One that follows a file that somebody else took away
// is like one that is new.
func TestPermissionsAfterRotation(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		require.NoError(t, os.WriteFile(path, []byte("old\n"), 0o600))
		require.NoError(t, os.Chmod(path, 0o664))
		owner := uint32(os.Getuid())
		if owner == 0 {
			owner = 12345
			require.NoError(t, os.Chown(path, int(owner), int(owner)))
		}
		f := &file.Faulty{Left: 1 << 20}
		s, err := file.NewFaulty(path, file.Options{MaxSize: 1, Compress: file.Gzip, Mode: 0o644}, f)
		require.NoError(t, err)
		// The successor is created by another attempt than the renaming.
		f.Opening = func(_ string, flag int) error {
			if flag&os.O_APPEND != 0 {
				return syscall.EMFILE
			}
			return nil
		}
		require.Error(t, s.Write(context.Background(), numbered(0, 3)))
		require.NoFileExists(t, path)
		synctest.Wait()
		f.Opening = nil
		write(t, s, numbered(0, 3)...)
		synctest.Wait()
		files := append(rotatedFiles(t, dir), path)
		require.Len(t, files, 4)
		for _, path := range files {
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o664), info.Mode(), path)
			require.Equal(t, owner, info.Sys().(*syscall.Stat_t).Uid, path)
		}
		require.NoError(t, os.Rename(path, path+".1"))
		require.NoError(t, s.Probe(context.Background()))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode()) // 0644 without what the umask takes
		require.NoError(t, s.Close())
	})
}

// A device cannot be rotated.
func TestRotationOfADevice(t *testing.T) {
	t.Parallel()
	_, err := file.New("/dev/null", file.Options{Rotate: time.Hour})
	require.ErrorContains(t, err, "cannot be rotated: leave out max_size and rotate")
	info, err := os.Stat("/dev/null")
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeDevice)
}

// A device has no size, and nothing can be cut off it.
func TestDevices(t *testing.T) {
	t.Parallel()
	s, err := file.New("/dev/null", file.Options{})
	require.NoError(t, err)
	write(t, s, event("one"))
	require.NoError(t, s.Close())

	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	s, err = file.New("/dev/full", file.Options{})
	require.NoError(t, err)
	for range 3 {
		require.Len(t, attempt(t, s, []sinks.Event{event("one"), event("two")}), 2)
	}
	require.NoError(t, s.Close())
}

// limit is the size of a file that the child may not exceed, in bytes.
const limit = 10_000

// child logs into a file that must not grow beyond the limit, has the limit
// lifted when the sink is held, and goes on.
func child(path string) int {
	if err := logBeyondLimit(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fallback is a fallback output that passes on what is written.
type fallback chan string

func (f fallback) Write(p []byte) (int, error) {
	f <- string(p)
	return len(p), nil
}

func logBeyondLimit(path string) error {
	signal.Ignore(syscall.SIGXFSZ) // as most programs that get EFBIG have to
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	low := old
	low.Cur = limit
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &low); err != nil {
		return err
	}
	ctx := context.Background()
	said := make(fallback, 10)
	out, err := fapilog.New(ctx, fapilog.Config{Sinks: []string{"file://" + path}, Fallback: said})
	if err != nil {
		return err
	}
	log := slog.New(fapilog.Handler(out, nil))
	for i := range 1000 {
		log.Info("hello", "i", i)
	}
	if line := <-said; !strings.Contains(line, "held until an operator acts") {
		return fmt.Errorf("the fallback output has %s", line)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != limit {
		return fmt.Errorf("the file should be full: %v, %v", info.Size(), err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	// Close looks more often whether the disk has room.
	if err := out.Close(); err != nil {
		return err
	}
	if st := out.Stats().Sinks[0]; st.Delivered != 1000 {
		return fmt.Errorf("account: %+v", st)
	}
	return nil
}

// The limit makes the operating system take a part of a write, and then
// nothing.
func TestDiskThatIsFullForAWhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FILE_TEST_CHILD="+path)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	lines := bytes.SplitAfter([]byte(read(t, path)), []byte("\n"))
	require.Len(t, lines, 1001)
	require.Empty(t, lines[1000])
	for i, text := range lines[:1000] {
		require.Regexp(t, fmt.Sprintf(`^\{"time":"[^"]+","level":"INFO","msg":"hello","i":%d\}\n$`, i), string(text))
	}
}

// That a file cannot be rotated is found when the program starts, and not at
// midnight.
func TestRotationThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("the superuser may write to every directory")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o700)) })
	for o, want := range map[file.Options]string{
		{}:                       "",
		{MaxSize: 1 << 20}:       "file: rotate " + path + ": the program must be able to write to the directory: access " + dir + ": permission denied",
		{Rotate: 24 * time.Hour}: "file: rotate " + path + ": the program must be able to write to the directory: access " + dir + ": permission denied",
	} {
		s, err := file.New(path, o)
		require.NoError(t, err)
		if err = s.Probe(t.Context()); want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, want)
		}
		require.NoError(t, s.Close())
	}
}
