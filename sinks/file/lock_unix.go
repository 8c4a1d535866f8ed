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
	return flock(f, how) != unix.EWOULDBLOCK
}

func unlock(f handle) { _ = flock(f, unix.LOCK_UN) }

func flock(f handle, how int) (err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// Of an error of Control, which says that the file is closed, the write
	// will speak.
	_ = c.Control(func(fd uintptr) {
		err = unix.EINTR
		for err == unix.EINTR {
			err = unix.Flock(int(fd), how|unix.LOCK_NB)
		}
	})
	return err
}
