package file_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
)

func TestFileThatIsRenamed(t *testing.T) {
	t.Parallel()
	for _, o := range []file.Options{{}, {MaxSize: 1 << 20}} {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		s, err := file.New(path, o)
		require.NoError(t, err)
		write(t, s, numbered(0, 2)...)
		require.NoError(t, os.Rename(path, path+".1"))
		write(t, s, numbered(2, 3)...)
		write(t, s, numbered(3, 4)...)
		// With a file in its place, as logrotate makes it.
		require.NoError(t, os.Rename(path, path+".2"))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		write(t, s, numbered(4, 5)...)
		require.NoError(t, s.Close())
		require.Equal(t, joined(numbered(0, 2)...), read(t, path+".1"))
		require.Equal(t, joined(numbered(2, 4)...), read(t, path+".2"))
		require.Equal(t, joined(numbered(4, 5)...), read(t, path))
		require.Len(t, names(t, dir), 3)
	}
}

func TestFileThatIsDeleted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "app.log")
	s, err := file.New(path, file.Options{})
	require.NoError(t, err)
	write(t, s, numbered(0, 1)...)
	require.NoError(t, os.Remove(path))
	write(t, s, numbered(1, 2)...)
	require.Equal(t, joined(numbered(1, 2)...), read(t, path))
	require.NoError(t, os.RemoveAll(dir))
	write(t, s, numbered(2, 3)...)
	require.Equal(t, joined(numbered(2, 3)...), read(t, path))
	// A probe is enough to have it back.
	require.NoError(t, os.Remove(path))
	require.NoError(t, s.Probe(context.Background()))
	require.Empty(t, read(t, path))
	require.NoError(t, s.Close())
}

// While the path leads nowhere, nothing is written to the file that it led to,
// which may be gone for good.
func TestPathThatLeadsNowhere(t *testing.T) {
	t.Parallel()
	for _, o := range []file.Options{{}, {MaxSize: 1 << 20}} {
		for what, replace := range map[string]func(dir string) error{
			"file": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
			"loop": func(dir string) error { return os.Symlink(filepath.Base(dir), dir) },
		} {
			dir := filepath.Join(t.TempDir(), "logs")
			path := filepath.Join(dir, "app.log")
			s, err := file.New(path, o)
			require.NoError(t, err)
			write(t, s, numbered(0, 1)...)
			require.NoError(t, os.Rename(dir, dir+".old"))
			require.NoError(t, replace(dir))
			require.ErrorContains(t, s.Probe(context.Background()), path, what)
			require.ErrorContains(t, s.Write(context.Background(), numbered(1, 2)), path, what)
			require.NoError(t, os.Remove(dir))
			write(t, s, numbered(1, 2)...)
			require.NoError(t, s.Close())
			require.Equal(t, joined(numbered(0, 1)...), read(t, filepath.Join(dir+".old", "app.log")))
			require.Equal(t, joined(numbered(1, 2)...), read(t, path))
		}
	}
}

// A file that is emptied has its next line at the beginning. What it has does
// not count for its size any more.
func TestFileThatIsTruncated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	s, err := file.New(path, file.Options{MaxSize: 300})
	require.NoError(t, err)
	for range 10 {
		write(t, s, numbered(0, 5)...)
		require.NoError(t, os.Truncate(path, 0))
	}
	write(t, s, numbered(5, 6)...)
	// What somebody else adds does.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(strings.Repeat("x", 290))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, []string{"app.log"}, names(t, dir))
	write(t, s, numbered(6, 7)...)
	require.NoError(t, s.Close())
	require.Len(t, rotatedFiles(t, dir), 1)
	require.Equal(t, joined(numbered(5, 6)...)+strings.Repeat("x", 290)+"\n"+joined(numbered(6, 7)...), joinedFiles(t, dir))
}

// Whatever is torn when the file is moved, each record is in one of the files,
// once, and whole.
func TestTornLineOfAFileThatIsMoved(t *testing.T) {
	t.Parallel()
	all := numbered(0, 3)
	for cut := range len(joined(all...)) {
		for _, noTruncate := range []bool{false, true} {
			s, f := faulty(t)
			f.NoTruncate = noTruncate
			f.Left = cut
			left := attempt(t, s, all)
			require.NoError(t, os.Rename(f.Path, f.Path+".1"))
			if cut%2 == 0 {
				f.Opening = func(string, int) error { return syscall.ENOSPC }
				f.Left = 1
				require.Equal(t, left, attempt(t, s, left))
				f.Opening = nil
			}
			f.Left = 1 << 20
			require.Empty(t, attempt(t, s, left))
			delivered := len(all) - len(left)
			want := joined(all[:delivered]...)
			if torn := cut - len(want); noTruncate && torn > 0 {
				want += string(left[0].JSON()[:torn]) + "\n"
			}
			require.Equal(t, want, read(t, f.Path+".1"))
			require.Equal(t, joined(left...), read(t, f.Path))
		}
	}
}

// A link is followed, what it points to is rotated where it is, and when it
// points to something else, the sink changes over.
func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	for _, closeFirst := range []bool{false, true} {
		dir := t.TempDir()
		link := filepath.Join(dir, "link.log")
		for _, d := range []string{"a", "b"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, d), 0o700))
		}
		require.NoError(t, os.Symlink(filepath.Join("a", "app.log"), link)) // dangles
		f := &file.Faulty{Left: 1 << 20, CloseFirst: closeFirst}
		s, err := file.NewFaulty(link, file.Options{MaxSize: 100}, f)
		require.NoError(t, err)
		write(t, s, numbered(0, 5)...)
		require.NoError(t, os.Remove(link))
		require.NoError(t, os.Symlink(filepath.Join("b", "app.log"), link))
		write(t, s, numbered(5, 10)...)
		require.NoError(t, s.Close())
		for i, d := range []string{"a", "b"} {
			require.Len(t, rotatedFiles(t, filepath.Join(dir, d)), 2)
			require.Equal(t, joined(numbered(5*i, 5*i+5)...), joinedFiles(t, filepath.Join(dir, d)))
		}
		require.Equal(t, []string{"a", "b", "link.log"}, names(t, dir))
		target, err := os.Readlink(link)
		require.NoError(t, err)
		require.Equal(t, filepath.Join("b", "app.log"), target)
	}
}

// A relative path is one of the directory that the program had first.
func TestRelativePathAfterAChangeOfDirectory(t *testing.T) {
	first := t.TempDir()
	t.Chdir(first)
	s, err := file.New("app.log", file.Options{MaxSize: 100})
	require.NoError(t, err)
	write(t, s, numbered(0, 4)...)
	t.Chdir(t.TempDir())
	write(t, s, numbered(4, 8)...)
	require.NoError(t, os.Remove(filepath.Join(first, "app.log")))
	write(t, s, numbered(8, 10)...)
	require.NoError(t, s.Close())
	require.Empty(t, names(t, "."))
	require.Equal(t, joined(numbered(0, 6)...)+joined(numbered(8, 10)...), joinedFiles(t, first))
}

// Whoever moves the file and whenever, while the disk is full now and then,
// nothing is lost or there twice.
func TestRandomMoves(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		f := &file.Faulty{Err: syscall.ENOSPC, CloseFirst: rng.IntN(2) == 0}
		s, err := file.NewFaulty(path, file.Options{MaxSize: int64(200 * rng.IntN(3))}, f)
		require.NoError(t, err)
		var all []sinks.Event
		moved := 0
		move := func() {
			if rng.IntN(3) == 0 {
				moved++
				require.NoError(t, os.Rename(path, filepath.Join(dir, fmt.Sprintf("moved.%d", moved))))
			}
		}
		for i := range 20 {
			batch := numbered(5*i, 5*i+rng.IntN(5)+1)
			all = append(all, batch...)
			for batch != nil {
				f.Left = rng.IntN(300)
				batch = attempt(t, s, batch)
				move()
				if rng.IntN(4) == 0 {
					require.NoError(t, s.Probe(context.Background()))
				}
				if _, err := os.Stat(path); err != nil {
					require.NoError(t, s.Probe(context.Background()))
				}
			}
		}
		require.NoError(t, s.Close())
		got := map[string]int{}
		for _, name := range names(t, dir) {
			for line := range strings.Lines(read(t, filepath.Join(dir, name))) {
				got[line]++
			}
		}
		require.Len(t, got, len(all), "seed %d", seed)
		for _, e := range all {
			require.Equal(t, 1, got[string(e.JSON())], "seed %d", seed)
		}
	}
}
