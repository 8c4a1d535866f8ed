package file

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A Faulty is a disk with real files, which can be full.
type Faulty struct {
	Path        string                  // of the log
	Left        int                     // bytes until the next write to a log fails
	Err         error                   // the failure
	NoTruncate  bool                    // as where files can only be appended to
	AfterFailed func(name string) error // called when a write has failed, as another program might be

	PackLeft int    // as Left, for files that are compressed
	PackErr  error  // nil: there is no limit
	Packing  func() // called before each write to such a file; nil: nothing

	Opening    func(path string, flag int) error // what happens when a file is opened; nil: nothing
	Opened     func(log *os.File)                // called with each log that is opened; nil: nothing
	Renaming   func(from, to string) error       // what happens when one is renamed
	TimesErr   error                             // of setting the time of a file
	CloseFirst bool                              // as where files that are open cannot be renamed

	Full     atomic.Bool // writes to a log get Tears bytes out, and fail with ENOSPC, whatever Left is
	Tears    int         // not changed while the sink is used
	ReadOnly atomic.Bool // files cannot be renamed
}

// Name returns the path of the log.
func (f *Faulty) Name() string { return f.Path }

// NewFaulty is New for a disk that fails.
func NewFaulty(path string, o Options, f *Faulty) (*Sink, error) {
	f.Path = path
	return newSink(path, o, system{open: f.open, rename: f.rename, chtimes: f.chtimes, closeFirst: f.CloseFirst})
}

func (f *Faulty) open(path string, flag int, mode fs.FileMode) (handle, error) {
	if f.Opening != nil {
		if err := f.Opening(path, flag); err != nil {
			return nil, err
		}
	}
	real, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	switch {
	case flag&os.O_APPEND != 0:
		if f.Opened != nil {
			f.Opened(real)
		}
		return &faultyFile{real, f, &f.Left, f.Err}, nil
	case flag&os.O_EXCL != 0 && f.Packing != nil:
		return &slowFile{real, f.Packing}, nil
	case flag&os.O_EXCL != 0 && f.PackErr != nil:
		return &faultyFile{real, f, &f.PackLeft, f.PackErr}, nil
	default:
		return real, nil
	}
}

func (f *Faulty) rename(from, to string) error {
	if f.ReadOnly.Load() {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EROFS}
	}
	if f.Renaming != nil {
		if err := f.Renaming(from, to); err != nil {
			return err
		}
	}
	return os.Rename(from, to)
}

func (f *Faulty) chtimes(path string, atime, mtime time.Time) error {
	if f.TimesErr != nil {
		return &os.PathError{Op: "chtimes", Path: path, Err: f.TimesErr}
	}
	return os.Chtimes(path, atime, mtime)
}

type faultyFile struct {
	*os.File
	disk *Faulty
	left *int
	err  error
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if f.disk.Full.Load() && f.left == &f.disk.Left {
		n, err := f.File.Write(p[:min(f.disk.Tears, len(p)-1)])
		return n, errors.Join(err, syscall.ENOSPC)
	}
	if *f.left >= len(p) {
		*f.left -= len(p)
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:*f.left])
	if err != nil {
		return n, err
	}
	*f.left = 0
	if f.disk.AfterFailed != nil {
		if err := f.disk.AfterFailed(f.Name()); err != nil {
			return n, err
		}
	}
	return n, f.err
}

func (f *faultyFile) Truncate(size int64) error {
	if f.disk.NoTruncate {
		return fs.ErrPermission
	}
	return f.File.Truncate(size)
}

type slowFile struct {
	*os.File
	before func()
}

func (f *slowFile) Write(p []byte) (int, error) {
	f.before()
	return f.File.Write(p)
}
