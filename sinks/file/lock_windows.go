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
	c, err := f.SyscallConn()
	if err != nil {
		return true
	}
	free := true
	_ = c.Control(func(fd uintptr) { // an error: the file is closed, which the write will say
		at := windows.Overlapped{OffsetHigh: 1<<31 - 1}
		free = windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, &at) != windows.ERROR_LOCK_VIOLATION
	})
	return free
}
