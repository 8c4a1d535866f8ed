package slogtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"
)

// wholeRecords have values of every kind.
func wholeRecords() []slog.Record {
	at := time.Date(2026, time.February, 3, 4, 5, 6, 123456789, time.UTC)
	east := at.In(time.FixedZone("", 5*3600+1800))
	type point struct {
		X, Y int64
		Name string `json:"name"`
	}
	values := slog.NewRecord(east, slog.LevelInfo, "values", 0)
	values.AddAttrs(
		slog.String("empty", ""),
		slog.String("blanks", "  a  b "),
		slog.String("quotes", `"double" 'single' \backslash\`),
		slog.String("lines", "first\nsecond\r\n\tthird"),
		slog.String("markup", "<a href='x'>&amp;</a>"),
		slog.String("unicode", "Grüße, Ελλάδα, 日本語, \u2028 and \u00a0"),
		slog.String("emoji", "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467"),
		slog.String("pairs", "a=b c=\"d\""),
		slog.String("json", `{"a":[1,"b"]}`),
		slog.String("number", "0123"),
		slog.String("bool", "true"),
		slog.String("null", "null"),
		slog.Int64("lowest", math.MinInt64),
		slog.Int64("highest", math.MaxInt64),
		slog.Int("zero", 0),
		slog.Uint64("unsigned", math.MaxUint64),
		slog.Float64("tenth", 0.1),
		slog.Float64("huge", -math.MaxFloat64),
		slog.Float64("tiny", math.SmallestNonzeroFloat64),
		slog.Float64("third", 1.0/3),
		slog.Bool("yes", true),
		slog.Bool("no", false),
		slog.Duration("long", 100*time.Hour+time.Nanosecond),
		slog.Duration("back", -1500*time.Millisecond),
		slog.Duration("none", 0),
		slog.Time("utc", at),
		slog.Time("east", east),
		slog.Time("past", time.Date(1815, time.December, 10, 0, 0, 0, 0, time.FixedZone("", -3600))),
		slog.Any("error", errors.Join(errors.New("first"), errors.New("second: \"quoted\""))),
		slog.Any("bytes", []byte("bytes \"and\" more")),
		slog.Any("struct", point{1, math.MaxInt64, "a \"point\""}),
		slog.Any("list", []any{"a", 1.5, nil, true, []int{}}),
		slog.Any("map", map[string]any{"b": 1, "a": map[string]string{"c": "d"}}),
		slog.Any("nil", nil),
		slog.Group("group",
			slog.String("member", "of group"),
			slog.Group("inner", slog.Int("number", 1), slog.Group("innermost", slog.Bool("yes", true), slog.String("empty", "")))),
		slog.String("k\u00e9y with \"all\"\nand more", "value"),
		slog.String("last", strings.Repeat("0123456789", 500)),
	)
	all := []slog.Record{values}
	for i, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo + 1, slog.LevelWarn, slog.LevelError + 4} {
		all = append(all, slog.NewRecord(at.Add(time.Duration(i)*time.Second), level, fmt.Sprintf("%v, \"quoted\",\nand in two lines", level), 0))
	}
	long := strings.Repeat("a long message, ", 300)
	return append(all, slog.NewRecord(at.Add(time.Minute), slog.LevelInfo, " \t\n  "+long+" \t\n  ", 0))
}

func checkWhole(r *run) error {
	if r.isDigest() {
		return r.checkHeadlines()
	}
	s := r.subject(r.t)
	want := wholeRecords()
	if err := errors.Join(s.deliverAll(newBatch(want).events), s.close()); err != nil {
		return err
	}
	got, err := s.arrived()
	if err != nil {
		return err
	}
	if len(got) != len(want) {
		var messages []string
		for _, r := range want {
			messages = append(messages, r.Message)
		}
		err := fmt.Errorf("%d records arrived instead of %d", len(got), len(want))
		if missing := s.missing(messages); missing != "" {
			err = fmt.Errorf("%w; not arrived: %s", err, missing)
		}
		return err
	}
	var errs []error
	for i, r := range want {
		errs = append(errs, sameRecord(r, got[i]))
	}
	return errors.Join(errs...)
}

// A hostile is a record that some format, encoding or limit has no place for.
type hostile struct {
	name   string
	record slog.Record
}

func hostileRecords() []hostile {
	now := time.Now()
	of := func(name, message string, attrs ...slog.Attr) hostile {
		r := slog.NewRecord(now, slog.LevelInfo, message, 0)
		r.AddAttrs(attrs...)
		return hostile{name, r}
	}
	deep := slog.Int("leaf", 1)
	for range 100 {
		deep = slog.Group("g", deep)
	}
	timeless := of("no time", "no time")
	timeless.record.Time = time.Time{}
	return []hostile{
		of("NUL", "a\x00b", slog.String("nul", "\x00"), slog.String("n\x00l", "x")),
		of("invalid UTF-8", "\xff\xfe\xed\xa0\x80", slog.String("invalid", "\xc3\x28"), slog.String("\xff", "x")),
		of("control characters", "\x01\x07\x08\x0b\x1f\x7f\u0085\ufeff\ufffe", slog.String("control", "\x1b")),
		of("escape sequences", "\x1b[31mred\x1b[0m \x1b]0;title\x07", slog.String("\x1b[2J", "\x1b[1A")),
		of("lines", "one\ntwo\r\n{\"msg\":\"fake\"}\n\n", slog.String("lines\n", "\n")),
		of("a megabyte", strings.Repeat("megabyte", 1<<17)),
		of("a long key", "long key", slog.Int(strings.Repeat("key", 1<<10), 1)),
		of("a hundred attributes", "many", many(100)...),
		of("deep groups", "deep", deep),
		of("duplicate keys", "duplicates", slog.Int("k", 1), slog.String("k", "2"), slog.Group("k", slog.Int("k", 3)), slog.Bool("k", true)),
		of("keys of built-ins", "built-ins", slog.String(slog.MessageKey, "not it"), slog.Int(slog.TimeKey, 1), slog.Bool(slog.LevelKey, true)),
		of("empty keys", "empty keys", slog.String("", "x"), slog.Group("g", slog.Int("", 1))),
		of("keys with dots", "dots", slog.Int("a.b", 1), slog.Group("a", slog.Int("b", 2)), slog.Int(".", 3), slog.Int("a.", 4), slog.Int("a", 5)),
		of("keys of other languages", "keys", slog.Int("$where", 1), slog.Int("_id", 2), slog.Int("a b=c", 3), slog.Int("'; --", 4), slog.Int("__proto__", 5)),
		of("an empty message", ""),
		of("infinity", "floats", slog.Float64("inf", math.Inf(1)), slog.Float64("nan", math.NaN())),
		of("a time before 1678", "early", slog.Time("early", time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC))),
		timeless,
	}
}

func many(n int) (attrs []slog.Attr) {
	for i := range n {
		attrs = append(attrs, slog.Int(fmt.Sprintf("key %d", i), i))
	}
	return attrs
}

// Keys that tell which record one is, whatever has become of its message.
const (
	neighbourKey = "neighbour"
	hostileKey   = "hostile"
)

func checkHostile(r *run) error {
	if err := r.checkHostileAlone(); err != nil {
		return err
	}
	s := r.subject(r.t)
	if err := s.start(r.t); err != nil {
		return err
	}
	all := hostileRecords()
	neighbour := func(i int) slog.Record {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, "neighbour", 0)
		r.AddAttrs(slog.Int(neighbourKey, i))
		return r
	}
	h := s.handler()
	for i, hostile := range all {
		record := hostile.record.Clone()
		record.AddAttrs(slog.Int(hostileKey, i))
		if err := errors.Join(h.Handle(context.Background(), neighbour(i)), h.Handle(context.Background(), record)); err != nil {
			return err
		}
	}
	if err := h.Handle(context.Background(), neighbour(len(all))); err != nil {
		return err
	}
	undelivered := s.close()
	arrived, err := s.arrived()
	if err != nil {
		return errors.Join(undelivered, err)
	}
	if s.Digest {
		return errors.Join(undelivered, s.checkCrowd(arrived, len(all)))
	}

	// In order, the records are 2i for neighbour i and 2i+1 for hostile i.
	name := func(place int) string {
		if place%2 == 0 {
			return fmt.Sprintf("neighbour %d", place/2)
		}
		return fmt.Sprintf("the record %q", all[place/2].name)
	}
	var (
		errs   []error
		times  = make(map[int]int)
		newest = -1
	)
	if undelivered != nil {
		errs = append(errs, undelivered)
	}
	for _, r := range arrived {
		place, ok := placeOf(r, len(all))
		if !ok {
			errs = append(errs, fmt.Errorf("something arrived that was not logged: %.300q", fmt.Sprint(r)))
			continue
		}
		times[place]++
		if place < newest {
			errs = append(errs, fmt.Errorf("%s arrived after %s", name(place), name(newest)))
		}
		newest = max(newest, place)
	}
	var missing []string
	for place := range 2*len(all) + 1 {
		n := times[place]
		if n == 0 {
			missing = append(missing, name(place))
		}
		switch {
		case n > 1, n == 0 && place%2 == 0:
			errs = append(errs, fmt.Errorf("%s arrived %d times", name(place), n))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, s.account(len(arrived), 2*len(all)+1-len(arrived), some(missing)))
	}
	return errors.Join(errs...)
}

// enoughHostile are as many as need be told: each is waited for.
const enoughHostile = 3

// checkHostileAlone writes each record in a batch of its own. One that fails for
// another reason than that it is refused would be tried again for ever, and
// nothing after it would be delivered.
func (r *run) checkHostileAlone() error {
	s := r.subject(r.t)
	var errs []error
	for _, h := range hostileRecords() {
		if s.hung || len(errs) == enoughHostile {
			break
		}
		if _, broken := s.deliver(newBatch([]slog.Record{h.record}).events); broken != nil {
			errs = append(errs, fmt.Errorf("the record %q alone: %w", h.name, broken))
		}
	}
	return errors.Join(errs...)
}

// placeOf returns the place of a record in the order of checkHostile.
func placeOf(r map[string]any, hostiles int) (place int, ok bool) {
	if v, is := r[hostileKey]; is {
		_, err := fmt.Sscan(fmt.Sprint(v), &place)
		return 2*place + 1, err == nil && place >= 0 && place < hostiles
	}
	_, err := fmt.Sscan(fmt.Sprint(r[neighbourKey]), &place)
	return 2 * place, err == nil && place >= 0 && place <= hostiles
}
