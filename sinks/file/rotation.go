package file

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Write writes as many of the lines in p as one file takes, but at least one,
// and begins a new file for them if the one that is open has no room or its
// period is over. It is what lines is flushed to, and calls again with the rest.
func (o *output) Write(p []byte) (int, error) {
	if !o.options.rotates() {
		return o.put(p)
	}
	if o.inLine {
		// Whatever the time is, a line is not continued in another file. It
		// has been counted as begun already.
		return o.put(p[:firstLine(p)])
	}
	now := time.Now()
	if o.due(firstLine(p), now) {
		if err := o.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := o.put(o.fitting(p))
	if n > 0 {
		o.last = now
	}
	return n, err
}

// firstLine returns the length of the first line in p.
func firstLine(p []byte) int { return bytes.IndexByte(p, '\n') + 1 }

// due reports whether a line of n bytes that is begun now belongs into a new
// file.
func (o *output) due(n int, now time.Time) bool {
	if o.size == 0 {
		return false
	}
	if o.last.IsZero() { // what there is, another program wrote
		o.last = now
	}
	if o.options.MaxSize > 0 && o.size+int64(n) > o.options.MaxSize {
		return true
	}
	// Not if the clock was set back: then there is nothing to be had from one
	// more file for the same time.
	d := o.options.Rotate
	return d > 0 && now.UTC().Truncate(d).After(o.last.UTC().Truncate(d))
}

// fitting returns the lines at the beginning of p that the file has room for,
// or the first.
func (o *output) fitting(p []byte) []byte {
	room := o.options.MaxSize - o.size
	if o.options.MaxSize == 0 || int64(len(p)) <= room {
		return p
	}
	if n := bytes.LastIndexByte(p[:max(room, 0)], '\n'); n >= 0 {
		return p[:n+1]
	}
	return p[:firstLine(p)]
}

// continuesHere reports whether the file has room for the rest of the line that
// continues its torn one, which may be longer than the one that was torn.
func (o *output) continuesHere() bool {
	before := o.size - int64(o.lines.Torn())
	return o.options.MaxSize == 0 || before == 0 || before+int64(o.lines.First()) <= o.options.MaxSize
}

// rotate renames the file, which ends with a newline, and opens the next one.
// Whatever fails, no file has lost anything, and ready goes on from there.
func (o *output) rotate() error {
	info, err := os.Lstat(o.series.path())
	if err != nil || !os.SameFile(info, o.info) {
		// Somebody else moves it at this moment.
		return fmt.Errorf("file: rotate %s: %w", o.path, errRestless)
	}
	stamp, name, err := o.series.next(o.last, o.newest)
	if err != nil {
		return fmt.Errorf("file: rotate %s: %w", o.path, err)
	}
	if o.sys.closeFirst {
		o.troubles.add(closed(o.path, o.file))
		o.file = nil
	}
	if err := o.sys.rename(o.series.path(), name); err != nil {
		return fmt.Errorf("file: rotate: %w", err)
	}
	o.newest, o.renamed = stamp, info
	if err := o.reopen(); err != nil {
		// If there is no room for one file more, there may be one too many now.
		o.keeper.tidy(o.series)
		return err
	}
	if !o.locked {
		return o.inUse()
	}
	if o.size > 0 { // another program was faster
		return fmt.Errorf("file: rotate %s: %w", o.path, errRestless)
	}
	o.keeper.tidy(o.series)
	return nil
}

// rotatable returns why the file cannot be rotated, as far as that can be told
// beforehand.
func (o *output) rotatable() error {
	if !o.options.rotates() {
		return nil
	}
	if err := mayWrite(filepath.Clean(o.series.dir)); err != nil {
		return fmt.Errorf("file: rotate %s: the program must be able to write to the directory: %w", o.path, err)
	}
	return nil
}

// list finds out which rotated files there are, when the sink has got the lock:
// nobody else makes any after that.
func (o *output) list() error {
	if o.listed || !o.options.rotates() {
		return nil
	}
	rotated, _, err := o.series.list()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("file: look for rotated files of %s: %w", o.path, err)
	}
	o.newest = time.Time{}
	if n := len(rotated); n > 0 {
		o.newest = rotated[n-1].stamp
	}
	o.listed = true
	o.keeper.tidy(o.series)
	return nil
}
