package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// handle is what the sink needs of an [os.File].
type handle interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
	Chown(uid, gid int) error
	Sync() error
	SyscallConn() (syscall.RawConn, error)
}

// A system is what can fail when files are opened and renamed, so that tests
// can make it fail.
type system struct {
	open    func(path string, flag int, mode fs.FileMode) (handle, error)
	rename  func(from, to string) error
	chtimes func(path string, atime, mtime time.Time) error

	// closeFirst says that a file that is open cannot be renamed.
	closeFirst bool
}

var realSystem = system{
	open: func(path string, flag int, mode fs.FileMode) (handle, error) {
		f, err := os.OpenFile(path, flag, mode)
		if err != nil {
			return nil, err // not a handle that holds a nil *os.File
		}
		return f, nil
	},
	rename:     os.Rename,
	chtimes:    os.Chtimes,
	closeFirst: runtime.GOOS == "windows",
}

// openLog opens a file for appending, and creates it if need be, in a directory
// that there is.
func (sys system) openLog(path string, mode fs.FileMode) (handle, fs.FileInfo, error) {
	// To open a named pipe would wait for a reader.
	if info, err := os.Stat(path); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		hint := ""
		if strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/") {
			hint = ": write stdout:// or stderr://"
		}
		return nil, nil, fmt.Errorf("file: open %s: it is a pipe or a socket%s", path, hint)
	}
	// Reading serves to find out whether the file ends with a newline. It is
	// not worth failing for.
	const flags = os.O_APPEND | os.O_CREATE
	f, err := sys.open(path, flags|os.O_RDWR, mode)
	if errors.Is(err, fs.ErrPermission) {
		f, err = sys.open(path, flags|os.O_WRONLY, mode)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("file: %w", errors.Join(err, f.Close()))
	}
	return f, info, nil
}

// keepTime gives a file the time of the one that it is made of. As with inherit,
// an error is not worth failing for.
func (sys system) keepTime(path string, from fs.FileInfo) error {
	if err := sys.chtimes(path, time.Time{}, from.ModTime()); err != nil {
		return fmt.Errorf("file: set time: %w", err)
	}
	return nil
}

// inherit gives a new file the permissions of the one that it follows, and its
// owner, if the program may do that. Not every file system can: an error is not
// worth failing for.
func inherit(f handle, from fs.FileInfo) error {
	info, err := f.Stat()
	if err == nil {
		chown(f, info, from)
		if info.Mode().Perm() != from.Mode().Perm() {
			err = f.Chmod(from.Mode().Perm())
		}
	}
	if err != nil {
		return fmt.Errorf("file: set permissions: %w", err)
	}
	return nil
}
