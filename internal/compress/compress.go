// Package compress has the formats in which sinks compress what they send or
// keep. gzip is always there; package zstd registers another, so that programs
// that do not use it need not link it.
package compress

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// None is the name that stands for no compression.
const None = "none"

// Names are all formats that can be registered, and None.
func Names() []string { return []string{None, "gzip", "zstd"} }

// A Writer compresses what is written to it. It can be used again, after Reset,
// which costs less than a new one.
type Writer interface {
	io.WriteCloser
	Reset(io.Writer)
}

// A Format is a way of compressing.
type Format struct {
	Name      string        // as in a parameter and in Content-Encoding
	Extension string        // of files
	New       func() Writer // to be Reset before use
}

var registered struct {
	sync.RWMutex
	formats []Format
}

func init() {
	Register(Format{"gzip", ".gz", func() Writer {
		// Lines of a log repeat each other. BestSpeed makes them 30 times
		// smaller, the default 35 times in three times the time.
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
		return w
	}})
}

// Register makes a format known. It panics if it is already.
func Register(f Format) {
	registered.Lock()
	defer registered.Unlock()
	if slices.ContainsFunc(registered.formats, func(other Format) bool { return other.Name == f.Name }) {
		panic("compress: Register called twice for " + f.Name)
	}
	registered.formats = append(registered.formats, f)
}

// Extensions returns the extensions of files that sinks may have compressed.
func Extensions() []string { return []string{".gz", ".zst"} }

// Lookup returns the format with the given name, nil for None and "".
func Lookup(name string) (*Format, error) {
	if name == "" || name == None {
		return nil, nil
	}
	registered.RLock()
	defer registered.RUnlock()
	for _, f := range registered.formats {
		if f.Name == name {
			return &f, nil
		}
	}
	if slices.Contains(Names(), name) {
		return nil, fmt.Errorf("%s needs the import _ %q", name, "github.com/fapilog/fapilog/"+name)
	}
	return nil, errors.New("not one of none, gzip, zstd")
}
