package stdio

import (
	"os"

	"golang.org/x/sys/windows"

	"github.com/fapilog/fapilog/internal/descriptor"
)

// enableColor makes the console interpret escape sequences, which it does not
// do unasked, and reports whether it will.
func enableColor(f *os.File) (enabled bool) {
	_ = descriptor.Control(f, func(fd uintptr) {
		var mode uint32
		console := windows.Handle(fd)
		enabled = windows.GetConsoleMode(console, &mode) == nil &&
			windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
	})
	return enabled
}
