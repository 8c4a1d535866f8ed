//go:build unix

package descriptor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

var errReadOnly = errors.New("it is not open for writing")

// Duplicate returns a file with a descriptor of its own for what f is, which
// must be open for writing. Package os raises SIGPIPE, which ends the program,
// for an EPIPE on descriptors 1 and 2, and on no other.
func Duplicate(f *os.File) (*os.File, error) {
	var fd, flags int
	var err error
	controlErr := Control(f, func(old uintptr) {
		flags, err = unix.FcntlInt(old, unix.F_GETFL, 0)
		if err == nil && flags&unix.O_ACCMODE == unix.O_RDONLY {
			err = errReadOnly // each write would fail
		}
		if err == nil {
			fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3)
		}
	})
	switch {
	case controlErr != nil:
		return nil, controlErr
	case err == errReadOnly:
		return nil, err
	case err != nil:
		return nil, os.NewSyscallError("fcntl", err)
	}
	// If the descriptor does not block, NewFile knows, and waits.
	return os.NewFile(uintptr(fd), f.Name()), nil
}
