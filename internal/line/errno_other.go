//go:build !unix && !windows

package line

var holdErrors, fullErrors, goneErrors, hangupErrors []error
