package file

import "golang.org/x/sys/windows"

// lock locks a file for as long as it is open, and reports false if another
// handle has a lock with which that collides. A file system without locks has
// nothing that collides.
//
// Locks are mandatory here. So it is not the content that is locked, which
// others may read, but a byte that no file has.
func lock(f handle, exclusive bool) bool {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	return control(f, func(h windows.Handle, at *windows.Overlapped) error {
		return windows.LockFileEx(h, flags, 0, 1, 0, at)
	}) != windows.ERROR_LOCK_VIOLATION
}

// unlock is for the moment that the system may take after the file is closed.
func unlock(f handle) {
	_ = control(f, func(h windows.Handle, at *windows.Overlapped) error {
		return windows.UnlockFileEx(h, 0, 1, 0, at)
	})
}

func control(f handle, call func(h windows.Handle, at *windows.Overlapped) error) (err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// Of an error of Control, which says that the file is closed, the write
	// will speak.
	_ = c.Control(func(fd uintptr) {
		err = call(windows.Handle(fd), &windows.Overlapped{OffsetHigh: 1<<31 - 1})
	})
	return err
}
