package file

import (
	"io/fs"
	"os"
)

// A Faulty is a real file whose writes fail after a number of bytes.
type Faulty struct {
	*os.File
	Left        int                     // bytes until the next failure
	Err         error                   // the failure
	NoTruncate  bool                    // as on a file that can only be appended to
	AfterFailed func(name string) error // called when a write has failed, as another program might be
}

func (f *Faulty) Write(p []byte) (int, error) {
	if f.Left >= len(p) {
		f.Left -= len(p)
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:f.Left])
	if err != nil {
		return n, err
	}
	f.Left = 0
	if f.AfterFailed != nil {
		if err := f.AfterFailed(f.Name()); err != nil {
			return n, err
		}
	}
	return n, f.Err
}

func (f *Faulty) Truncate(size int64) error {
	if f.NoTruncate {
		return fs.ErrPermission
	}
	return f.File.Truncate(size)
}

// NewFaulty is New for a file that fails.
func NewFaulty(path string, o Options, faults *Faulty) (*Sink, error) {
	f, err := open(path, DefaultMode)
	if err != nil {
		return nil, err
	}
	faults.File = f
	return newSink(faults, o.Format)
}
