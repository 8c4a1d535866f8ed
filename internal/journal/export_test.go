package journal

// Unused returns the size of the segments that are kept for reuse.
func (j *Journal) Unused() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.memory.size
}
