//go:build unix

package file

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// mayWrite returns an error if the program may not create and rename files in a
// directory.
func mayWrite(dir string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "access", Path: dir, Err: err}
	}
	return nil
}

// chown gives a file, of which info is, to the owner of another one. Only the
// superuser can give files away; for all others, it is the program's.
func chown(f handle, info, from fs.FileInfo) {
	now, ok1 := info.Sys().(*syscall.Stat_t)
	want, ok2 := from.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || now.Uid == want.Uid && now.Gid == want.Gid {
		return
	}
	if f.Chown(int(want.Uid), int(want.Gid)) != nil {
		_ = f.Chown(-1, int(want.Gid)) // a group that the program is in
	}
}
