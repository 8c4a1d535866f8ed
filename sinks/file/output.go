package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fapilog/fapilog/internal/line"
)

// An output is the file that is written to: the one that the path leads to, as
// long as nobody but the sink itself moves it.
type output struct {
	path     string // absolute
	options  Options
	sys      system
	lines    *line.Buffer
	troubles *troubles
	keeper   *keeper // nil if the sink does not rotate

	file   handle      // nil: none is open
	info   fs.FileInfo // to recognize the file by
	plain  bool        // an ordinary file, which has a size and can be truncated
	locked bool

	// size is what the file has if nobody else writes to it. If unsure is set,
	// what it ends with may be anything; if not, and it has that size, it ends
	// with the torn line in lines, if there is one, or with a newline.
	size   int64
	unsure bool
	failed bool // the last write

	inLine bool // the next write is for the line that the file ends with

	// For rotation.
	series  series      // of the rotated files
	listed  bool        // newest is known
	newest  time.Time   // in the name of a rotated file
	last    time.Time   // when a line was begun last; zero: the file was empty
	renamed fs.FileInfo // of the file that was rotated and has no successor yet
}

var (
	errInUse = errors.New("another sink or program has it open, and one of the two rotates it: " +
		"give each a file of its own, or let neither rotate")
	errRestless = errors.New("it is replaced again and again")
)

// maxLooks is how often the path is looked at before the file behind it is
// taken to be replaced all the time.
const maxLooks = 10

// ready sees to it that the file is the one that the path leads to, and that
// the sink has the lock.
func (o *output) ready() error {
	for range maxLooks {
		if o.file == nil {
			if err := o.reopen(); err != nil {
				return err
			}
		}
		info, err := os.Stat(o.path)
		gone := errors.Is(err, fs.ErrNotExist)
		switch {
		case gone && !o.claim():
			// A sink is about to rotate the file, or to create the next one.
			return o.inUse()
		case gone || err == nil && !os.SameFile(info, o.info):
			o.finish()
			o.listed = false // whoever took the file may have had the next one, too
			if err := o.reopen(); err != nil {
				return err
			}
		case err != nil && !errors.Is(err, fs.ErrPermission):
			// The path leads nowhere, and the file that is open may be lost. A
			// program may have given up the right to look into the directory,
			// though.
			return fmt.Errorf("file: %w", err)
		case !o.locked:
			if !o.claim() {
				return o.inUse()
			}
			// Look again: it may have been rotated before the lock was had.
		default:
			if err == nil && o.plain && info.Size() != o.size {
				o.changed(info.Size())
			}
			return o.list()
		}
	}
	return fmt.Errorf("file: open %s: %w", o.path, errRestless)
}

// changed notes that somebody else has written to the file, or cut it off.
func (o *output) changed(size int64) {
	if size < o.size || o.lines.Torn() > 0 || o.options.rotates() {
		o.unsure = true
		return
	}
	// A sink that shares the file may be in the middle of a write at this
	// moment. To look for its newline would be to find none now and then.
	o.size = size
}

// claim locks the file.
func (o *output) claim() bool {
	o.locked = o.locked || !o.plain || lock(o.file, o.options.rotates())
	return o.locked
}

func (o *output) inUse() error { return fmt.Errorf("file: lock %s: %w", o.path, errInUse) }

// reopen opens the path, in place of the file that is open.
func (o *output) reopen() error {
	if err := os.MkdirAll(filepath.Dir(o.path), 0o700|o.options.Mode|(o.options.Mode&0o444)>>2); err != nil {
		return fmt.Errorf("file: open %s: create directory: %w", o.path, err)
	}
	f, info, err := o.sys.openLog(o.path, o.options.Mode)
	if err != nil {
		return err
	}
	if err := o.take(f, info); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// take makes f the file that is written to.
func (o *output) take(f handle, info fs.FileInfo) error {
	if info.IsDir() {
		return fmt.Errorf("file: open %s: it is a directory", o.path)
	}
	plain := info.Mode().IsRegular()
	if o.options.rotates() {
		if !plain {
			return fmt.Errorf("file: open %s: not an ordinary file, and so it cannot be rotated: leave out max_size and rotate", o.path)
		}
		target, err := filepath.EvalSymlinks(o.path)
		if err != nil {
			return fmt.Errorf("file: open %s: %w", o.path, err)
		}
		if s := seriesOf(target); s != o.series {
			o.series, o.listed = s, false
		}
	}
	if o.renamed != nil && info.Size() == 0 {
		o.troubles.add(inherit(f, o.renamed))
	}
	old, wasLocked := o.file, o.locked
	o.file, o.info, o.plain, o.locked, o.renamed = f, info, plain, false, nil
	o.size, o.unsure, o.failed, o.inLine = info.Size(), true, false, false
	o.last = time.Time{}
	if o.size > 0 {
		o.last = info.ModTime()
	}
	if wasLocked {
		o.claim() // while the old one is still locked: no other sink gets in between
	}
	if old != nil {
		o.troubles.add(closed(o.path, old))
	}
	return nil
}

// closed unlocks and closes a file. Closing alone may leave the lock: a child that
// the program is about to start has the file open, too, for a moment.
func closed(path string, f handle) error {
	unlock(f)
	if err := f.Close(); err != nil {
		return fmt.Errorf("file: close %s: %w", path, err)
	}
	return nil
}

// close closes the file.
func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	o.finish()
	f := o.file
	o.file = nil
	return closed(o.path, f)
}

// put writes to the file.
func (o *output) put(p []byte) (n int, err error) {
	n, err = o.file.Write(p)
	o.size += int64(n)
	o.failed = err != nil
	if n > 0 {
		o.unsure = false // the file ends with what was written
		o.inLine = p[n-1] != '\n'
	}
	if err != nil {
		if size, statErr := o.stat(); statErr != nil || size != o.size {
			o.unsure = true
		}
	}
	return n, err
}

// mend sees to it that the next write begins with a new line, or with the rest
// of the line that the file ends with.
func (o *output) mend() {
	o.inLine = false
	if o.failed && o.lines.Torn() == 0 {
		// What failed here, as on a full disk, may have torn a line of a sink
		// that shares the file.
		o.unsure = true
	}
	switch {
	case o.lines.Torn() == 0 && !o.unsure:
	case !o.plain || o.ours() && o.lines.Continues() && o.continuesHere():
		o.lines.Resume()
		o.inLine = true
	case o.cut():
	case o.ours(): // and cannot be cut off
		o.lines.Break()
		o.inLine = true
	default:
		// Others have written to the file, or a program was killed while it did.
		o.lines.Forget()
		size, err := o.stat()
		o.size, o.unsure = size, err != nil || !o.endsWithNewline(size)
		if o.unsure {
			o.lines.Break()
			o.inLine = true
		}
	}
}

// finish leaves the file without the piece of a line that nobody will continue.
// It is not for the middle of a flush, when lines does not know what is torn.
func (o *output) finish() {
	if o.lines.Torn() > 0 && !o.cut() && o.ours() {
		_, err := o.put([]byte{'\n'})
		o.troubles.add(err)
	}
	o.lines.Forget()
}

// ours reports whether the file ends with what the sink has written.
func (o *output) ours() bool {
	size, err := o.stat()
	return err == nil && !o.unsure && size == o.size
}

// cut cuts the torn line off the end of the file, if it is ours.
func (o *output) cut() bool {
	size := o.size - int64(o.lines.Torn())
	if !o.plain || !o.ours() || o.file.Truncate(size) != nil {
		return false
	}
	o.size = size
	o.lines.Forget()
	return true
}

// endsWithNewline reports whether nothing runs into what is written next. If
// that cannot be told, an empty line is the lesser evil.
func (o *output) endsWithNewline(size int64) bool {
	if size == 0 {
		return true
	}
	var last [1]byte
	_, err := o.file.ReadAt(last[:], size-1)
	return err == nil && last[0] == '\n'
}

func (o *output) stat() (size int64, err error) {
	info, err := o.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
