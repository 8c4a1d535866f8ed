package file_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/compress"
	"github.com/fapilog/fapilog/internal/warn"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
	_ "github.com/fapilog/fapilog/zstd"
)

// In a bubble, synctest.Wait waits until the rotated files are taken care of.

// unpacked returns the content of a file that may be compressed.
func unpacked(t *testing.T, path string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(read(t, path))
	var err error
	switch filepath.Ext(path) {
	case ".gz":
		r, err = gzip.NewReader(r)
	case ".zst":
		r, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	}
	require.NoError(t, err, path)
	text, err := io.ReadAll(r)
	require.NoError(t, err, path)
	return string(text)
}

// unpackedFiles is joinedFiles for files that may be compressed.
func unpackedFiles(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, path := range append(rotatedFiles(t, dir), filepath.Join(dir, "app.log")) {
		all.WriteString(unpacked(t, path))
	}
	return all.String()
}

// plant makes a file.
func plant(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

// stamped returns the name of a file that was rotated some time ago.
func stamped(ago time.Duration) string {
	return "app-" + time.Now().UTC().Add(-ago).Format("20060102T150405.000Z") + ".log"
}

func TestCompression(t *testing.T) {
	t.Parallel()
	for compression, extension := range map[file.Compression]string{file.Gzip: ".gz", file.Zstd: ".zst"} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			s, err := file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 2000, Compress: compression})
			require.NoError(t, err)
			all := numbered(0, 200)
			for batch := range 20 {
				write(t, s, all[10*batch:10*batch+10]...)
				time.Sleep(time.Second)
			}
			synctest.Wait()
			rotated := rotatedFiles(t, dir)
			require.Len(t, rotated, 4)
			require.Len(t, names(t, dir), 5)
			for _, path := range rotated {
				require.Equal(t, extension, filepath.Ext(path))
				require.Less(t, len(read(t, path)), 500)
			}
			require.Equal(t, joined(all...), unpackedFiles(t, dir))
			require.NoError(t, s.Close())
		})
	}
}

// A rotated file keeps its permissions and its time when it is compressed.
func TestCompressedFilesLookLikeTheOriginals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		plant(t, dir, "app.log", "old\n")
		path := filepath.Join(dir, "app.log")
		old := time.Date(1999, 5, 6, 7, 8, 9, 0, time.UTC)
		require.NoError(t, os.Chmod(path, 0o664))
		require.NoError(t, os.Chtimes(path, time.Time{}, old))
		s, err := file.New(path, file.Options{Rotate: time.Hour, Compress: file.Gzip})
		require.NoError(t, err)
		write(t, s, numbered(0, 1)...)
		synctest.Wait()
		require.NoError(t, s.Close())
		info, err := os.Stat(filepath.Join(dir, "app-19990506T070809.000Z.log.gz"))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o664), info.Mode())
		require.True(t, info.ModTime().Equal(old))
		info, err = os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o664), info.Mode()) // and so has its successor
	})
}

// gzipped returns the size of a text when it is compressed.
func gzipped(t *testing.T, text string) int64 {
	t.Helper()
	format, err := compress.Lookup("gzip")
	require.NoError(t, err)
	var b bytes.Buffer
	w := format.New()
	w.Reset(&b)
	_, err = io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return int64(b.Len())
}

func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	text := strings.Repeat("x", 99) + "\n"
	packed := gzipped(t, text)
	for name, test := range map[string]struct {
		o    file.Options
		left []int // of nine files of 100 bytes that are 9, 8, ..., 1 days old, the age of those that are kept
	}{
		"all":               {file.Options{}, []int{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"count":             {file.Options{MaxBackups: 3}, []int{3, 2, 1}},
		"a large count":     {file.Options{MaxBackups: 30}, []int{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		"age":               {file.Options{MaxAge: 5 * day}, []int{5, 4, 3, 2, 1}},
		"size":              {file.Options{MaxTotalSize: 450}, []int{4, 3, 2, 1}},
		"exact size":        {file.Options{MaxTotalSize: 400}, []int{4, 3, 2, 1}},
		"no room":           {file.Options{MaxTotalSize: 99}, nil},
		"count before age":  {file.Options{MaxBackups: 2, MaxAge: 5 * day}, []int{2, 1}},
		"age before count":  {file.Options{MaxBackups: 5, MaxAge: 2 * day}, []int{2, 1}},
		"size before count": {file.Options{MaxBackups: 5, MaxAge: 7 * day, MaxTotalSize: 200}, []int{2, 1}},
		"compressed first":  {file.Options{MaxTotalSize: 8 * packed, Compress: file.Gzip}, []int{8, 7, 6, 5, 4, 3, 2, 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			want := []string{}
			for i := range 9 {
				plant(t, dir, stamped(time.Duration(9-i)*day), text)
			}
			for _, i := range test.left {
				rotated := stamped(time.Duration(i) * day)
				if test.o.Compress == file.Gzip {
					rotated += ".gz"
				}
				want = append(want, rotated)
			}
			test.o.Rotate = time.Hour
			s, err := file.New(filepath.Join(dir, "app.log"), test.o)
			require.NoError(t, err)
			write(t, s, numbered(0, 1)...)
			synctest.Wait()
			require.NoError(t, s.Close())
			require.Equal(t, append(want, "app.log"), names(t, dir), name)
		})
	}
}

// Where the clock was wrong for a while, all names after that have times that
// have not come yet. Their files are deleted when they are too old all the same.
func TestAgeAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const day = 24 * time.Hour
		for i, ago := range []time.Duration{-99 * 365 * day, 40 * day, 31 * day, 29 * day} {
			name := fmt.Sprintf("app-20990101T000000.%03dZ.log", i)
			plant(t, dir, name, "text\n")
			require.NoError(t, os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(-ago)))
		}
		plant(t, dir, stamped(31*day), "text\n") // modified a moment ago
		s, err := file.New(filepath.Join(dir, "app.log"), file.Options{Rotate: time.Hour, MaxAge: 30 * day})
		require.NoError(t, err)
		write(t, s, numbered(0, 1)...)
		synctest.Wait()
		require.NoError(t, s.Close())
		require.Equal(t, []string{"app-20990101T000000.000Z.log", "app-20990101T000000.003Z.log", "app.log"}, names(t, dir))
	})
}

// Each parameter of a URI does what it says.
func TestParametersOfRetention(t *testing.T) {
	t.Parallel()
	old := []string{"app-19990101T000000.000Z.log", "app-19991201T000000.000Z.log", "app-19991231T000000.000Z.log"}
	for query, want := range map[string][]string{
		"max_size=1KiB":                       {old[0], old[1], old[2]},
		"max_size=1KiB&max_backups=2":         {old[1], old[2]},
		"rotate=hourly&max_age=40d":           {old[1], old[2]},
		"rotate=1h30m&max_total_size=5":       {old[2]},
		"rotate=daily&compress=gzip":          {old[0] + ".gz", old[1] + ".gz", old[2] + ".gz"},
		"rotate=Daily&compress=ZSTD":          {old[0] + ".zst", old[1] + ".zst", old[2] + ".zst"},
		"rotate=7d&max_backups=1":             {old[2]},
		"max_size=1KiB&rotate=1s&max_age=36h": {old[2]},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range old {
				plant(t, dir, name, "old\n")
			}
			s, err := openURI(t, "file://"+filepath.ToSlash(dir)+"/app.log?"+query)
			require.NoError(t, err)
			write(t, s, numbered(0, 1)...)
			synctest.Wait()
			require.NoError(t, s.(*file.Sink).Close())
			require.Equal(t, append(want, "app.log"), names(t, dir), query)
		})
	}
}

// Files that have similar names are not ours.
func TestForeignFilesSurvive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		foreign := []string{
			"app.log.1", "app.log-20000101", "app-old.log", "app-2000.log", "app-20000101T000000Z.log",
			"app-20000101T000000.000Z", "app-20000101T000000.000Z.log.bz2", "app-20000101T000000.000Z.log.gz.bak",
			"app-20000101T000000.000Z.txt", "app-20000101T000000.000Z-errors.log", "app-20001301T000000.000Z.log",
			"app-20000101T000000,000Z.log", "app-20000101T000000.0000Z.log", "myapp-20000101T000000.000Z.log",
			"application-20000101T000000.000Z.log", "app-errors-20000101T000000.000Z.log", "App-20000101T000000.000Z.log",
			".app-20000101T000000.000Z.log", ".app-20000101T000000.000Z.log.tmp", ".app-20000101T000000.000Z.log.gz",
			"app-20000101T000000.000Z.log.gz.tmp", "error-20000101T000000.000Z.log",
		}
		for _, name := range foreign {
			plant(t, dir, name, "foreign\n")
		}
		require.NoError(t, os.Mkdir(filepath.Join(dir, "app-19990101T000000.000Z.log"), 0o700))
		plant(t, dir, "app-19990101T000000.000Z.log/inside", "foreign\n")
		require.NoError(t, os.Symlink("app-old.log", filepath.Join(dir, "app-19990101T000000.001Z.log")))
		mine := []string{"app-19990101T000000.002Z.log", "app-19990101T000000.003Z.log.gz", "app-19990101T000000.004Z.log.zst"}
		for _, name := range mine {
			plant(t, dir, name, "mine\n")
		}
		before := names(t, dir)
		s, err := file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1, Compress: file.Gzip, MaxBackups: 1, MaxAge: time.Hour, MaxTotalSize: 1})
		require.NoError(t, err)
		write(t, s, numbered(0, 10)...)
		synctest.Wait()
		require.NoError(t, s.Close())
		after := names(t, dir)
		for _, name := range mine {
			require.NotContains(t, after, name)
		}
		require.Len(t, after, len(before)-len(mine)+1) // app.log
		for _, name := range foreign {
			require.Equal(t, "foreign\n", read(t, filepath.Join(dir, name)))
		}
	})
}

// Whatever a killed run has left, the next one has each file once, and whole.
func TestLeftoversOfAKilledRun(t *testing.T) {
	t.Parallel()
	packed := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.String()
	}
	const name = "app-19990101T000000.000Z.log"
	for what, left := range map[string]map[string]string{
		"not begun":            {name: "text\n"},
		"in the middle":        {name: "text\n", "." + name + ".gz.tmp": "\x1f\x8b..."},
		"before the rename":    {name: "text\n", "." + name + ".gz.tmp": packed("text\n")},
		"before the removal":   {name: "text\n", name + ".gz": packed("text\n")},
		"a power failure":      {name: "text\n", name + ".gz": ""},
		"in another format":    {name: "text\n", name + ".zst": "...", "." + name + ".zst.tmp": "..."},
		"done":                 {name + ".gz": packed("text\n")},
		"a temporary file":     {name + ".gz": packed("text\n"), "." + name + ".gz.tmp": "..."},
		"before the directory": {name: "text\n", "." + name + ".gz.tmp": ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range left {
				plant(t, dir, name, text)
			}
			s, err := file.New(filepath.Join(dir, "app.log"), file.Options{Rotate: time.Hour, Compress: file.Gzip})
			require.NoError(t, err)
			write(t, s, numbered(0, 1)...)
			synctest.Wait()
			require.NoError(t, s.Close())
			require.Equal(t, []string{name + ".gz", "app.log"}, names(t, dir), what)
			require.Equal(t, "text\n", unpacked(t, filepath.Join(dir, name+".gz")), what)
		})
	}
}

// warnings returns a context that collects what a sink warns of.
func warnings() (context.Context, *[]string) {
	var said []string
	return warn.Context(context.Background(), func(err error) { said = append(said, err.Error()) }), &said
}

// If there is no room to compress a file, the original stays, the records are
// delivered, and it is said. The next rotation tries again.
func TestFullDiskWhileCompressing(t *testing.T) {
	t.Parallel()
	for left := 0; left < 60; left += 7 {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			f := &file.Faulty{Left: 1 << 20, PackLeft: left, PackErr: syscall.ENOSPC}
			s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1, Compress: file.Gzip}, f)
			require.NoError(t, err)
			ctx, said := warnings()
			require.NoError(t, s.Probe(ctx))
			synctest.Wait() // there is nothing to compress yet
			require.NoError(t, s.Write(ctx, numbered(0, 2)))
			synctest.Wait()
			require.Equal(t, []string{"app-20000101T000000.000Z.log", "app.log"}, names(t, dir))
			require.Equal(t, joined(numbered(0, 2)...), joinedFiles(t, dir))
			require.Empty(t, *said)
			require.NoError(t, s.Probe(ctx))
			require.Len(t, *said, 1)
			require.Contains(t, (*said)[0], "file: compress "+dir)
			require.Contains(t, (*said)[0], "no space left on device")

			f.PackErr = nil
			require.NoError(t, s.Write(ctx, numbered(2, 3)))
			synctest.Wait()
			require.NoError(t, s.Close())
			require.Equal(t, []string{"app-20000101T000000.000Z.log.gz", "app-20000101T000000.001Z.log.gz", "app.log"}, names(t, dir))
			require.Equal(t, joined(numbered(0, 3)...), unpackedFiles(t, dir))
			require.Len(t, *said, 1)
		})
	}
}

// What goes wrong last is an error of Close.
func TestErrorsOfClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &file.Faulty{Left: 1 << 20, Renaming: func(_, to string) error {
			if filepath.Ext(to) == ".gz" {
				return syscall.EIO
			}
			return nil
		}}
		s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1, Compress: file.Gzip}, f)
		require.NoError(t, err)
		write(t, s, numbered(0, 2)...)
		synctest.Wait()
		require.ErrorIs(t, s.Close(), syscall.EIO)
		require.NoError(t, s.Close())
		require.Equal(t, []string{"app-20000101T000000.000Z.log", "app.log"}, names(t, dir))
		require.ErrorIs(t, s.Write(context.Background(), numbered(2, 3)), fs.ErrClosed)
		require.ErrorIs(t, s.Probe(context.Background()), fs.ErrClosed)
	})
}

// However many errors there are, the memory for them is bounded.
func TestManyErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &file.Faulty{Left: 1 << 20, PackErr: syscall.ENOSPC}
		s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1, Compress: file.Gzip}, f)
		require.NoError(t, err)
		write(t, s, numbered(0, 41)...)
		synctest.Wait()
		ctx, said := warnings()
		require.NoError(t, s.Probe(ctx))
		require.Len(t, *said, 17)
		require.Regexp(t, `^file: \d+ more errors`, (*said)[16])
		require.NoError(t, s.Close())
	})
}

// Where there is no room for one file more, there may be again when the oldest
// is deleted.
func TestNoRoomForTheNextFile(t *testing.T) {
	t.Parallel()
	for _, closeFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.log")
			f := &file.Faulty{Left: 1 << 20, CloseFirst: closeFirst}
			s, err := file.NewFaulty(path, file.Options{MaxSize: 1, MaxBackups: 2}, f)
			require.NoError(t, err)
			write(t, s, numbered(0, 3)...)
			synctest.Wait()
			require.Len(t, names(t, dir), 3)
			f.Opening = func(_ string, flag int) error {
				if flag&os.O_CREATE != 0 && len(names(t, dir)) >= 3 {
					return syscall.ENOSPC // no inodes
				}
				return nil
			}
			require.Len(t, attempt(t, s, numbered(3, 4)), 1)
			synctest.Wait()
			require.Empty(t, attempt(t, s, numbered(3, 4)))
			require.NoError(t, s.Close())
			require.Equal(t, joined(numbered(1, 4)...), joinedFiles(t, dir))
		})
	}
}

// Where a file cannot be given a time, it is compressed all the same.
func TestTimesThatCannotBeSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &file.Faulty{Left: 1 << 20, TimesErr: syscall.EPERM}
		s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1, Compress: file.Gzip}, f)
		require.NoError(t, err)
		write(t, s, numbered(0, 2)...)
		synctest.Wait()
		require.ErrorIs(t, s.Close(), syscall.EPERM)
		require.Equal(t, []string{"app-20000101T000000.000Z.log.gz", "app.log"}, names(t, dir))
		require.Equal(t, joined(numbered(0, 2)...), unpackedFiles(t, dir))
	})
}

// A file that is deleted, or still written to by another program, while it is
// compressed.
func TestFileThatChangesWhileItIsCompressed(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]string{"deleted": "", "written to": "still writes to it"} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			rotated := filepath.Join(dir, "app-20000101T000000.000Z.log")
			f := &file.Faulty{Left: 1 << 20, Opening: func(path string, flag int) error {
				switch {
				case flag&os.O_EXCL == 0:
					return nil
				case what == "deleted":
					return os.Remove(rotated)
				default:
					return os.WriteFile(rotated, []byte("more than it had\n"+strings.Repeat("x", 100)), 0o600)
				}
			}}
			s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1, Compress: file.Gzip}, f)
			require.NoError(t, err)
			require.NoError(t, s.Probe(context.Background()))
			synctest.Wait() // there is nothing to compress yet, so it will be tried once
			write(t, s, numbered(0, 2)...)
			synctest.Wait()
			if err := s.Close(); want == "" {
				require.NoError(t, err)
				require.Contains(t, [][]string{{"app.log"}, {filepath.Base(rotated) + ".gz", "app.log"}}, names(t, dir))
			} else {
				require.ErrorContains(t, err, want)
				require.Equal(t, []string{filepath.Base(rotated), "app.log"}, names(t, dir))
			}
		})
	}
}

// Closing does not wait for a large file to be compressed, and leaves the
// original as it was.
func TestCloseWhileCompressing(t *testing.T) {
	t.Parallel()
	large := make([]byte, 4<<20)
	for i := range large {
		large[i] = byte(rand.Uint32())
	}
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const name = "app-19990101T000000.000Z.log"
		plant(t, dir, name, string(large))
		goOn := make(chan struct{})
		writes := 0
		f := &file.Faulty{Left: 1 << 20, Packing: func() {
			writes++
			<-goOn
		}}
		s, err := file.NewFaulty(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1, Compress: file.Gzip}, f)
		require.NoError(t, err)
		write(t, s, numbered(0, 1)...)
		synctest.Wait()
		require.Equal(t, 1, writes)
		require.Equal(t, []string{"." + name + ".gz.tmp", name, "app.log"}, names(t, dir))
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		synctest.Wait() // it waits for the goroutine
		close(goOn)
		require.NoError(t, <-closed)
		require.Less(t, writes, 20) // of more than 100
		require.Equal(t, []string{name, "app.log"}, names(t, dir))
		require.Equal(t, string(large), read(t, filepath.Join(dir, name)))
	})
}

// Records, rotations, compression and retention all at once, in real time.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	for _, compression := range []file.Compression{file.Gzip, file.Zstd} {
		dir := t.TempDir()
		s, err := file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 3000, Compress: compression})
		require.NoError(t, err)
		var all []sinks.Event
		for i := range 100 {
			batch := numbered(50*i, 50*i+50)
			all = append(all, batch...)
			write(t, s, batch...)
			if i%30 == 29 {
				require.NoError(t, s.Close())
				s, err = file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 3000, Compress: compression})
				require.NoError(t, err)
			}
		}
		require.NoError(t, s.Close())
		require.Equal(t, joined(all...), unpackedFiles(t, dir))
		require.Len(t, names(t, dir), len(rotatedFiles(t, dir))+1) // nothing else is left
	}
}

// A directory that cannot be listed.
func TestRotatedFilesThatCannotBeFound(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("the superuser may list every directory")
	}
	dir := t.TempDir()
	s, err := file.New(filepath.Join(dir, "app.log"), file.Options{MaxSize: 1})
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o300))
	require.Len(t, attempt(t, s, numbered(0, 3)), 3)
	require.NoError(t, os.Chmod(dir, 0o700))
	require.Empty(t, attempt(t, s, numbered(0, 3)))
	require.NoError(t, s.Close())
	require.Equal(t, joined(numbered(0, 3)...), joinedFiles(t, dir))
}

func ExampleOptions() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	// A file per day or 100 MiB, for 30 days, and never more than 2 GiB.
	sink, err := file.New(filepath.Join(dir, "app.log"), file.Options{
		MaxSize:      100 << 20,
		Rotate:       24 * time.Hour,
		Compress:     file.Gzip,
		MaxAge:       30 * 24 * time.Hour,
		MaxTotalSize: 2 << 30,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(errors.Join(sink.Probe(context.Background()), sink.Close()))
	// Output: <nil>
}
