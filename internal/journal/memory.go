package journal

// memory keeps released segments for reuse. Segments are taken and given back
// here alone, so that what is behind them can be something else than the heap:
// recycled mapped files, for a journal that survives the process.
type memory struct {
	free []*segment // all of the same size
	size int64      // of the free segments, in bytes
}

// kept is what an idle journal keeps in free segments, in bytes.
const kept = 1 << 20

// take returns an empty segment of exactly the given capacity, and forgets
// free ones until at most keep bytes of them are left.
func (m *memory) take(size int, keep int64) *segment {
	var s *segment
	if n := len(m.free); n > 0 && cap(m.free[n-1].buf) == size {
		s = m.drop()
		*s = segment{buf: s.buf[:0]}
	}
	m.trim(keep)
	if s == nil {
		s = &segment{buf: make([]byte, 0, size)}
	}
	return s
}

// put makes s free.
func (m *memory) put(s *segment) {
	m.free = append(m.free, s)
	m.size += int64(cap(s.buf))
}

// trim forgets free segments until at most keep bytes of them are left.
func (m *memory) trim(keep int64) {
	for len(m.free) > 0 && m.size > keep {
		m.drop()
	}
}

func (m *memory) drop() *segment {
	n := len(m.free) - 1
	s := m.free[n]
	m.size -= int64(cap(s.buf))
	m.free[n] = nil
	m.free = m.free[:n]
	return s
}
