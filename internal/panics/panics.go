// Package panics makes errors of panics in code that is not ours.
package panics

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Error returns what recover has returned as an error that begins with what and
// ends with the place where the panic was raised. If the value is an error, so
// does the result wrap it. It is for deferred functions: where the panic was
// raised is looked for on the stack.
func Error(what string, value any) error {
	if err, ok := value.(error); ok {
		return fmt.Errorf("%s: %w%s", what, err, origin())
	}
	return fmt.Errorf("%s: %v%s", what, value, origin())
}

// origin says where the panic that is being recovered was raised.
func origin() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf(" (in %s, %s:%d)", path.Base(f.Function), path.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}
