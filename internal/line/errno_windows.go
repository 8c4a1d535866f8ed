package line

import "golang.org/x/sys/windows"

var (
	holdErrors = []error{
		windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED,
		windows.ERROR_IO_DEVICE, windows.ERROR_WRITE_PROTECT,
	}
	fullErrors []error
	goneErrors = []error{windows.ERROR_BROKEN_PIPE, windows.ERROR_NO_DATA, windows.ERROR_PIPE_NOT_CONNECTED}

	hangupErrors []error // a console that is closed takes its programs with it
)
