package postgres

import (
	"encoding/binary"
	"log/slog"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fapilog/fapilog/sinks"
)

// column is one of the columns that are written.
type column struct {
	name  string
	types []string // as in pg_type; the first is what the column is created with
	oid   uint32   // of an array of the values, as they are sent for an INSERT
	cast  string
}

// columns are in the order of rows.
var columns = []column{
	{"log_id", []string{"text", "varchar"}, pgtype.TextArrayOID, ""},
	{"seq", []string{"int8"}, pgtype.Int8ArrayOID, ""},
	{"time", []string{"timestamptz"}, pgtype.TimestamptzArrayOID, ""},
	{"level", []string{"text", "varchar"}, pgtype.TextArrayOID, ""},
	{"message", []string{"text", "varchar"}, pgtype.TextArrayOID, ""},
	{"service", []string{"text", "varchar"}, pgtype.TextArrayOID, ""},
	{"attrs", []string{"jsonb"}, pgtype.TextArrayOID, "::jsonb"},
}

// rows are the values of a batch, column by column. The strings are those of
// the events, except where they had to be cleaned.
type rows struct {
	logs     []string
	seqs     []int64
	times    []pgtype.Timestamptz
	levels   []string
	messages []string
	services []pgtype.Text
	attrs    object // one after the other
	ends     []int  // where each ends
	add      func(slog.Attr) bool
}

// newRows returns an empty batch.
func newRows() *rows {
	r := new(rows)
	r.add = r.attrs.add
	return r
}

func (r *rows) fill(batch []sinks.Event) {
	r.logs, r.seqs, r.times, r.levels = r.logs[:0], r.seqs[:0], r.times[:0], r.levels[:0]
	r.messages, r.services, r.attrs.dst, r.ends = r.messages[:0], r.services[:0], r.attrs.dst[:0], r.ends[:0]
	for _, e := range batch {
		id := e.ID()
		r.logs = append(r.logs, id.Log)
		r.seqs = append(r.seqs, int64(id.Seq))
		r.times = append(r.times, timestamp(e.Time()))
		r.levels = append(r.levels, e.Level().String())
		r.messages = append(r.messages, clean(e.Message()))
		service := clean(e.Service())
		r.services = append(r.services, pgtype.Text{String: service, Valid: service != ""})
		r.attrs.record(e, r.add)
		r.ends = append(r.ends, len(r.attrs.dst))
	}
}

// release lets go of the strings, which are not the sink's, and of memory that
// a huge record has left.
func (r *rows) release() {
	const keep = 4 << 20
	clear(r.logs)
	clear(r.messages)
	clear(r.services)
	if cap(r.attrs.dst) > keep {
		r.attrs.dst = nil
	}
}

// clean returns s without what no text in PostgreSQL can have: U+FFFD is in the
// place of NUL and of bytes that are not UTF-8.
func clean(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == 0 {
			return utf8.RuneError
		}
		return r // of a byte that is not UTF-8, U+FFFD already
	}, s)
}

// The range of a timestamp, in seconds from the year 2000 on, which is where
// they are counted from: MIN_TIMESTAMP and END_TIMESTAMP of
// src/include/datatype/timestamp.h.
const (
	epoch    = 946_684_800
	earliest = -211_813_488_000
	latest   = 9_223_371_331_200 // the first that is out of range
)

// timestamp returns NULL for the zero time, and infinity for what is out of
// range.
func timestamp(t time.Time) pgtype.Timestamptz {
	switch sec := t.Unix() - epoch; {
	case t.IsZero():
		return pgtype.Timestamptz{}
	case sec < earliest:
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	case sec >= latest:
		return pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
}

// appendCopy appends the rows in the binary format of COPY:
//
//	+-----------+--------------+-----+---------+
//	| signature | flags, extra | row | -1 (16) |
//	+-----------+--------------+-----+---------+
//
//	row    +--------------------+-------+
//	       | number of columns  | value |  integers are big endian
//	       +--------------------+-------+
//	value  +-------------------------+-------+
//	       | length (32), -1 is NULL | bytes |
//	       +-------------------------+-------+
func (r *rows) appendCopy(dst []byte) []byte {
	dst = append(dst, "PGCOPY\n\xff\r\n\x00"...)
	dst = append(dst, make([]byte, 8)...)
	start := 0
	for i, end := range r.ends {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(columns)))
		dst = appendText(dst, r.logs[i])
		dst = appendInt64(dst, r.seqs[i])
		dst = appendTime(dst, r.times[i])
		dst = appendText(dst, r.levels[i])
		dst = appendText(dst, r.messages[i])
		if r.services[i].Valid {
			dst = appendText(dst, r.services[i].String)
		} else {
			dst = appendNull(dst)
		}
		dst = binary.BigEndian.AppendUint32(dst, uint32(1+end-start))
		dst = append(dst, 1) // the version of the format of jsonb
		dst = append(dst, r.attrs.dst[start:end]...)
		start = end
	}
	return binary.BigEndian.AppendUint16(dst, math.MaxUint16)
}

func appendNull(dst []byte) []byte { return binary.BigEndian.AppendUint32(dst, math.MaxUint32) }

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendInt64(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, 8), uint64(n))
}

func appendTime(dst []byte, t pgtype.Timestamptz) []byte {
	switch {
	case !t.Valid:
		return appendNull(dst)
	case t.InfinityModifier == pgtype.Infinity:
		return appendInt64(dst, math.MaxInt64)
	case t.InfinityModifier == pgtype.NegativeInfinity:
		return appendInt64(dst, math.MinInt64)
	}
	return appendInt64(dst, (t.Time.Unix()-epoch)*1e6+int64(t.Time.Nanosecond()/1000))
}

// arrays returns the values in the order of columns.
func (r *rows) arrays() []any {
	attrs := make([]string, len(r.ends))
	all, start := string(r.attrs.dst), 0
	for i, end := range r.ends {
		attrs[i], start = all[start:end], end
	}
	return []any{r.logs, r.seqs, r.times, r.levels, r.messages, r.services, attrs}
}
