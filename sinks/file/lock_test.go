package file_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks/file"
)

const inUse = "another sink or program has it open, and one of the two rotates it"

// Of two sinks with one file, of which one rotates, the later one does nothing
// until the earlier one has ended.
func TestSinksThatCannotShareAFile(t *testing.T) {
	t.Parallel()
	rotating := file.Options{MaxSize: 200, Compress: file.Gzip, MaxBackups: 2}
	for _, test := range []struct{ first, second file.Options }{
		{rotating, rotating}, {rotating, file.Options{}}, {file.Options{}, rotating},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		plant(t, dir, "app-19990101T000000.000Z.log", "old\n")
		first, err := file.New(path, test.first)
		require.NoError(t, err)
		second, err := file.New(path, test.second)
		require.NoError(t, err) // it may wait for the other one to end
		ctx := context.Background()
		require.NoError(t, first.Probe(ctx))
		err = second.Probe(ctx)
		require.ErrorContains(t, err, inUse)
		kind, _, _ := verdict.Of(err)
		require.Equal(t, verdict.Retry, kind, "at start-up, where soft_start=true waives it")
		kind, _, _ = verdict.Of(second.Write(ctx, numbered(0, 1)))
		require.Equal(t, verdict.Hold, kind)
		write(t, first, numbered(0, 3)...)
		require.Len(t, attempt(t, second, numbered(3, 13)), 10)
		write(t, first, numbered(3, 10)...) // also after a rotation
		require.Len(t, attempt(t, second, numbered(10, 20)), 10)
		require.NoError(t, os.Remove(path)) // and after a deletion
		require.NoError(t, first.Probe(ctx))
		require.Len(t, attempt(t, second, numbered(10, 20)), 10)
		require.NoError(t, first.Close())
		before := names(t, dir)

		require.NoError(t, second.Probe(ctx))
		require.Empty(t, attempt(t, second, numbered(10, 12)))
		require.NoError(t, second.Close())
		if test.second.MaxSize == 0 {
			require.Equal(t, before, names(t, dir))
		}
		require.Equal(t, joined(numbered(10, 12)...), read(t, path))
	}
}

// A sink that has no lock makes no file, not even if there is none.
func TestPathThatIsMissingForAMoment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	ctx := context.Background()
	f := &file.Faulty{Left: 1 << 20}
	first, err := file.NewFaulty(path, file.Options{MaxSize: 100}, f)
	require.NoError(t, err)
	require.NoError(t, first.Probe(ctx))
	second, err := file.New(path, file.Options{})
	require.NoError(t, err)
	require.ErrorContains(t, second.Probe(ctx), inUse)
	asked := false
	f.Opening = func(string, int) error { // the file is renamed, and the next not there yet
		asked = true
		require.ErrorContains(t, second.Probe(ctx), inUse)
		require.NoFileExists(t, path)
		return nil
	}
	write(t, first, numbered(0, 3)...)
	require.True(t, asked)
	require.ErrorContains(t, second.Probe(ctx), inUse)
	require.NoError(t, first.Close())
	write(t, second, numbered(3, 4)...)
	require.NoError(t, second.Close())
	require.Equal(t, joined(numbered(0, 4)...), joinedFiles(t, dir))
}

// Another program may create the next file in the moment in which there is none,
// and then has it.
func TestFileThatIsTakenWhileItIsRotated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	ctx := context.Background()
	f := &file.Faulty{Left: 1 << 20}
	s, err := file.NewFaulty(path, file.Options{MaxSize: 1}, f)
	require.NoError(t, err)
	write(t, s, numbered(0, 1)...)
	var other *file.Sink
	f.Opening = func(string, int) error {
		f.Opening = nil
		other, err = file.New(path, file.Options{})
		require.NoError(t, err)
		write(t, other, numbered(1, 2)...)
		return nil
	}
	left := attempt(t, s, numbered(2, 4))
	require.Len(t, left, 2)
	require.ErrorContains(t, s.Probe(ctx), inUse)
	require.NoError(t, other.Close())
	require.Empty(t, attempt(t, s, left))
	require.NoError(t, s.Close())
	require.Equal(t, joined(numbered(0, 4)...), joinedFiles(t, dir))
	checkSizes(t, dir, 1)
}

// If somebody takes the file away, another sink may have had the next one, and
// have rotated it, before this one notices.
func TestFileThatIsRotatedByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		s, err := file.New(path, file.Options{MaxSize: 1})
		require.NoError(t, err)
		require.NoError(t, s.Probe(t.Context()))
		require.NoError(t, os.Rename(path, filepath.Join(dir, "taken")))
		other, err := file.New(path, file.Options{MaxSize: 1})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		write(t, other, numbered(0, 5)...)
		require.NoError(t, other.Close())
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Minute))) // by a clock that is wrong
		write(t, s, numbered(5, 8)...)
		require.NoError(t, s.Close())
		require.Equal(t, joined(numbered(0, 8)...), joinedFiles(t, dir))
	})
}

// Fan-outs that do not rotate can share a file, as they always could.
func TestFanoutsThatShareAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	uri := "file://" + filepath.ToSlash(path)
	var outs []*fapilog.Fanout
	for i := range 2 {
		out, err := fapilog.Open(context.Background(), uri)
		require.NoError(t, err)
		outs = append(outs, out)
		log := slog.New(fapilog.Handler(out, nil))
		for range 100 {
			log.Info("hello", "from", i)
		}
	}
	for _, out := range outs {
		require.NoError(t, out.Close())
	}
	for i := range 2 {
		require.Len(t, linesWith(t, path, fmt.Sprintf(`"from":%d}`, i)), 100)
	}
}

// One that rotates is refused at the start, unless it may wait.
func TestSoftStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.log")
	uri := "file://" + filepath.ToSlash(path) + "?max_size=1MiB"
	ctx := context.Background()
	old, err := fapilog.Open(ctx, uri)
	require.NoError(t, err)
	_, err = fapilog.Open(ctx, uri)
	require.ErrorContains(t, err, inUse)

	out, err := fapilog.New(ctx, fapilog.Config{Sinks: []string{uri + "&soft_start=true"}, Fallback: io.Discard})
	require.NoError(t, err)
	slog.New(fapilog.Handler(old, nil)).Info("old")
	slog.New(fapilog.Handler(out, nil)).Info("new")
	require.NoError(t, old.Close())
	require.NoError(t, out.Close()) // delivers, now that it can
	require.Len(t, linesWith(t, path, `"msg":"old"`), 1)
	require.Len(t, linesWith(t, path, `"msg":"new"`), 1)
}

// A program that has the file is as good as a sink.
func TestFileOfAnotherProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FILE_TEST_OWNER="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", said)

	s, err := file.New(path, file.Options{MaxSize: 100})
	require.NoError(t, err)
	require.ErrorContains(t, s.Probe(context.Background()), inUse)
	require.Len(t, attempt(t, s, numbered(1, 5)), 4)
	require.Equal(t, []string{"app.log"}, names(t, dir))
	require.NoError(t, in.Close()) // ends it, without closing its sink
	require.NoError(t, cmd.Wait())
	require.Empty(t, attempt(t, s, numbered(1, 5)))
	require.NoError(t, s.Close())
	require.Equal(t, joined(numbered(0, 5)...), joinedFiles(t, dir))
}

// owner is the other program: it has the file until its input ends.
func owner(path string) int {
	s, err := file.New(path, file.Options{MaxSize: 100})
	if err == nil {
		err = s.Write(context.Background(), numbered(0, 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}
