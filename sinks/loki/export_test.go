package loki

// KeptEntries returns for how many entries a sink has memory between batches.
func KeptEntries(s *Sink) (n int) {
	list := s.streams.list
	for _, st := range list[:cap(list)] {
		n += cap(st.entries)
	}
	return n
}
