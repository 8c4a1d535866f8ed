package frame_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"path"
	"runtime"
	"strings"
	"time"
)

// This file generates log calls. It is the list of what is compared with
// slog.JSONHandler.

// dice decides: random numbers in the differential test, the fuzzer's bytes in
// the fuzz test. roll returns a number from 0 to n-1.
type dice func(n int) int

func (d dice) oneIn(n int) bool { return d(n) == 0 }

func pick[T any](d dice, of []T) T { return of[d(len(of))] }

// A logCall is a handler, as options and a chain of With calls, and a record.
type logCall struct {
	options slog.HandlerOptions
	with    []with
	record  slog.Record
}

// with is a call to WithGroup, or to WithAttrs if the group is empty.
type with struct {
	group string
	attrs []slog.Attr
}

func (d dice) logCall() logCall {
	var c logCall
	c.options.AddSource = d.oneIn(4)
	rep := pick(d, replacements)
	c.options.ReplaceAttr = rep.f
	g := generator{dice: d, elide: !rep.seesPath}
	for range d(4) {
		if d.oneIn(2) {
			c.with = append(c.with, with{group: pick(d, keys[1:])})
		} else {
			c.with = append(c.with, with{attrs: g.attrs(4)})
		}
	}
	var pc [1]uintptr
	switch d(4) {
	case 0:
		// None.
	case 1:
		pc[0] = 1 // not in the program
	default:
		runtime.Callers(1+d(2), pc[:])
	}
	c.record = slog.NewRecord(g.time(), pick(d, levels), g.string(), pc[0])
	c.record.AddAttrs(g.attrs(8)...)
	return c
}

type generator struct {
	dice
	elide bool // attributes that are not printed may occur
	depth int
}

func (g *generator) attrs(most int) []slog.Attr {
	as := make([]slog.Attr, 0, most)
	for range g.dice(most) {
		as = append(as, slog.Attr{Key: g.key(), Value: g.value()})
		if g.elide && g.oneIn(16) {
			as = append(as, slog.Attr{})
		}
	}
	return as
}

func (g *generator) key() string {
	if g.oneIn(8) {
		return g.string()
	}
	return pick(g.dice, keys)
}

func (g *generator) value() slog.Value {
	switch g.dice(12) {
	case 0, 1:
		return slog.StringValue(g.string())
	case 2:
		return slog.Int64Value(pick(g.dice, integers))
	case 3:
		return slog.Uint64Value(uint64(pick(g.dice, integers)))
	case 4:
		return slog.Float64Value(g.float())
	case 5:
		return slog.BoolValue(g.oneIn(2))
	case 6:
		return slog.DurationValue(time.Duration(pick(g.dice, integers)))
	case 7:
		return slog.TimeValue(g.time())
	case 8:
		return g.group()
	case 9:
		return slog.AnyValue(g.logValuer())
	default:
		if g.elide && g.oneIn(16) {
			return slog.AnyValue(pick(g.dice, []any{(*slog.Source)(nil), &slog.Source{}}))
		}
		return slog.AnyValue(pick(g.dice, anys))
	}
}

func (g *generator) group() slog.Value {
	if g.depth == 5 {
		return slog.GroupValue()
	}
	g.depth++
	defer func() { g.depth-- }()
	return slog.GroupValue(g.attrs(4)...)
}

func (g *generator) logValuer() slog.LogValuer {
	switch g.dice(6) {
	case 0:
		return valuer(func() slog.Value { panic("in LogValue") })
	case 1:
		return endless{}
	case 2:
		return valuer(func() slog.Value { return slog.GroupValue() })
	case 3:
		v := g.group()
		return valuer(func() slog.Value { return v })
	case 4:
		inner := slog.StringValue(g.string())
		return valuer(func() slog.Value { return slog.AnyValue(valuer(func() slog.Value { return inner })) })
	default:
		v := slog.AnyValue(pick(g.dice, anys))
		return valuer(func() slog.Value { return v })
	}
}

func (g *generator) string() string {
	if g.oneIn(2) {
		return pick(g.dice, texts)
	}
	b := make([]byte, g.dice(24))
	for i := range b {
		b[i] = 'a'
		if g.oneIn(10) {
			b[i] = byte(g.dice(256))
		}
	}
	return string(b)
}

func (g *generator) float() float64 {
	switch g.dice(3) {
	case 0:
		return pick(g.dice, floats)
	case 1:
		return float64(g.dice(1_000_000)) / 1000
	default:
		return math.Float64frombits(uint64(g.dice(1<<16))<<48 | uint64(g.dice(1<<16))<<16 | uint64(g.dice(1<<16)))
	}
}

func (g *generator) time() time.Time {
	switch g.dice(4) {
	case 0:
		return pick(g.dice, times)
	case 1:
		return time.Now() // with a monotonic reading
	default:
		t := time.Unix(int64(g.dice(1<<31-1))*(1-2*int64(g.dice(2))), int64(pick(g.dice, []int{0, 1, 120, 999_000_000, 123_456_789, 999_999_999})))
		return t.In(time.FixedZone("somewhere", pick(g.dice, zones)))
	}
}

var (
	keys     = []string{"", "a", "b", "g", "h", "k.e.y", "time", "level", "msg", "source", "ключ", `q"uote`, strings.Repeat("long ", 60)}
	levels   = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, -5, 1, 7, 12, math.MaxInt, math.MinInt}
	integers = []int64{0, 1, -1, 9, 10, 63, 64, 127, 128, 200, 1e9, 1_234_567_890_123, math.MaxInt64, math.MinInt64}
	floats   = []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 1.5, 100, 1e6, 1e15, -1e15, 1e16, 123456789012345678, 1e20, 1e21, 1.5e21, 1e22, 1e-5, 1e-6, 9.9e-7,
		1e-7, 1e-9, 1e-10, 1e-100, 1e100, 5e-324, math.MaxFloat64, math.Pi, math.NaN(), math.Inf(1), math.Inf(-1),
	}
	times = []time.Time{
		{},
		time.Unix(0, 0), time.Unix(0, 0).UTC(), time.Unix(-1, 999_999_999).UTC(),
		time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 12, 31, 23, 59, 59, 999, time.UTC), time.Date(-44, 3, 15, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)), time.Date(10000, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)),
		time.Date(2024, 2, 29, 12, 0, 0, 100, time.FixedZone("", 19800)), time.Unix(math.MaxInt64, 0).UTC(), time.Unix(math.MinInt64, 0).UTC(),
	}
	zones = []int{0, 3600, -3600, 20700, -12600, 50400, 57600, -57600, 1, -1, 59, -59, 60, 86399, -86399, 359999, 360000, -360001, 1 << 30}
	texts = []string{
		"", "m", "plain words", "exactly8", "sixteen bytes ok", "a \"quote\"", `back\slash`, "tab\tnewline\nreturn\r", "\x00\x01\b\f\x1f\x7f",
		"größer 世界 🙂", "line\u2028paragraph\u2029", "bad\xffutf8\xc3", "\xed\xa0\x80", "<html> & 'co'", "eight...\"", "1234567\n", "\ufffd", strings.Repeat("x", 300),
	}
)

type (
	valuer     func() slog.Value
	endless    struct{}
	errPointer struct{ text string }
	errPanics  struct{}
	errJSON    struct{}
	jsonFails  struct{}
	jsonPanics struct{}
	jsonNil    struct{ text string }
	textNasty  string
	colour     string
	namedBytes []byte
	tree       struct {
		Name string            `json:"name"`
		Kids []*tree           `json:"kids,omitempty"`
		M    map[string]any    `json:"m"`
		T    time.Time         `json:"t"`
		E    error             `json:"e"`
		H    map[string]string `json:"<h>"`
	}
)

func (v valuer) LogValue() slog.Value            { return v() }
func (e endless) LogValue() slog.Value           { return slog.AnyValue(e) }
func (e *errPointer) Error() string              { return e.text } // panics if nil
func (errPanics) Error() string                  { panic(errors.New("in \"Error\"")) }
func (errJSON) Error() string                    { return "error" }
func (errJSON) MarshalJSON() ([]byte, error)     { return []byte(` { "an" : "error" } `), nil }
func (jsonFails) MarshalJSON() ([]byte, error)   { return nil, errors.New("cannot\nmarshal") }
func (jsonPanics) MarshalJSON() ([]byte, error)  { panic("in MarshalJSON") }
func (j *jsonNil) MarshalJSON() ([]byte, error)  { return []byte(`"` + j.text + `"`), nil } // never called if nil
func (t textNasty) MarshalText() ([]byte, error) { return []byte(t), nil }

// anys are the values of slog.KindAny.
var anys = []any{
	nil,
	//lint:ignore ST1005 it is what is tested
	errors.New("plain"), fmt.Errorf("wrapped \"%w\"\n", errors.New("cause")), errors.New(""), &errPointer{"pointer"}, (*errPointer)(nil),
	errPanics{},
	errJSON{},
	[]byte("bytes\x00\xff"),
	[]byte{},
	[]byte(nil), namedBytes("named"),
	[3]byte{1, 2, 3},
	json.RawMessage(`{"a": [1, 2.50, "<&>\u0041"]}`), json.RawMessage(`"\u0041\/"`), json.RawMessage("\"\u2028\xff\""), json.RawMessage(`nonsense{`), json.RawMessage(nil), json.RawMessage("null"),
	json.Number("12.30"), json.Number("no number"),
	jsonFails{},
	jsonPanics{},
	&jsonNil{"text"}, (*jsonNil)(nil), textNasty("nasty \"\b\f\n\u2028 <x> \xff"), textNasty("plain"), netip.MustParseAddr("10.0.0.1"), colour("red"),
	func() {}, make(chan int), complex(1, 2),
	[]any{1, math.NaN()},
	map[string]any{"z": 1, "a": nil, "<": []int(nil)},
	map[int]string(nil),
	map[bool]int{true: 1},
	slog.KindAny, slog.LevelWarn, slog.Level(3), time.UTC, new(time.Time), time.March,
	struct{}{},
	(*tree)(nil), new(int),
	&tree{Name: "<root>", Kids: []*tree{{Name: "kid"}}, E: errors.New("lost"), H: map[string]string{"&": "\t"}},
	tree{T: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)},
	[]string{"a", "b"},
	[]error{errors.New("x")},
	[]slog.Attr{slog.Int("in a slice", 1)},
	slog.StringValue("a value"),
	&slog.Source{Function: "f", File: "x.go", Line: 3}, &slog.Source{Line: 7},
	slog.Source{File: "by value"},
	int8(-8), uint16(16), float32(0.1), uintptr(7),
}

// replacements are the ReplaceAttr functions.
var replacements = []struct {
	name     string
	f        func(groups []string, a slog.Attr) slog.Attr
	seesPath bool // the result depends on the names of the groups, which slog gets wrong after an elided one
}{
	{name: "none"},
	{name: "none, as often as all others"},
	{name: "none, as often as all others"},
	{name: "none, as often as all others"},
	{name: "same", f: func(_ []string, a slog.Attr) slog.Attr { return a }},
	{name: "rename", f: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			a.Key = "ts"
		case slog.LevelKey:
			a.Key = "severity"
		case slog.MessageKey:
			a.Key = "message \"quoted\""
		case slog.SourceKey:
			a.Key = ""
		}
		return a
	}},
	{name: "remove built-ins", f: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey, slog.LevelKey, slog.MessageKey, slog.SourceKey:
			return slog.Attr{}
		}
		return a
	}},
	{name: "remove some", f: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "a" || a.Key == "g" || a.Key == "line" {
			return slog.Attr{}
		}
		return a
	}},
	{name: "remove all", f: func([]string, slog.Attr) slog.Attr { return slog.Attr{} }},
	{name: "retype", f: func(_ []string, a slog.Attr) slog.Attr {
		switch v := a.Value.Any().(type) {
		case time.Time:
			a.Value = slog.Int64Value(v.Unix())
		case slog.Level:
			a.Value = slog.AnyValue(map[string]int{"level": int(v)})
		case *slog.Source:
			if v != nil {
				a.Value = slog.StringValue(path.Base(v.File))
			}
		case string:
			a.Value = slog.AnyValue(valuer(func() slog.Value { return slog.AnyValue([]byte(v)) }))
		case int64:
			if a.Key != "line" { // which this is turned into
				a.Value = slog.AnyValue(&slog.Source{Line: int(v)})
			}
		case bool:
			a.Value = slog.TimeValue(time.Unix(1, 0).UTC())
		}
		return a
	}},
	{name: "group built-ins", f: func(groups []string, a slog.Attr) slog.Attr {
		if groups != nil {
			return a
		}
		switch a.Key {
		case slog.TimeKey:
			return slog.Group("when", slog.Any("zone", a.Value), slog.Group("empty", slog.Any("", nil)))
		case slog.LevelKey:
			return slog.Group("", slog.String("name", "in line"), slog.Any("number", a.Value))
		case slog.MessageKey:
			return slog.Any("text", valuer(func() slog.Value { return slog.GroupValue() }))
		}
		return a
	}},
	{name: "change in place", f: func(groups []string, a slog.Attr) slog.Attr {
		if src, ok := a.Value.Any().(*slog.Source); ok && src != nil && groups == nil {
			src.File = "/" + path.Base(src.File)
		}
		if a.Key == slog.TimeKey {
			if a.Value.Kind() == slog.KindTime {
				a.Value = slog.TimeValue(a.Value.Time().Add(time.Hour))
			}
		}
		_ = append(groups, "corrupted", "corrupted")
		return a
	}},
	{name: "path", seesPath: true, f: func(groups []string, a slog.Attr) slog.Attr {
		a.Key = fmt.Sprintf("%t %s %s", groups == nil, strings.Join(groups, "/"), a.Key)
		return a
	}},
}
