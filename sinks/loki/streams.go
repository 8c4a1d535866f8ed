package loki

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/fapilog/fapilog/sinks"
)

// An entry is a record on its way.
type entry struct {
	index    int // in the batch
	at       int64
	line     []byte // the sink's batch owns it
	metadata []pair
}

// metadataSize is the size that Loki's limit is for.
func (e *entry) metadataSize() (n int) {
	for _, p := range e.metadata {
		n += len(p.name) + len(p.value)
	}
	return n
}

// A stream is the records of a batch that have the same labels.
type stream struct {
	labels  string
	entries []entry
	size    int // of the entries as protobuf
}

// sort orders the entries by time, and those with the same time as they came.
func (s *stream) sort() {
	slices.SortStableFunc(s.entries, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
}

// add appends an entry.
func (s *stream) add(e entry) {
	s.entries = append(s.entries, e)
	s.size += sizeField(streamEntries, sizeEntry(&e))
}

// streams are those of a batch, in the order of their first records. The memory
// is used again.
type streams struct {
	list   []stream
	index  map[string]int
	unused []pair // memory for metadata
}

// keptEntries is for how many entries of all streams memory is kept.
const keptEntries = 1 << 15

// reset forgets all that belongs to the batch. Each stream keeps the memory of
// the one that had its place, which may add up to more than any batch needs.
func (s *streams) reset() {
	kept := 0
	for i := range s.list {
		clear(s.list[i].entries)
		s.list[i] = stream{entries: s.list[i].entries[:0]}
	}
	for _, st := range s.list[:cap(s.list)] {
		kept += cap(st.entries)
	}
	s.list = s.list[:0]
	if kept > keptEntries {
		s.list = nil
	}
	clear(s.index)
	clear(s.unused)
	s.unused = s.unused[:0]
}

// of returns the stream with the given labels.
func (s *streams) of(labels []byte) *stream {
	if i, ok := s.index[string(labels)]; ok {
		return &s.list[i]
	}
	if s.index == nil {
		s.index = make(map[string]int)
	}
	if len(s.list) < cap(s.list) {
		s.list = s.list[:len(s.list)+1] // with the entries' memory of an earlier batch
	} else {
		s.list = append(s.list, stream{})
	}
	last := &s.list[len(s.list)-1]
	last.labels = string(labels)
	s.index[last.labels] = len(s.list) - 1
	return last
}

// metadata returns what of a record is sent as structured metadata.
func (s *streams) metadata(e sinks.Event, keys []source, id bool) []pair {
	first := len(s.unused)
	for _, key := range keys {
		if v := value(e, key.key, maxMetadataValue); v != "" {
			s.unused = append(s.unused, pair{key.name, v})
		}
	}
	if id {
		s.unused = append(s.unused, idOf(e)...)
	}
	return s.unused[first:len(s.unused):len(s.unused)]
}

// Names of structured metadata with the identity of a record.
const (
	logID  = "log_id"
	logSeq = "log_seq"
)

// idOf is the identity of a record as structured metadata.
func idOf(e sinks.Event) []pair {
	id := e.ID()
	return []pair{{logID, id.Log}, {logSeq, strconv.FormatUint(id.Seq, 10)}}
}
