package file

// mend sees to it that the next write begins with a new line, or with the rest
// of the line that the file ends with.
func (s *Sink) mend() {
	if !s.plain || s.ours() && s.lines.Continues() {
		s.lines.Resume()
		return
	}
	if s.cut() {
		return
	}
	// Others have written to the file, or a program was killed while it did.
	s.lines.Forget()
	size, err := s.stat()
	s.size, s.unsure = size, err != nil || !s.endsWithNewline(size)
	if s.unsure {
		s.lines.Break()
	}
}

// ours reports whether the file ends with what the sink has written.
func (s *Sink) ours() bool {
	size, err := s.stat()
	return err == nil && !s.unsure && size == s.size
}

// cut cuts the torn line off the end of the file, if it is ours.
func (s *Sink) cut() bool {
	size := s.size - int64(s.lines.Torn())
	if !s.plain || !s.ours() || s.file.Truncate(size) != nil {
		return false
	}
	s.size = size
	s.lines.Forget()
	return true
}

// endsWithNewline reports whether nothing runs into what is written next. If
// that cannot be told, an empty line is the lesser evil.
func (s *Sink) endsWithNewline(size int64) bool {
	if size == 0 {
		return true
	}
	var last [1]byte
	_, err := s.file.ReadAt(last[:], size-1)
	return err == nil && last[0] == '\n'
}

func (s *Sink) stat() (size int64, err error) {
	info, err := s.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
