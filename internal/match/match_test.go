package match_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/match"
)

// record is a record without the work of encoding one.
type record struct {
	message string
	attrs   map[string]slog.Value
}

func (r record) Message() string { return r.message }

func (r record) Lookup(key string) (slog.Value, bool) {
	v, ok := r.attrs[key]
	return v, ok
}

var paris = time.FixedZone("", 2*60*60)

var payment = record{"payment refused", map[string]slog.Value{
	"component":   slog.StringValue("billing"),
	"http.status": slog.IntValue(503),
	"bytes":       slog.Uint64Value(math.MaxUint64),
	"ratio":       slog.Float64Value(0.25),
	"paid":        slog.BoolValue(false),
	"took":        slog.DurationValue(1500 * time.Millisecond),
	"due":         slog.TimeValue(time.Date(2026, 3, 1, 9, 5, 0, 999_999_999, paris)),
	"err":         slog.AnyValue(errors.New("card declined")),
	"order":       slog.AnyValue(json.RawMessage(`{"id":7}`)),
	"body":        slog.AnyValue([]byte("a=b")),
	"nothing":     slog.AnyValue(nil),
	"empty":       slog.StringValue(""),
	"path":        slog.StringValue(`C:\logs\app.log`),
	"list":        slog.StringValue("a,b*c"),
	"a=b":         slog.StringValue("odd"),
	"!x":          slog.StringValue("odder"),
}}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		expr string
		want bool
	}{
		{"", true},
		{"  ", true},

		{"component=billing", true},
		{"component=Billing", false},
		{"component=bill", false},
		{"component=bill*", true},
		{"component=*ing", true},
		{"component=b*l*g", true},
		{"component=b*g*l", false},
		{"component=*", true},
		{"component=**", true},
		{"component=billing*billing", false},
		{"component=billin*ng", false},
		{" component = billing ", true},

		{"component!=billing", false},
		{"component!=shop", true},
		{"component!=b*", false},
		{"absent!=billing", true},
		{"absent!=*", true},
		{"absent=*", false},

		{"component", true},
		{"absent", false},
		{"!absent", true},
		{"!component", false},
		{"! absent", true},

		{"component=billing,http.status=5*", true},
		{"component=billing,http.status=4*", false},
		{"component=billing, !debug, http.status!=500", true},

		{"msg=payment*", true},
		{"msg!=payment*", false},
		{"msg=payment", false},
		{"msg", true},

		{"http.status=503", true},
		{"bytes=18446744073709551615", true},
		{"ratio=0.25", true},
		{"paid=false", true},
		{"took=1.5s", true},
		{"due=2026-03-01T09:05:00.999+02:00", true},
		{"due=2026-03-01*", true},
		{"err=*declined", true},
		{`order={"id":7}`, true},
		{"body=a=b", true},
		{"nothing=<nil>", true},
		{"nothing", true},
		{"empty=", true},
		{"empty!=", false},
		{"component=", false},

		{`path=C:\logs\\*`, true},
		{`path=C:\logs\*`, false}, // a literal star
		{`path=C:\\logs\\app.log`, true},
		{`list=a\,b\*c`, true},
		{`list=a\,b\*`, false},
		{`list=a\,*`, true},
		{`a\=b=odd`, true},
		{`\!x=odder`, true},
		{`\!x`, true},
		{`!\!x`, false},
	} {
		e, err := match.Parse(test.expr)
		require.NoError(t, err, test.expr)
		require.Equal(t, test.want, match.Matches(e, payment), test.expr)
	}
}

// The text of a value is the one that slog.TextHandler prints.
func TestTextIsTextHandlers(t *testing.T) {
	t.Parallel()
	values := []slog.Value{
		slog.Int64Value(math.MinInt64), slog.Float64Value(1e21), slog.Float64Value(math.Inf(-1)), slog.Float64Value(math.NaN()),
		slog.DurationValue(math.MinInt64), slog.TimeValue(time.Time{}.In(paris)), slog.TimeValue(time.Unix(1, 999_500_000).UTC()),
	}
	for _, v := range payment.attrs {
		values = append(values, v)
	}
	for _, v := range values {
		var out bytes.Buffer
		h := slog.NewTextHandler(&out, nil)
		require.NoError(t, h.Handle(t.Context(), func() slog.Record {
			r := slog.Record{Message: "m"}
			r.AddAttrs(slog.Attr{Key: "k", Value: v})
			return r
		}()))
		text := strings.TrimSuffix(out.String()[strings.Index(out.String(), "k=")+2:], "\n")
		if strings.HasPrefix(text, `"`) {
			require.NoError(t, json.Unmarshal([]byte(text), &text))
		}
		e, err := match.Parse("k=" + strings.NewReplacer(`,`, `\,`, `*`, `\*`, `\`, `\\`).Replace(text))
		require.NoError(t, err)
		require.True(t, match.Matches(e, record{attrs: map[string]slog.Value{"k": v}}), "%v prints as %q", v, text)
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"secret=1,":        "term 2, at character 10: it is empty",
		",secret":          "term 1, at character 1: it is empty",
		"é=1,,b":           "term 2, at character 5: it is empty",
		"=x":               "term 1, at character 1: it has no key",
		"a, =x":            "term 2, at character 4: it has no key",
		"!":                "it has no key",
		"!=x":              "it has no key",
		"!x!=odder":        "it has both '!' and '='",
		"!secret=x":        "it has both '!' and '=': write key!=pattern",
		"a=b,!msg":         "term 2, at character 5: no record is without a message",
		"a=b,  !  ,secret": "term 2, at character 7: it has no key",
	} {
		_, err := match.Parse(expr)
		require.ErrorContains(t, err, want, expr)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	e, err := match.Parse("component=b*g,http.status=5*,bytes=1*,ratio!=1*,paid=false,took=*s,due=2026*,msg=*ref*,!absent")
	require.NoError(t, err)
	require.True(t, match.Matches(e, payment))
	require.Zero(t, testing.AllocsPerRun(100, func() { match.Matches(e, payment) }))

	r := slog.NewRecord(time.Date(2026, 3, 1, 0, 0, 0, 0, paris), slog.LevelInfo, "a refusal", 0)
	for key, v := range payment.attrs {
		if group, key, ok := strings.Cut(key, "."); ok {
			r.AddAttrs(slog.Attr{Key: group, Value: slog.GroupValue(slog.Attr{Key: key, Value: v})})
			continue
		}
		r.AddAttrs(slog.Attr{Key: key, Value: v})
	}
	f := frame.Frame(frame.NewEncoder(nil).Append(nil, r))
	require.True(t, e.Match(f))
	require.Zero(t, testing.AllocsPerRun(100, func() { e.Match(f) }))
}

// Matching agrees with the regular expression that the pattern is short for.
func FuzzMatch(f *testing.F) {
	f.Add("b*l*g", "billing")
	f.Add("*", "")
	f.Add(`a\*\,\b*`, `a*,\bc`)
	f.Add("aa*aa", "aaa")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		e, err := match.Parse("k=" + pattern)
		if err != nil {
			return
		}
		var re strings.Builder
		re.WriteString(`(?s)\A`)
		trimmed := strings.TrimSpace(pattern)
		for i := 0; i < len(trimmed); i++ {
			switch c := trimmed[i]; {
			case c == '\\' && i+1 < len(trimmed) && strings.IndexByte(`,*=!\`, trimmed[i+1]) >= 0:
				i++
				re.WriteString(regexp.QuoteMeta(trimmed[i : i+1]))
			case c == '*':
				re.WriteString(`.*`)
			case c == ',':
				return // several terms
			default:
				re.WriteString(regexp.QuoteMeta(trimmed[i : i+1]))
			}
		}
		re.WriteString(`\z`)
		compiled, err := regexp.Compile(re.String())
		if err != nil {
			return // not UTF-8
		}
		r := record{attrs: map[string]slog.Value{"k": slog.StringValue(text)}}
		require.Equal(t, compiled.MatchString(text), match.Matches(e, r))
	})
}

func FuzzParse(f *testing.F) {
	f.Add("component=billing,http.status!=5*,!debug,msg")
	f.Add(`\!a\,b\==\\`)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := match.Parse(s)
		if err == nil {
			match.Matches(e, payment)
		}
	})
}
