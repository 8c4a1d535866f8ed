package registry_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func TestParameters(t *testing.T) {
	t.Parallel()
	var r registry.Registry
	connected := false
	r.Register("try", func(_ context.Context, u *registry.URI) (sinks.Sink, error) {
		u.Text("text", "a")
		u.Public("public", "")
		u.Bool("bool", true)
		u.Int("int", 7, 0, 9)
		u.Size("size", 1<<20)
		u.Duration("duration", time.Minute)
		u.Duration("none", 0)
		u.Level("level", slog.LevelWarn)
		u.Enum("enum", "x", "x", "y")
		u.List("list", "a", "b")
		u.Pairs("pairs")
		u.Text("text", "asked again")
		u.Has("only looked for")
		err := u.Check()
		connected = err == nil
		return sinks.FromHandler(slog.DiscardHandler), err
	})
	uri, err := registry.Parse("try://?qqqqqqqq=1&name=x")
	require.NoError(t, err)
	uri.Take("name").Text("name", "")
	_, err = r.Open(t.Context(), uri)
	require.ErrorContains(t, err, "qqqqqqqq: unknown")
	require.False(t, connected)
	require.Equal(t, []registry.Parameter{
		{"text", registry.KindText, "a", nil},
		{"public", registry.KindText, "", nil},
		{"bool", registry.KindBool, "true", nil},
		{"int", registry.KindInt, "7", nil},
		{"size", registry.KindSize, "1048576", nil},
		{"duration", registry.KindDuration, "1m0s", nil},
		{"none", registry.KindDuration, "", nil},
		{"level", registry.KindLevel, "warn", nil},
		{"enum", registry.KindEnum, "x", []string{"x", "y"}},
		{"list", registry.KindList, "a,b", nil},
		{"pairs", registry.KindPairs, "", nil},
	}, uri.Parameters())
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute, "0": 0, "0s": 0, "+5s": 5 * time.Second,
		"7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "106751d": 106751 * 24 * time.Hour,
	} {
		d, err := registry.ParseDuration(s)
		require.NoError(t, err, s)
		require.Equal(t, want, d, s)
	}
	for _, s := range []string{"", "5", "-1s", "-0s", "-1d", "d", "1.5d", "1d-1h", "1d+1h", "1d1d", "106752d", "106751d24h", "99999999999d", "1 d", "secret"} {
		_, err := registry.ParseDuration(s)
		require.ErrorContains(t, err, "registry: parse duration: ", s)
		require.NotContains(t, err.Error(), "secret")
	}
}
