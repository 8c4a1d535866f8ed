//go:build !race && (linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package journal

import "syscall"

// allocate returns size bytes that the garbage collector does not know of.
// Counted as live heap, a full journal would let the heap of the program grow
// by twice its size before the next collection. It also can be given back at
// once. Only this package ever sees the memory, so nothing can use it after
// free.
func allocate(size int) []byte {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, size)
	}
	return b
}

// free frees what allocate returned. Memory of the heap is unknown to Munmap,
// which refuses it.
func free(b []byte) { _ = syscall.Munmap(b[:cap(b)]) }
