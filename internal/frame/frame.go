// Package frame is the binary form in which a log record travels from the
// goroutine that logged it to the sinks, and the rendering of that form as
// JSON.
//
// An [Encoder] turns a [slog.Record] into a [Frame]. It does everything that
// has to be done on the caller's goroutine and nothing else: LogValuers are
// resolved, ReplaceAttr is called, values that only encoding/json understands
// are marshaled, scalars are copied as they are. From then on no user code
// runs, and nothing the caller changes is seen. Printing is left to whoever
// reads the frame.
//
// # Format
//
// A frame has no length of its own, it is as long as its slice. It contains no
// pointers and no absolute offsets. Integers are little endian.
//
//	+--------+-----------+---------+--------------------------------+
//	| header | built-ins | message | attributes                     |
//	+--------+-----------+---------+--------------------------------+
//
//	header, 44 bytes:
//
//	 0        1        2        4            8            16
//	+--------+--------+--------+------------+------------+
//	| version| flags  | 0      | zone       | level      |  zone: seconds east of UTC
//	+--------+--------+--------+------------+------------+
//	| seconds                  | nanoseconds| built-ins  |  since 1970; length in bytes
//	+--------------------------+------------+------------+
//	| pc                       | message    |               length in bytes
//	+--------------------------+------------+
//	 32                         40           44
//
// The message is plain text. Built-ins and attributes are sequences of tokens:
//
//	scalar   +------+-------------+-----+---------------------+
//	         | kind | len uvarint | key | 0, 8 or 16 bytes    |
//	         +------+-------------+-----+---------------------+
//	text     +------+-------------+-----+-------------+-------+
//	         | kind | len uvarint | key | len uvarint | bytes |
//	         +------+-------------+-----+-------------+-------+
//	open     +------+-------------+-----+
//	         | kind | len uvarint | key |  the attributes of the group follow
//	         +------+-------------+-----+
//	close    +------+
//	         | kind |
//	         +------+
//
// Groups still open at the end of the attributes end there: this is how the
// groups of WithGroup need nothing at the end of a record.
//
// Without ReplaceAttr, time, level and message are printed from the header,
// and the built-ins hold at most the source, as text. With ReplaceAttr
// (flagReplaced) anything may have become of them, so the built-ins hold all
// that is printed before the attributes, in order, and the header what
// [Frame.Time] and [Frame.Message] return. A token of [kindMessage] stands for
// the message, which would be there twice otherwise.
//
// # Differences from slog
//
// [Frame.AppendJSON] prints what [slog.JSONHandler] of the running toolchain
// prints for the same record, byte for byte, with these exceptions. In the
// first two, slog's line is not JSON, and a line that no reader can parse is
// of no use to a log; in the others slog does not do what it documents, or
// does not return.
//
//   - A year outside of 0 to 9999: slog prints an error and the time, next to
//     each other. We print the error.
//   - A group whose attributes are all elided is elided too, but slog forgets
//     the comma before what follows, and keeps the name of the group in the
//     list that ReplaceAttr gets. We do neither.
//   - WithGroup("") returns the receiver, as [slog.Handler] demands.
//   - Groups nest at most 100 deep; slog overflows the stack on a LogValuer
//     that returns a group with itself in it. The group at the limit, and all
//     that follow it in the record, are replaced by an error.
package frame

import (
	"encoding/binary"
	"log/slog"
	"time"
	"unsafe"
)

// A Frame is one encoded record.
//
// Its methods may be called concurrently. They accept any bytes whatever: what
// is malformed ends the frame, and never panics. The strings and byte slices
// that they return, unless documented otherwise, are the frame's own memory,
// and change when it is reused.
type Frame []byte

const version = 1

// Offsets in the header.
const (
	offVersion  = 0
	offFlags    = 1
	offZone     = 4
	offLevel    = 8
	offSeconds  = 16
	offNanos    = 24
	offBuiltins = 28
	offPC       = 32
	offMessage  = 40
	headerSize  = 44
)

const (
	flagTime     = 1 << iota // there is a time in the header
	flagReplaced             // time, level and message are not printed from the header
)

// kind is the first byte of a token.
type kind byte

// Zero is not a kind: cleared memory reads as the end of a frame.
const (
	kindOpen     kind = 1 + iota
	kindClose         // without key
	kindString        // text
	kindInt64         // 8 bytes
	kindUint64        // 8 bytes
	kindFloat64       // 8 bytes, IEEE 754
	kindFalse         //
	kindTrue          //
	kindDuration      // 8 bytes, nanoseconds
	kindTime          // 16 bytes: seconds (8), nanoseconds (4), zone (4)
	kindError         // text: what Error returned
	kindBytes         // text: a []byte
	kindNilBytes      // []byte(nil), which encoding/json distinguishes from an empty one
	kindJSON          // text: what encoding/json made of a value
	kindNull          // nil
	kindMessage       // the message of the record; in built-ins only
)

// maxDepth bounds the nesting of groups. slog has no such bound; 100 is the
// one it has for LogValuers that return LogValuers.
const maxDepth = 100

// Level returns the record's level, whatever ReplaceAttr made of it. Workers
// ask for it before anything else, so it is a single load.
func (f Frame) Level() slog.Level {
	if len(f) < headerSize {
		return 0
	}
	return slog.Level(binary.LittleEndian.Uint64(f[offLevel:]))
}

// Time returns the record's time, with its zone offset and without the name of
// the zone. It is the zero time if the record had none or ReplaceAttr removed
// it. If ReplaceAttr turned it into another time it is that one; if it turned
// it into something else, it is the record's own.
func (f Frame) Time() time.Time {
	if !f.valid() || f[offFlags]&flagTime == 0 {
		return time.Time{}
	}
	return f.stamp().time()
}

// Message returns the message as ReplaceAttr left it: as a string, or empty if
// it was removed.
func (f Frame) Message() string {
	_, message, _ := f.sections()
	return message
}

func (f Frame) valid() bool {
	return len(f) >= headerSize && f[offVersion] == version
}

// stamp returns the time in the header of a valid frame.
func (f Frame) stamp() stamp {
	return stamp{
		sec:  int64(binary.LittleEndian.Uint64(f[offSeconds:])),
		nsec: binary.LittleEndian.Uint32(f[offNanos:]),
		zone: int32(binary.LittleEndian.Uint32(f[offZone:])),
	}
}

// sections returns the three parts after the header, which share f's memory.
// They are empty if f is not a valid frame.
func (f Frame) sections() (builtins, message, attrs string) {
	if !f.valid() {
		return "", "", ""
	}
	b := uint64(binary.LittleEndian.Uint32(f[offBuiltins:]))
	m := uint64(binary.LittleEndian.Uint32(f[offMessage:]))
	s := unsafe.String(unsafe.SliceData(f), len(f))[headerSize:]
	if b+m > uint64(len(s)) {
		return "", "", ""
	}
	return s[:b], s[b : b+m], s[b+m:]
}
