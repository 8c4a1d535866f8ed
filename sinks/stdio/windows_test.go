//go:build windows

package stdio_test

import "golang.org/x/sys/windows"

func child(string) int { return 1 }

// errGone is the error of writing to a pipe that nobody reads.
const errGone = windows.ERROR_NO_DATA
