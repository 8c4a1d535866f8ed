// Package descriptor does what package os does not with the descriptor of a
// file.
package descriptor

import "os"

// Control calls a function with f's descriptor. Other than with f.Fd, it stays
// in the mode that it is in, blocking or not.
func Control(f *os.File, call func(fd uintptr)) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(call)
}
