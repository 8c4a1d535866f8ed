//go:build unix

package file

import (
	"io/fs"
	"syscall"
)

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
