//go:build race || !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package journal

// allocate returns size bytes of the heap: where no other memory is known, and
// under the race detector, which watches no other.
func allocate(size int) []byte { return make([]byte, size) }

func free([]byte) {}
