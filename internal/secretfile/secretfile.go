// Package secretfile reads files with credentials, tokens, certificates and
// keys, which are replaced while the program runs: those of secrets that are
// mounted into a container are.
//
// Its errors do not show the paths: these may be anything, if they were
// mistyped.
package secretfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// A Watched file is one whose contents may change. What is compared is what
// rotation changes: the time, the size, and which file it is. It is for one
// goroutine at a time.
type Watched struct {
	Path string
	info fs.FileInfo // nil: not read yet
}

// Changed reports whether the file is not the one that was read last. It is to
// be called before the file is read: what changes in between is found the next
// time.
func (w *Watched) Changed() (bool, error) {
	info, err := os.Stat(w.Path)
	if err != nil {
		w.info = nil
		return false, withoutPath(err)
	}
	same := w.info != nil && os.SameFile(info, w.info) && info.Size() == w.info.Size() && info.ModTime().Equal(w.info.ModTime())
	w.info = info
	if time.Since(info.ModTime()) < settled {
		w.info = nil
	}
	return !same, nil
}

// settled is how old a file has to be to be known by its time: before that, it
// may be written to again without a change of the time, which some file systems
// count in steps of 2 s.
const settled = 3 * time.Second

// Forget makes the next call of Changed say so: the file could not be used.
func (w *Watched) Forget() { w.info = nil }

// maxFile bounds the size of a file, in bytes: what is larger is not what it
// should be, or never ends.
const maxFile = 1 << 20

// Read reads a file of at most 1 MiB.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is a directory, a pipe or a device") // a pipe may keep Open waiting for ever
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case len(text) > maxFile:
		return nil, errors.New("it has more than 1 MiB")
	}
	return text, nil
}

func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
