package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/compress"
)

// A series is a log file with the files that it was rotated to:
//
//	app.log                                  the log
//	app-20261121T235959.998Z.log             rotated
//	app-20261120T235959.120Z.log.gz          rotated and compressed
//	.app-20261121T235959.998Z.log.gz.tmp     being compressed
type series struct{ dir, base, ext string }

// stampLayout is the time in a name. All have the same length, so names sort
// by it.
const stampLayout = "20060102T150405.000Z"

// tick is what two times differ by that differ in a name.
const tick = time.Millisecond

// maxTries bounds how many names are tried for a rotated file.
const maxTries = 1000

// seriesOf returns the series of the log with the given path.
func seriesOf(path string) series {
	dir, name := filepath.Split(path)
	ext := filepath.Ext(name)
	if ext == name { // .log
		ext = ""
	}
	return series{dir, strings.TrimSuffix(name, ext), ext}
}

// path returns the path of the log.
func (s series) path() string { return s.in(s.base + s.ext) }

func (s series) in(name string) string { return filepath.Join(s.dir, name) }

func (s series) name(stamp time.Time) string { return s.base + "-" + stamp.Format(stampLayout) + s.ext }

// temporary returns the name of a rotated file while it is compressed.
func temporary(packed string) string { return "." + packed + ".tmp" }

// next returns when the log was rotated, and its path from then on: last, or as
// soon as possible after that if it is not after newest or the name is taken.
func (s series) next(last, newest time.Time) (stamp time.Time, path string, err error) {
	stamp = last.UTC().Truncate(tick)
	if !stamp.After(newest) {
		stamp = newest.Add(tick)
	}
	for range maxTries {
		path = s.in(s.name(stamp))
		free, err := isFree(path)
		if free || err != nil {
			return stamp, path, err
		}
		stamp = stamp.Add(tick)
	}
	return stamp, "", fmt.Errorf("%s and the %d names after it are taken", s.name(stamp.Add(-maxTries*tick)), maxTries-1)
}

// isFree reports whether there is neither a file with that path nor one that
// was compressed.
func isFree(path string) (bool, error) {
	for _, extension := range append([]string{""}, compress.Extensions()...) {
		if _, err := os.Lstat(path + extension); err == nil {
			return false, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return true, nil
}

// A rotated is what there is of one rotated file. More than the plain file or
// one that is compressed is what a killed program left.
type rotated struct {
	stamp    time.Time
	plain    string    // name of the file that is not compressed, or ""
	packed   []string  // names of compressed ones
	size     int64     // of all
	modified time.Time // the latest of all
}

// last returns when a line was begun last. Once the clock was set back, the
// times in names, which are to be in order, may not have come yet.
func (r rotated) last(now time.Time) time.Time {
	if r.stamp.After(now) {
		return r.modified
	}
	return r.stamp
}

func (r rotated) names() []string {
	if r.plain == "" {
		return r.packed
	}
	return append([]string{r.plain}, r.packed...)
}

// list returns the rotated files, oldest first, and the names of files that are
// being compressed.
func (s series) list() (all []rotated, temporaries []string, err error) {
	entries, err := os.ReadDir(filepath.Clean(s.dir))
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		stamp, packed, temp, ok := s.parse(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		if temp {
			temporaries = append(temporaries, e.Name())
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted in the meantime
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		// Entries are sorted by name, so those of one stamp are neighbours.
		if n := len(all); n == 0 || !all[n-1].stamp.Equal(stamp) {
			all = append(all, rotated{stamp: stamp})
		}
		r := &all[len(all)-1]
		r.size += info.Size()
		if info.ModTime().After(r.modified) {
			r.modified = info.ModTime()
		}
		if packed {
			r.packed = append(r.packed, e.Name())
		} else {
			r.plain = e.Name()
		}
	}
	return all, temporaries, nil
}

// parse takes the name of a file apart, if it is one of the series.
func (s series) parse(name string) (stamp time.Time, packed, temp, ok bool) {
	rest, found := strings.CutPrefix(name, "."+s.base+"-")
	if found {
		rest, temp = strings.CutSuffix(rest, ".tmp")
	}
	if !temp {
		rest, found = strings.CutPrefix(name, s.base+"-")
	}
	if !found || len(rest) < len(stampLayout) {
		return stamp, false, false, false
	}
	text, extension := rest[:len(stampLayout)], rest[len(stampLayout):]
	extension, found = strings.CutPrefix(extension, s.ext)
	packed = slices.Contains(compress.Extensions(), extension)
	stamp, err := time.Parse(stampLayout, text)
	ok = found && err == nil && stamp.Format(stampLayout) == text && (packed || extension == "" && !temp)
	return stamp, packed, temp, ok
}
