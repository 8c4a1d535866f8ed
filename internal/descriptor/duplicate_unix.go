//go:build unix

package descriptor

import (
	"os"

	"golang.org/x/sys/unix"
)

// Duplicate returns a file with a descriptor of its own for what f is, or, where
// that is not needed, f itself. Package os raises SIGPIPE, which ends the
// program, for an EPIPE on descriptors 1 and 2, and on no other.
func Duplicate(f *os.File) (*os.File, error) {
	var fd int
	var err error
	controlErr := Control(f, func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 3)
	})
	if controlErr != nil {
		return nil, controlErr
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	// If the descriptor does not block, NewFile knows, and waits.
	return os.NewFile(uintptr(fd), f.Name()), nil
}
