//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package file

import "golang.org/x/sys/unix"

// lock locks a file for as long as it is open, and reports false if another
// handle has a lock with which that collides. A file system without locks has
// nothing that collides.
func lock(f handle, exclusive bool) bool {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	c, err := f.SyscallConn()
	if err != nil {
		return true
	}
	free := true
	_ = c.Control(func(fd uintptr) { // an error: the file is closed, which the write will say
		err := unix.EINTR
		for err == unix.EINTR {
			err, _ = unix.Flock(int(fd), how|unix.LOCK_NB).(unix.Errno)
		}
		free = err != unix.EWOULDBLOCK
	})
	return free
}
