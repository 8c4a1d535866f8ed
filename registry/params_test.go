package registry_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/registry"
)

func TestValues(t *testing.T) {
	t.Parallel()
	u := parse(t, "x://h?text=a%20b+c&empty=&yes=TRUE&no=0&int=-7&size=64MiB&took=1h30m&level=info+2&lower=debug"+
		"&mode=Drop_Oldest&list=a,,+b+,c%2Cd&labels=app=shop,env=+prod+,expr=a=b,none=,two=x%2Cy&retries=1")

	require.Equal(t, "a b c", u.Text("text", "def"))
	require.Empty(t, u.Text("empty", "def"))
	require.Equal(t, "def", u.Text("absent", "def"))
	require.True(t, u.Bool("yes", false))
	require.False(t, u.Bool("no", true))
	require.True(t, u.Bool("absent", true))
	require.Equal(t, -7, u.Int("int", 1, math.MinInt, math.MaxInt))
	require.Equal(t, 1, u.Int("retries", 5, 0, 10), "not true")
	require.Equal(t, 5, u.Int("absent", 5, 0, 10))
	require.EqualValues(t, 64<<20, u.Size("size", 1))
	require.EqualValues(t, 1, u.Size("absent", 1))
	require.Equal(t, 90*time.Minute, u.Duration("took", 0))
	require.Equal(t, time.Second, u.Duration("absent", time.Second))
	require.Equal(t, slog.LevelInfo+2, u.Level("level", slog.LevelError))
	require.Equal(t, slog.LevelDebug, u.Level("lower", slog.LevelError))
	require.Equal(t, slog.LevelWarn, u.Level("absent", slog.LevelWarn))
	require.Equal(t, "drop_oldest", u.Enum("mode", "block", "block", "drop_oldest"))
	require.Equal(t, "block", u.Enum("absent", "block", "block", "drop_oldest"))
	require.Equal(t, []string{"a", "b", "c,d"}, u.List("list"))
	require.Equal(t, []string{"z"}, u.List("absent", "z"))
	require.Equal(t, []registry.Pair{{"app", "shop"}, {"env", "prod"}, {"expr", "a=b"}, {"none", ""}, {"two", "x,y"}}, u.Pairs("labels"))
	require.Nil(t, u.Pairs("absent"))
	require.True(t, u.Has("empty"))
	require.False(t, u.Has("absent"))
	require.NoError(t, u.Check())
}

// A malformed value is reported with the name, the problem and a remedy, but
// never shown, and the default is used.
func TestMalformedValues(t *testing.T) {
	t.Parallel()
	for value, check := range map[string]func(u *registry.URI) string{
		"": func(u *registry.URI) string {
			require.True(t, u.Bool("v", true))
			return "neither true nor false: write for example v=true"
		},
		"s3cr3t": func(u *registry.URI) string {
			require.Equal(t, 20, u.Int("v", 20, 1, 10)) // def is not checked
			return "not an integer from 1 to 10: write for example v=10"
		},
		"11": func(u *registry.URI) string {
			require.Equal(t, 2, u.Int("v", 2, 1, 10))
			return "not an integer from 1 to 10: write for example v=2"
		},
		"0": func(u *registry.URI) string {
			require.Equal(t, 2, u.Int("v", 2, 1, math.MaxInt))
			return "not an integer of 1 or more: write for example v=2"
		},
		"99999999999999999999": func(u *registry.URI) string {
			require.Equal(t, 2, u.Int("v", 2, math.MinInt, math.MaxInt))
			return "not an integer: write for example v=2"
		},
		"1": func(u *registry.URI) string {
			require.Equal(t, 0, u.Int("v", 0, math.MinInt, 0))
			return "not an integer of 0 or less: write for example v=0"
		},
		"10M": func(u *registry.URI) string {
			require.EqualValues(t, 3, u.Size("v", 3))
			return "not a size in bytes: write for example v=64MiB"
		},
		"-1s": func(u *registry.URI) string {
			require.Equal(t, time.Hour, u.Duration("v", time.Hour))
			return "not a duration of zero or more, with its unit: write for example v=250ms, v=1m30s or v=7d"
		},
		"5": func(u *registry.URI) string {
			require.Equal(t, time.Hour, u.Duration("v", time.Hour))
			return "not a duration"
		},
		"loud": func(u *registry.URI) string {
			require.Equal(t, slog.LevelWarn, u.Level("v", slog.LevelWarn))
			return "not a level: write debug, info, warn or error, or with an offset, as in info+2"
		},
		"s3cr3t!": func(u *registry.URI) string {
			require.Equal(t, "block", u.Enum("v", "block", "block", "drop_oldest"))
			return "not one of block, drop_oldest"
		},
		"a=b,s3cr3t": func(u *registry.URI) string {
			require.Nil(t, u.Pairs("v"))
			return "not a list of key=value: write for example v=key=value,other=value"
		},
		"a=s3cr3t,a=2": func(u *registry.URI) string {
			require.Nil(t, u.Pairs("v"))
			return "a key is there twice"
		},
		"=s3cr3t": func(u *registry.URI) string {
			require.Nil(t, u.Pairs("v"))
			return "not a list of key=value"
		},
	} {
		u := parse(t, "x://u:pw@h:1/path?v="+value)
		want := check(u)
		err := u.Check()
		require.ErrorContains(t, err, "registry: check x://h:1: parameter v: "+want, value)
		require.NotContains(t, err.Error(), "s3cr3t")
		check(u)
		require.Equal(t, err, u.Check(), "a problem is reported once, however often the parameter is read")
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "7B": 7, "10MB": 10_000_000, "10mb": 10_000_000, "512KiB": 512 << 10, "64MiB": 64 << 20,
		"2kB": 2000, "3GB": 3e9, "1GiB": 1 << 30, "1TB": 1e12, "1TiB": 1 << 40, "9223372036854775807": math.MaxInt64,
		"8388607TiB": 8388607 << 40,
	} {
		n, err := registry.ParseSize(s)
		require.NoError(t, err, s)
		require.Equal(t, want, n, s)
	}
	for _, s := range []string{"", "MiB", "-1", "+1", "1.5MiB", "10M", "10 MB", "1MiBs", "0x10", "9223372036854775808", "8388608TiB", "s3cr3t", "١MB"} {
		_, err := registry.ParseSize(s)
		require.ErrorContains(t, err, "registry: parse size: ", s)
		require.NotContains(t, err.Error(), "s3cr3t")
	}
}

// Every problem is reported at once.
func TestCheck(t *testing.T) {
	t.Parallel()
	u := parse(t, "file:///a?maxBytes=s3cr3t&max_backups=s3cr3t&compress=true&compress=false&zip&keep&s3cr3tToken==&s3cr3t%20x=1&colour=s3cr3t&batch=x")
	common := u.Take("batch", "batch_bytes")
	common.Int("batch", 500, 1, 10_000)
	u.Size("max_bytes", 0)
	u.Int("max_backups", 3, 0, 100)
	u.Bool("compress", false)
	u.Text("keep", "")
	u.Text("dir", "")
	u.Reject("dir", "is required: write dir=/var/log")
	u.Reject("dir", "a second problem")

	const prefix = "registry: check file:///a: parameter "
	require.Equal(t, []string{
		prefix + "maxBytes: unknown: did you mean max_bytes?",
		prefix + "max_backups: not an integer from 0 to 100: write for example max_backups=3",
		prefix + "compress: given 2 times",
		prefix + "number 5: unknown: known are batch, batch_bytes, compress, dir, keep, max_backups, max_bytes",
		prefix + "keep: has no value: write keep=value",
		prefix + "number 7: unknown: known are batch, batch_bytes, compress, dir, keep, max_backups, max_bytes",
		prefix + "number 8: unknown: known are batch, batch_bytes, compress, dir, keep, max_backups, max_bytes",
		prefix + "colour: unknown: known are batch, batch_bytes, compress, dir, keep, max_backups, max_bytes",
		prefix + "batch: not an integer from 1 to 10000: write for example batch=500",
		prefix + "dir: is required: write dir=/var/log",
	}, strings.Split(u.Check().Error(), "\n"))
	require.Equal(t, u.Check(), common.Check())

	var problem *registry.ParamError
	require.True(t, errors.As(u.Check(), &problem))
	require.Equal(t, registry.ParamError{URI: "file:///a", Name: "maxBytes", Reason: "unknown: did you mean max_bytes?"}, *problem)

	require.ErrorContains(t, parse(t, "x://h?a=1").Check(), "parameter a: unknown: this sink has no parameters")
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	known := []string{"batch", "batch_bytes", "linger", "level", "name", "max_bytes", "retry_max_age"}
	for name, want := range map[string]string{
		"maxBytes": "max_bytes", "MAX-BYTES": "max_bytes", "max_byte": "max_bytes", "lingre": "linger", "Level": "level",
		"levle": "level", "batchbytes": "batch_bytes", "btach": "batch", "retryMaxAge": "retry_max_age", "nmae": "name",
		"colour": "", "x": "", "lin": "", strings.Repeat("level", 100): "",
	} {
		u := parse(t, "x://h?"+name+"=1")
		for _, k := range known {
			u.Has(k)
		}
		err := u.Check()
		if want == "" {
			require.ErrorContains(t, err, "known are batch, batch_bytes, level", name)
			continue
		}
		require.ErrorContains(t, err, fmt.Sprintf("parameter %s: unknown: did you mean %s?", name, want))
	}
}

// The parameters of the fan-out are not seen by the constructor and by the
// library it passes Raw to; those of the constructor can be taken likewise.
func TestTake(t *testing.T) {
	t.Parallel()
	u := parse(t, "postgres://u:p%40@h1:5432,h2/db?sslmode=require&level=warn&table=logs&connect_timeout=3&&name=pg")
	common := u.Take("level", "name", "batch")
	require.Equal(t, slog.LevelWarn, common.Level("level", slog.LevelInfo))
	require.Equal(t, "pg", common.Text("name", ""))
	require.Equal(t, "postgres://u:p%40@h1:5432,h2/db?level=warn&name=pg", common.Raw())

	require.Equal(t, "none", u.Text("level", "none"))
	require.Equal(t, "postgres://u:p%40@h1:5432,h2/db?sslmode=require&table=logs&connect_timeout=3", u.Raw())
	require.ErrorContains(t, u.Check(), "parameter sslmode: unknown")

	own := u.Take("table")
	require.Equal(t, "logs", own.Text("table", "records"))
	require.Equal(t, url.Values{"sslmode": {"require"}, "connect_timeout": {"3"}}, u.Rest())
	require.Equal(t, "postgres://u:p%40@h1:5432,h2/db?sslmode=require&connect_timeout=3", u.Raw())
	require.NoError(t, u.Check())
	require.Equal(t, "h1:5432,h2", own.Host)

	bare := parse(t, "stdout?level=warn")
	bare.Take("level")
	require.Equal(t, "stdout", bare.Raw())
	require.NoError(t, bare.Check())
	require.Equal(t, "x://h?a=1;b&a=2", parse(t, "x://h?a=1;b&a=2").Raw())

	// What remains may be repeated, what is known may not.
	many := parse(t, "x://h?tag=1&tag=2&table=a&table=b")
	many.Take("table")
	require.Equal(t, url.Values{"tag": {"1", "2"}}, many.Rest())
	require.EqualError(t, many.Check(), "registry: check x://h: parameter table: given 2 times")
}

// What a sink says about parameters of its destination stands behind the names
// of its own.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	u := parse(t, "x://h?token=s3cr3t&key=s3cr3t&tok=s3cr3t")
	u.Text("token_file", "")
	u.Text("token_env", "")
	u.Unknown("others are written query=")
	require.EqualError(t, u.Check(), "registry: check x://h: parameter token: unknown: did you mean token_file or token_env?; others are written query=\n"+
		"registry: check x://h: parameter key: unknown: known are token_env, token_file; others are written query=\n"+
		"registry: check x://h: parameter tok: unknown: known are token_env, token_file; others are written query=")
}
