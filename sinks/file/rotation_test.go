package file_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
)

// names returns the names in a directory, sorted.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// rotatedFiles returns the paths of the rotated files of app.log, by name.
func rotatedFiles(t *testing.T, dir string) (paths []string) {
	t.Helper()
	rotated := regexp.MustCompile(`^app-\d{8}T\d{6}\.\d{3}Z\.log(\.gz|\.zst)?$`)
	for _, name := range names(t, dir) {
		if rotated.MatchString(name) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

// joinedFiles returns all that was logged to app.log: the rotated files in the
// order of their names, and the current one.
func joinedFiles(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, path := range rotatedFiles(t, dir) {
		all.WriteString(read(t, path))
	}
	if current, err := os.ReadFile(filepath.Join(dir, "app.log")); !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
		all.Write(current)
	}
	return all.String()
}

// checkSizes requires that no file is empty, or exceeds a size but for one that
// is a single line.
func checkSizes(t *testing.T, dir string, most int64) {
	t.Helper()
	for _, path := range append(rotatedFiles(t, dir), filepath.Join(dir, "app.log")) {
		text := read(t, path)
		require.NotEmpty(t, text, path)
		require.True(t, int64(len(text)) <= most || strings.Count(text, "\n") == 1, "%s has %d bytes", path, len(text))
	}
}

func numbered(from, to int) (events []sinks.Event) {
	for i := from; i < to; i++ {
		events = append(events, event("record", "n", fmt.Sprintf("%06d", i)))
	}
	return events
}

func TestRotationBySize(t *testing.T) {
	t.Parallel()
	one := numbered(0, 1)
	size := int64(len(one[0].JSON()))
	for _, closeFirst := range []bool{false, true} {
		dir := t.TempDir()
		s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 10*size + 1}, &file.Faulty{Left: 1 << 30, CloseFirst: closeFirst})
		require.NoError(t, err)
		all := numbered(0, 100)
		write(t, s, all[:7]...)
		write(t, s, all[7:95]...) // several files at once
		write(t, s, all[95:]...)
		require.NoError(t, s.Close())
		require.Len(t, rotatedFiles(t, dir), 9)
		for _, path := range rotatedFiles(t, dir) {
			require.Len(t, read(t, path), int(10*size)) // they are full
		}
		require.Equal(t, joined(all...), joinedFiles(t, dir))

		// The next run goes on with the same file.
		s, err = file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 11 * size})
		require.NoError(t, err)
		more := numbered(100, 102)
		write(t, s, more...)
		require.NoError(t, s.Close())
		require.Len(t, rotatedFiles(t, dir), 10)
		require.Equal(t, joined(append(all, more...)...), joinedFiles(t, dir))
	}
}

// A line that no file has room for is not lost, and has a file to itself.
func TestLineLargerThanAFile(t *testing.T) {
	t.Parallel()
	long := event(strings.Repeat("x", 5000))
	for _, batch := range [][]sinks.Event{
		{long},
		{long, long, event("one")},
		{event("one"), long, event("two"), event("three"), long},
	} {
		dir := t.TempDir()
		s, err := file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1000})
		require.NoError(t, err)
		write(t, s, batch...)
		write(t, s, batch...)
		require.NoError(t, s.Close())
		require.Equal(t, joined(append(slices.Clone(batch), batch...)...), joinedFiles(t, dir))
		checkSizes(t, dir, 1000)
	}
}

// Whatever fails, and however often, the files have each record once and in
// order, no line is torn, and no file is too large.
func TestRandomFaultsWithRotation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			dir := t.TempDir()
			o := file.Options{MaxSize: int64(rng.IntN(600)), Rotate: time.Duration(rng.IntN(3)) * time.Minute}
			if o.MaxSize == 0 && o.Rotate == 0 {
				o.MaxSize = 1
			}
			f := &file.Faulty{Err: syscall.ENOSPC, CloseFirst: rng.IntN(2) == 0, NoTruncate: rng.IntN(2) == 0}
			fails := func(err error) error {
				if rng.IntN(3) == 0 {
					return err
				}
				return nil
			}
			open := func() *file.Sink {
				f.Opening, f.Renaming = nil, nil
				s, err := file.NewFaulty(filepath.Join(dir, "app.log"), o, f)
				require.NoError(t, err)
				f.Opening = func(string, int) error { return fails(syscall.EROFS) }
				f.Renaming = func(string, string) error { return fails(syscall.EACCES) }
				return s
			}
			s := open()
			var all []sinks.Event
			for range 1 + rng.IntN(12) {
				var batch []sinks.Event
				for range 1 + rng.IntN(8) {
					batch = append(batch, event(strings.Repeat("x", rng.IntN(60)), "n", rng.Int()))
				}
				all = append(all, batch...)
				for batch != nil {
					f.Left = rng.IntN(400)
					batch = attempt(t, s, batch)
				}
				time.Sleep(time.Duration(rng.IntN(60)) * time.Second)
				if rng.IntN(4) == 0 {
					require.NoError(t, s.Close())
					require.NoError(t, os.Chtimes(filepath.Join(dir, "app.log"), time.Time{}, time.Now()))
					s = open()
				}
			}
			require.NoError(t, s.Close())
			require.Equal(t, joined(all...), joinedFiles(t, dir), "seed %d", seed)
			if o.MaxSize > 0 {
				checkSizes(t, dir, o.MaxSize)
			}
		})
	}
}

// A line that was torn may be continued by that of another, longer record. It
// must not make the file too large.
func TestTornLineOfAShorterRecord(t *testing.T) {
	t.Parallel()
	short, long := event("a"), event("abcdefghijklmnopqrstuvwxyz")
	for _, noTruncate := range []bool{false, true} {
		dir := t.TempDir()
		f := &file.Faulty{Err: syscall.ENOSPC, NoTruncate: noTruncate}
		most := int64(2 * len(short.JSON()))
		s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: most}, f)
		require.NoError(t, err)
		f.Left = len(short.JSON()) + 10
		require.Len(t, attempt(t, s, []sinks.Event{short, short}), 1)
		f.Left = 1 << 20
		require.Empty(t, attempt(t, s, []sinks.Event{long}))
		require.NoError(t, s.Close())
		checkSizes(t, dir, most)
		want := joined(short, long)
		if noTruncate {
			want = joined(short) + string(short.JSON()[:10]) + "\n" + joined(long)
		}
		require.Equal(t, want, joinedFiles(t, dir))
	}
}

// A file whose last write was in another period is rotated before the first
// record of this one, also when the program was not running in between.
func TestRotationByTime(t *testing.T) {
	t.Parallel()
	for text, period := range map[string]time.Duration{"hourly": time.Hour, "daily": 24 * time.Hour, "90m": 90 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.log")
			open := func() sinks.Sink {
				s, err := openURI(t, "file://"+filepath.ToSlash(path)+"?rotate="+text)
				require.NoError(t, err)
				return s
			}
			s := open()
			want := map[string]string{} // by period
			var all []sinks.Event
			for i := range 24 * 7 {
				e := numbered(i, i+1)
				write(t, s, e...)
				all = append(all, e...)
				want[time.Now().UTC().Truncate(period).String()] += joined(e...)
				if i%9 == 5 {
					require.NoError(t, s.(*file.Sink).Close())
					require.NoError(t, os.Chtimes(path, time.Time{}, time.Now()))
					s = open()
				}
				time.Sleep(29 * time.Minute)
			}
			require.NoError(t, s.(*file.Sink).Close())
			require.Equal(t, joined(all...), joinedFiles(t, dir))
			got := map[string]string{}
			for _, path := range rotatedFiles(t, dir) {
				last, err := time.Parse("app-20060102T150405.000Z.log", filepath.Base(path))
				require.NoError(t, err)
				got[last.Truncate(period).String()] = read(t, path)
			}
			require.Len(t, got, len(want)-1)
			for p, text := range got {
				require.Equal(t, want[p], text)
			}
		})
	}
}

// A line that is torn when a period ends is finished in the file of that period,
// which ends with it.
func TestLineThatIsTornOverMidnight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &file.Faulty{Err: syscall.ENOSPC}
		s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{Rotate: 24 * time.Hour}, f)
		require.NoError(t, err)
		batch := numbered(0, 3)
		f.Left = len(batch[0].JSON()) + 20
		left := attempt(t, s, batch)
		require.Len(t, left, 2)
		time.Sleep(25 * time.Hour)
		f.Left = 1 << 20
		require.Empty(t, attempt(t, s, left))
		require.NoError(t, s.Close())
		require.Equal(t, []string{"app-20000101T000000.000Z.log", "app.log"}, names(t, dir))
		require.Equal(t, joined(batch[:2]...), read(t, filepath.Join(dir, "app-20000101T000000.000Z.log")))
		require.Equal(t, joined(batch[2]), read(t, f.Path))
	})
}

// The clock of a bubble stands still, so all files are full within one
// millisecond. Their names are different, and in order, also when the clock is
// set back, and when a name is taken.
func TestNamesAreInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		taken := []string{"app-20000101T000000.002Z.log.gz", "app-20000101T000000.003Z.log"}
		require.NoError(t, os.WriteFile(path, []byte("old\n"), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-400*time.Hour)))
		s, err := file.New(path, file.Options{MaxSize: 1})
		require.NoError(t, err)
		require.NoError(t, s.Probe(t.Context())) // looks which there are
		for _, name := range taken {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("taken\n"), 0o600))
		}
		write(t, s, numbered(0, 4)...)
		require.NoError(t, s.Close())

		// The next run finds a newest file that is from the future.
		future := filepath.Join(dir, "app-20300101T000000.000Z.log")
		require.NoError(t, os.WriteFile(future, []byte("future\n"), 0o600))
		s, err = file.New(path, file.Options{MaxSize: 1})
		require.NoError(t, err)
		write(t, s, numbered(4, 6)...)
		require.NoError(t, s.Close())
		require.Equal(t, []string{
			"app-19991215T080000.000Z.log",
			"app-20000101T000000.000Z.log", "app-20000101T000000.001Z.log",
			taken[0], taken[1],
			"app-20000101T000000.004Z.log",
			"app-20300101T000000.000Z.log", "app-20300101T000000.001Z.log", "app-20300101T000000.002Z.log",
			"app.log",
		}, names(t, dir))
		for _, name := range taken {
			require.Equal(t, "taken\n", read(t, filepath.Join(dir, name)))
		}
		require.Equal(t, "old\n"+joined(numbered(0, 2)...)+"taken\ntaken\n"+joined(numbered(2, 3)...)+"future\n"+joined(numbered(3, 6)...),
			joinedFiles(t, dir))
	})
}

// Where the clock is set back over the end of a period, the file is written on
// until the next period begins.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.log")
		require.NoError(t, os.WriteFile(path, []byte("from the future\n"), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(100*time.Hour)))
		s, err := file.New(path, file.Options{Rotate: time.Hour})
		require.NoError(t, err)
		write(t, s, numbered(0, 1)...)
		require.Equal(t, []string{"app.log"}, names(t, dir))
		time.Sleep(time.Hour)
		write(t, s, numbered(1, 2)...)
		require.NoError(t, s.Close())
		require.Equal(t, []string{"app-20000101T000000.000Z.log", "app.log"}, names(t, dir))
		require.Equal(t, "from the future\n"+joined(numbered(0, 2)...), joinedFiles(t, dir))
	})
}

func TestNamesWithoutAnExtension(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"app":        "app-20000101T000000.000Z",
		".log":       ".log-20000101T000000.000Z",
		"app.tar.gz": "app.tar-20000101T000000.000Z.gz",
		"ä b%.log":   "ä b%-20000101T000000.000Z.log",
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			s, err := file.New(filepath.Join(dir, name), file.Options{MaxSize: 1, MaxBackups: 1})
			require.NoError(t, err)
			write(t, s, numbered(0, 2)...)
			synctest.Wait()
			require.NoError(t, s.Close())
			require.ElementsMatch(t, []string{name, want}, names(t, dir))
		})
	}
}

// While a file cannot be rotated, records are held; when it can be, nothing is
// missing. What does not fit is not written to the full file.
func TestDirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, closeFirst := range []bool{false, true} {
		for _, what := range []string{"rename", "open"} {
			dir := t.TempDir()
			f := &file.Faulty{Err: syscall.ENOSPC, Left: 1 << 20, CloseFirst: closeFirst}
			s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 300, Mode: 0o640}, f)
			require.NoError(t, err)
			all := numbered(0, 20)
			batch := all
			for _, failure := range []error{syscall.EACCES, syscall.ENOSPC, syscall.EROFS} {
				switch what {
				case "rename":
					f.Renaming = func(string, string) error { return failure }
				case "open":
					f.Opening = func(string, int) error { return failure }
				}
				left := attempt(t, s, batch)
				require.NotEmpty(t, left)
				require.Equal(t, left, attempt(t, s, left))
				require.Equal(t, joined(all[:len(all)-len(left)]...), joinedFiles(t, dir))
				batch = left
				f.Renaming, f.Opening = nil, nil
			}
			require.NoError(t, s.Probe(t.Context()))
			require.Empty(t, attempt(t, s, batch))
			require.NoError(t, s.Close())
			require.Equal(t, joined(all...), joinedFiles(t, dir))
			checkSizes(t, dir, 300)
		}
	}
}
