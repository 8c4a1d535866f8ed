package frame_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/frame"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 123_456_789, time.FixedZone("CEST", 7200))

func record(attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(noon, slog.LevelWarn, "message", 0)
	r.AddAttrs(attrs...)
	return r
}

func encode(e *frame.Encoder, attrs ...slog.Attr) frame.Frame {
	return e.Append(nil, record(attrs...))
}

// line returns f as JSON, without the built-ins.
func line(f frame.Frame) string {
	s := strings.TrimSuffix(string(f.AppendJSON(nil)), "\n")
	return strings.Replace(s, `"time":"2026-03-04T12:00:00.123456789+02:00","level":"WARN","msg":"message"`, "...", 1)
}

func collect(f frame.Frame) (as []slog.Attr) {
	for a := range f.Attrs() {
		as = append(as, a)
	}
	return as
}

// What was logged comes back with the same kinds and values.
func TestAttrsAndRecord(t *testing.T) {
	t.Parallel()
	_, zone := noon.Zone()
	for _, tt := range []struct {
		name         string
		logged, want slog.Value
	}{
		{"string", slog.StringValue("a\n\xff"), slog.StringValue("a\n\xff")},
		{"empty string", slog.StringValue(""), slog.StringValue("")},
		{"long string", slog.StringValue(strings.Repeat("x", 1000)), slog.StringValue(strings.Repeat("x", 1000))},
		{"int", slog.Int64Value(math.MinInt64), slog.Int64Value(math.MinInt64)},
		{"uint", slog.Uint64Value(math.MaxUint64), slog.Uint64Value(math.MaxUint64)},
		{"float", slog.Float64Value(0.1), slog.Float64Value(0.1)},
		{"infinity", slog.Float64Value(math.Inf(-1)), slog.Float64Value(math.Inf(-1))},
		{"true", slog.BoolValue(true), slog.BoolValue(true)},
		{"false", slog.BoolValue(false), slog.BoolValue(false)},
		{"duration", slog.DurationValue(-time.Hour), slog.DurationValue(-time.Hour)},
		{"time", slog.TimeValue(noon), slog.TimeValue(noon.In(time.FixedZone("", zone)))},
		{"zero time", slog.TimeValue(time.Time{}), slog.TimeValue(time.Time{})},
		{"far time", slog.TimeValue(time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)), slog.TimeValue(time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC))},
		{"bytes", slog.AnyValue([]byte("b")), slog.AnyValue([]byte("b"))},
		{"no bytes", slog.AnyValue([]byte{}), slog.AnyValue([]byte{})},
		{"nil bytes", slog.AnyValue([]byte(nil)), slog.AnyValue([]byte(nil))},
		{"nil", slog.AnyValue(nil), slog.AnyValue(nil)},
		{"null", slog.AnyValue((*tree)(nil)), slog.AnyValue(nil)},
		{"marshals as a string", slog.AnyValue(colour("red")), slog.StringValue("red")},
		{"marshals as an escaped string", slog.AnyValue(colour("\"r\"\n\u2028")), slog.StringValue("\"r\"\n\u2028")},
		{"level", slog.AnyValue(slog.LevelWarn + 1), slog.StringValue("WARN+1")},
		{"JSON", slog.AnyValue([]string{"a"}), slog.AnyValue(json.RawMessage(`["a"]`))},
		{"log valuer", slog.AnyValue(valuer(func() slog.Value { return slog.IntValue(1) })), slog.IntValue(1)},
		{"group", slog.GroupValue(slog.Int("a", 1), slog.Group("g", slog.Int("b", 2))), slog.GroupValue(slog.Int("a", 1), slog.Group("g", slog.Int("b", 2)))},
		{"source", slog.AnyValue(&slog.Source{Line: 3}), slog.GroupValue(slog.Int("line", 3))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := encode(frame.NewEncoder(nil).WithGroup("w"), slog.Any("k", tt.logged), slog.Group("g", slog.Any("k", tt.logged)), slog.Int("last", 1))
			want := []slog.Attr{slog.Group("w", slog.Any("k", tt.want), slog.Group("g", slog.Any("k", tt.want)), slog.Int("last", 1))}
			requireAttrs(t, want, collect(f))

			r := f.Record()
			var got []slog.Attr
			r.Attrs(func(a slog.Attr) bool {
				got = append(got, a)
				return true
			})
			requireAttrs(t, want, got)
		})
	}
}

// requireAttrs compares attributes and what is in them exactly, kinds, types
// and the zones of times included.
func requireAttrs(t *testing.T, want, got []slog.Attr) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		require.Equal(t, w.Key, got[i].Key)
		require.Equal(t, w.Value.Kind(), got[i].Value.Kind())
		if w.Value.Kind() == slog.KindGroup {
			requireAttrs(t, w.Value.Group(), got[i].Value.Group())
			continue
		}
		require.Equal(t, w.Value.Any(), got[i].Value.Any())
	}
}

func TestErrorsKeepTheirText(t *testing.T) {
	t.Parallel()
	v, ok := encode(frame.NewEncoder(nil), slog.Any("err", io.ErrUnexpectedEOF)).Lookup("err")
	require.True(t, ok)
	err, ok := v.Any().(error)
	require.True(t, ok)
	require.EqualError(t, err, "unexpected EOF")
}

func TestBuiltins(t *testing.T) {
	t.Parallel()
	replace := func(key string, v slog.Value) *frame.Encoder {
		return frame.NewEncoder(&slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key != key {
				return a
			}
			if v.Kind() == slog.KindAny {
				return slog.Attr{}
			}
			return slog.Attr{Key: "renamed", Value: v}
		}})
	}
	later := noon.Add(time.Hour)
	for _, tt := range []struct {
		name    string
		e       *frame.Encoder
		time    time.Time
		message string
	}{
		{"none replaced", frame.NewEncoder(nil), noon, "message"},
		{"time replaced", replace(slog.TimeKey, slog.TimeValue(later)), later, "message"},
		{"time retyped", replace(slog.TimeKey, slog.IntValue(1)), noon, "message"},
		{"time removed", replace(slog.TimeKey, slog.Value{}), time.Time{}, "message"},
		{"message replaced", replace(slog.MessageKey, slog.StringValue("other")), noon, "other"},
		{"message retyped", replace(slog.MessageKey, slog.DurationValue(time.Second)), noon, "1s"},
		{"message removed", replace(slog.MessageKey, slog.Value{}), noon, ""},
		{"level retyped", replace(slog.LevelKey, slog.StringValue("bad")), noon, "message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := encode(tt.e, slog.Int("a", 1))
			require.True(t, tt.time.Equal(f.Time()))
			require.Equal(t, tt.time.Format(time.RFC3339), f.Time().Format(time.RFC3339))
			require.Equal(t, tt.message, f.Message())
			require.Equal(t, slog.LevelWarn, f.Level())
			requireAttrs(t, []slog.Attr{slog.Int("a", 1)}, collect(f))
			r := f.Record()
			require.Equal(t, tt.message, r.Message)
			require.Equal(t, f.Time(), r.Time)
		})
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	var pc [1]uintptr
	runtime.Callers(1, pc[:])
	r := slog.NewRecord(noon, slog.LevelInfo, "m", pc[0])
	require.Equal(t, r.Source(), frameOf(r).Record().Source())

	// ReplaceAttr gets a source of its own each time.
	var got []*slog.Source
	e := frame.NewEncoder(&slog.HandlerOptions{AddSource: true, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if src, ok := a.Value.Any().(*slog.Source); ok {
			got = append(got, src)
		}
		return a
	}})
	e.Append(nil, r)
	got[0].File = "changed"
	e.Append(nil, r)
	require.Equal(t, r.Source(), got[1])
}

func frameOf(r slog.Record) frame.Frame { return frame.NewEncoder(nil).Append(nil, r) }

func TestLookup(t *testing.T) {
	t.Parallel()
	f := encode(frame.NewEncoder(nil).WithAttrs([]slog.Attr{slog.Int("twice", 1), slog.Int("app.name", 2)}).WithGroup("w"),
		slog.Int("a", 3),
		slog.Group("g", slog.Int("b", 4), slog.Group("h.i", slog.Int("c.d", 5)), slog.Int("after", 6)),
		slog.Group("g", slog.Int("b", 7)),
		slog.Int("g.after", 8),
		slog.Int("", 9),
	)
	for key, want := range map[string]int64{
		"twice": 1, "app.name": 2, "w.a": 3, "w.g.b": 7, "w.g.h.i.c.d": 5, "w.g.after": 8, "w.": 9,
	} {
		v, ok := f.Lookup(key)
		require.True(t, ok, key)
		require.Equal(t, slog.Int64Value(want), v, key)
	}
	for _, key := range []string{"", "w", "w.g", "a", "g.b", "w.g.h", "w.g.h.i", "w.g.h.i.c", "w.g.b.", ".w.a", "w..a", "twice.x", "app"} {
		_, ok := f.Lookup(key)
		require.False(t, ok, key)
	}
}

// The cases in which slog does not print JSON, see the package comment.
func TestDifferencesFromSlog(t *testing.T) {
	t.Parallel()
	var paths []string
	e := frame.NewEncoder(&slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if groups != nil {
			paths = append(paths, strings.Join(append(groups, a.Key), "."))
		}
		if a.Key == "gone" {
			return slog.Attr{}
		}
		return a
	}})
	gone := slog.Group("elided", slog.Group("", slog.Int("gone", 1)), slog.Group("elided", slog.Int("gone", 2)))
	f := encode(e.WithGroup("w"), gone, slog.Int("a", 1), slog.Group("g", gone, slog.Int("b", 2)))
	require.Equal(t, `{...,"w":{"a":1,"g":{"b":2}}}`, line(f))
	require.Equal(t, []string{
		"w.elided.gone", "w.elided.elided.gone", "w.a", "w.g.elided.gone", "w.g.elided.elided.gone", "w.g.b",
	}, paths)

	f = encode(frame.NewEncoder(nil), slog.Time("t", time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)), slog.Int("a", 1))
	require.Equal(t, `{...,"t":"!ERROR:time.Time year outside of range [0,9999]","a":1}`, line(f))

	plain := frame.NewEncoder(nil)
	require.Same(t, plain, plain.WithGroup(""))
}

// ouroboros returns a group with itself in it, twice.
type ouroboros struct{ key string }

func (o ouroboros) LogValue() slog.Value {
	return slog.GroupValue(slog.Any(o.key, o), slog.Int("n", 1), slog.Any(o.key, o))
}

func TestDeepGroups(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"o", ""} {
		f := encode(frame.NewEncoder(nil), slog.Any(key, ouroboros{key}), slog.Int("after", 1))
		require.True(t, json.Valid(f.AppendJSON(nil)))
		require.Contains(t, line(f), "fapilog: groups are nested too deeply")
		require.NotEmpty(t, collect(f))
		require.Contains(t, line(f), `"after":1`)
	}

	e := frame.NewEncoder(nil)
	for range 200 {
		e = e.WithGroup("w")
	}
	f := encode(e, slog.Int("a", 1))
	require.True(t, json.Valid(f.AppendJSON(nil)))
	v, ok := f.Lookup(strings.Repeat("w.", 100) + "a")
	require.True(t, ok)
	require.Equal(t, slog.IntValue(1), v)
}

// Nothing that is changed after a call is seen.
func TestValuesAreCopied(t *testing.T) {
	t.Parallel()
	m, b, s, as := map[string]int{"a": 1}, []byte("bytes"), []string{"x"}, []slog.Attr{slog.Int("as", 1)}
	attrs := []slog.Attr{slog.Any("m", m), slog.Any("b", b), slog.Any("s", s), slog.Any("g", as)}
	const want = `"m":{"a":1},"b":"Ynl0ZXM=","s":["x"],"g":{"as":1}`
	bound := frame.NewEncoder(nil).WithAttrs(attrs)
	f := encode(bound, attrs...)
	m["a"], b[0], s[0], as[0] = 2, 'B', "y", slog.Int("as", 2)
	clear(attrs)
	require.Equal(t, `{...,`+want+","+want+`}`, line(f))
	require.Equal(t, `{...,`+want+`}`, line(encode(bound)))
}

// Encoders derived from the same one do not see each other's attributes.
func TestSiblings(t *testing.T) {
	t.Parallel()
	parent := frame.NewEncoder(nil).WithAttrs([]slog.Attr{slog.String("p", strings.Repeat("p", 33))}).WithGroup("g")
	const prefix = `{...,"p":"ppppppppppppppppppppppppppppppppp"`
	one := parent.WithAttrs([]slog.Attr{slog.Int("one", 1)})
	two := parent.WithAttrs([]slog.Attr{slog.Int("two", 2)})
	three, four := parent.WithGroup("three"), parent.WithGroup("four")
	require.Equal(t, prefix+`,"g":{"one":1,"x":0}}`, line(encode(one, slog.Int("x", 0))))
	require.Equal(t, prefix+`,"g":{"two":2}}`, line(encode(two)))
	require.Equal(t, prefix+`,"g":{"three":{"x":0}}}`, line(encode(three, slog.Int("x", 0))))
	require.Equal(t, prefix+`,"g":{"four":{"x":0}}}`, line(encode(four, slog.Int("x", 0))))
	require.Equal(t, prefix+`}`, line(encode(parent)))
	require.Equal(t, prefix+`}`, line(encode(four)))
}

// A Record outlives the frame that it was made from.
func TestRecordIsACopy(t *testing.T) {
	t.Parallel()
	f := encode(frame.NewEncoder(nil).WithGroup("g"), slog.String("s", "text"), slog.Any("b", []byte("bytes")),
		slog.Any("e", errors.New("error")), slog.Any("j", []int{1}), slog.Any("q", colour("\"")))
	want := line(f)
	r := f.Record()
	for i := range f {
		f[i] = 0xee
	}
	require.Equal(t, want, line(frameOf(r)))
}

func TestAppendAppends(t *testing.T) {
	t.Parallel()
	for _, e := range []*frame.Encoder{
		frame.NewEncoder(nil),
		frame.NewEncoder(&slog.HandlerOptions{AddSource: true, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return a }}),
	} {
		alone := encode(e, slog.Int("a", 1))
		both := e.Append([]byte("before"), record(slog.Int("a", 1)))
		require.Equal(t, "before"+string(alone), string(both))
		require.Equal(t, "before"+string(alone.AppendJSON(nil)), string(alone.AppendJSON([]byte("before"))))
	}
}

func TestAllocations(t *testing.T) {
	attrs := append(fiveAttrs[:len(fiveAttrs):len(fiveAttrs)], slog.Time("at", noon), slog.Uint64("u", 1), slog.Any("err", io.EOF), slog.Any("b", []byte("b")))
	r := benchRecord(attrs...)
	source := frame.NewEncoder(&slog.HandlerOptions{AddSource: true})
	buf := make([]byte, 0, 4096)
	for name, e := range map[string]*frame.Encoder{
		"plain":  frame.NewEncoder(nil),
		"bound":  frame.NewEncoder(nil).WithAttrs(tenAttrs).WithGroup("g"),
		"source": source,
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() { buf = e.Append(buf[:0], r) }), name)
	}
	f := frame.Frame(source.Append(nil, r))
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = f.AppendJSON(buf[:0]) }))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, key := range []string{"method", "status", "cached", "elapsed", "ratio", "at", "u"} {
			if _, ok := f.Lookup(key); !ok {
				panic(key)
			}
		}
		_, _, _ = f.Level(), f.Time(), f.Message()
	}))
}

// Any bytes may be read: frames come from memory that was reused too early,
// and from disk.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	rng := rand.New(rand.NewPCG(1, 2))
	for range 32 {
		c := dice(rng.IntN).logCall()
		f.Add(frame.NewEncoder(&c.options).WithGroup("w").Append(nil, c.record))
	}
	f.Fuzz(func(_ *testing.T, b []byte) { decodeAll(b) })
}

func decodeAll(b []byte) {
	f := frame.Frame(b)
	_, _, _ = f.Time(), f.Level(), f.Message()
	for a := range f.Attrs() {
		_ = a.String()
		f.Lookup(a.Key)
		f.Lookup(a.Key + ".a")
	}
	f.Lookup("g.h.a")
	f.AppendJSON(nil)
	r := f.Record()
	frame.NewEncoder(nil).Append(nil, r)
}

// TestDecodeDamaged damages frames in ways that a fuzzer takes long to find.
func TestDecodeDamaged(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	d := dice(rng.IntN)
	for range 5_000 {
		c := d.logCall()
		b := frame.NewEncoder(&c.options).WithAttrs((&generator{dice: d}).attrs(3)).Append(nil, c.record)
		switch d(3) {
		case 0:
			b = b[:d(len(b)+1)]
		case 1:
			for range 1 + d(4) {
				b[d(len(b))] = byte(d(256))
			}
		case 2:
			copy(b[d(len(b)):], b[d(len(b)):])
		}
		decodeAll(b)
	}
}
