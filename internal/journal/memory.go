package journal

// memory keeps released segments for reuse. Segments are taken and given back
// here alone; what is behind them is a matter of allocate and free.
type memory struct {
	unused []*segment // all of the same size
	size   int64      // of the unused segments, in bytes
}

// kept is what an idle journal keeps in unused segments, in bytes.
const kept = 1 << 20

// take returns an empty segment of exactly the given capacity, and frees
// unused ones until at most keep bytes of them are left.
func (m *memory) take(size int, keep int64) *segment {
	var s *segment
	if n := len(m.unused); n > 0 && cap(m.unused[n-1].buf) == size {
		s = m.pop()
		*s = segment{buf: s.buf[:0]}
	}
	m.trim(keep)
	if s == nil {
		s = &segment{buf: allocate(size)[:0]}
	}
	return s
}

// put makes s unused.
func (m *memory) put(s *segment) {
	m.unused = append(m.unused, s)
	m.size += int64(cap(s.buf))
}

// trim frees unused segments until at most keep bytes of them are left.
func (m *memory) trim(keep int64) {
	for len(m.unused) > 0 && m.size > keep {
		free(m.pop().buf)
	}
}

func (m *memory) pop() *segment {
	n := len(m.unused) - 1
	s := m.unused[n]
	m.size -= int64(cap(s.buf))
	m.unused[n] = nil
	m.unused = m.unused[:n]
	return s
}
