//go:build unix

package line

import "syscall"

var (
	holdErrors = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EFBIG, syscall.EROFS}
	fullErrors = []error{syscall.EAGAIN}
	goneErrors = []error{syscall.EPIPE, syscall.ECONNRESET, syscall.ENOTCONN}

	// Some systems say the latter.
	hangupErrors = []error{syscall.EIO, syscall.ENXIO}
)
