package descriptor

import (
	"os"

	"golang.org/x/sys/windows"
)

// Duplicate returns a file with a handle of its own for what f is. It is not
// inherited by programs that are started.
func Duplicate(f *os.File) (*os.File, error) {
	var own windows.Handle
	var err error
	self := windows.CurrentProcess()
	controlErr := Control(f, func(old uintptr) {
		err = windows.DuplicateHandle(self, windows.Handle(old), self, &own, 0, false, windows.DUPLICATE_SAME_ACCESS)
	})
	if controlErr != nil {
		return nil, controlErr
	}
	if err != nil {
		return nil, os.NewSyscallError("DuplicateHandle", err)
	}
	return os.NewFile(uintptr(own), f.Name()), nil
}
