//go:build unix

package line_test

import (
	"syscall"

	"github.com/fapilog/fapilog/internal/verdict"
)

var meanings = []meaning{
	{err: syscall.ENOSPC, kind: verdict.Hold},
	{err: syscall.EDQUOT, kind: verdict.Hold},
	{err: syscall.EIO, kind: verdict.Hold, hungUp: true},
	{err: syscall.EFBIG, kind: verdict.Hold},
	{err: syscall.EROFS, kind: verdict.Hold},
	{err: syscall.EAGAIN, soon: true},
	{err: syscall.EBADF},
	{err: syscall.EPIPE, gone: true},
	{err: syscall.ENXIO, hungUp: true},
}
