package line_test

import (
	"golang.org/x/sys/windows"

	"github.com/fapilog/fapilog/internal/verdict"
)

var meanings = []meaning{
	{err: windows.ERROR_DISK_FULL, kind: verdict.Hold},
	{err: windows.ERROR_HANDLE_DISK_FULL, kind: verdict.Hold},
	{err: windows.ERROR_IO_DEVICE, kind: verdict.Hold},
	{err: windows.ERROR_WRITE_PROTECT, kind: verdict.Hold},
	{err: windows.ERROR_INVALID_HANDLE},
	{err: windows.ERROR_BROKEN_PIPE, gone: true},
	{err: windows.ERROR_NO_DATA, gone: true},
}
