package loki

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// A push request (pkg/push/push.proto) of one stream:
//
//	message PushRequest   { repeated Stream streams = 1; }
//	message Stream        { string labels = 1; repeated Entry entries = 2; }
//	message Entry         { Timestamp timestamp = 1; string line = 2; repeated LabelPair structuredMetadata = 3; }
//	message LabelPair     { string name = 1; string value = 2; }
//	message Timestamp     { int64 seconds = 1; int32 nanos = 2; }
const (
	requestStreams protowire.Number = 1

	streamLabels  protowire.Number = 1
	streamEntries protowire.Number = 2

	entryTimestamp protowire.Number = 1
	entryLine      protowire.Number = 2
	entryMetadata  protowire.Number = 3

	pairName  protowire.Number = 1
	pairValue protowire.Number = 2

	timestampSeconds protowire.Number = 1
	timestampNanos   protowire.Number = 2
)

// requestSize is the size of the request in which the stream is sent.
func (s *stream) requestSize() int { return sizeField(requestStreams, s.innerSize()) }

func (s *stream) innerSize() int { return sizeField(streamLabels, len(s.labels)) + s.size }

// appendRequest appends the request.
func (s *stream) appendRequest(p []byte) []byte {
	p = appendLength(p, requestStreams, s.innerSize())
	p = appendText(p, streamLabels, s.labels)
	for i := range s.entries {
		e := &s.entries[i]
		p = appendLength(p, streamEntries, sizeEntry(e))
		p = appendLength(p, entryTimestamp, sizeTimestamp(e.at))
		p = appendTimestamp(p, e.at)
		p = appendLength(p, entryLine, len(e.line))
		p = append(p, e.line...)
		for _, m := range e.metadata {
			p = appendLength(p, entryMetadata, sizePair(m))
			p = appendText(p, pairName, m.name)
			p = appendText(p, pairValue, m.value)
		}
	}
	return p
}

func appendLength(p []byte, n protowire.Number, length int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(p, n, protowire.BytesType), uint64(length))
}

func appendText(p []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(p, n, protowire.BytesType), s)
}

func sizeField(n protowire.Number, length int) int {
	return protowire.SizeTag(n) + protowire.SizeBytes(length)
}

func sizePair(m pair) int {
	return sizeField(pairName, len(m.name)) + sizeField(pairValue, len(m.value))
}

func sizeEntry(e *entry) int {
	n := sizeField(entryTimestamp, sizeTimestamp(e.at)) + sizeField(entryLine, len(e.line))
	for _, m := range e.metadata {
		n += sizeField(entryMetadata, sizePair(m))
	}
	return n
}

// split returns seconds, rounded down, and nanoseconds.
func split(at int64) (seconds int64, nanos int64) {
	seconds, nanos = at/1e9, at%1e9
	if nanos < 0 {
		seconds, nanos = seconds-1, nanos+1e9
	}
	return seconds, nanos
}

func sizeTimestamp(at int64) int {
	seconds, nanos := split(at)
	return protowire.SizeTag(timestampSeconds) + protowire.SizeVarint(uint64(seconds)) +
		protowire.SizeTag(timestampNanos) + protowire.SizeVarint(uint64(nanos))
}

func appendTimestamp(p []byte, at int64) []byte {
	seconds, nanos := split(at)
	p = protowire.AppendVarint(protowire.AppendTag(p, timestampSeconds, protowire.VarintType), uint64(seconds))
	return protowire.AppendVarint(protowire.AppendTag(p, timestampNanos, protowire.VarintType), uint64(nanos))
}
