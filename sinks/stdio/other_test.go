//go:build !unix && !windows

package stdio_test

import "errors"

func child(string) int { return 1 }

var errGone = errors.New("a system without such an error")
