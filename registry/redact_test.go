package registry_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/registry"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const pg = "postgres://app:p%40ss%2Fw%22rd@db:5432/logs?sslmode=require&token=t%3Ck%26n"
	const slack = "slack://hooks.slack.com/services/T00000000/B0/abcdefghijkl"
	for _, test := range []struct{ raw, text, want string }{
		{pg, "cannot parse " + pg + ": no", "cannot parse postgres://***@db:5432***: no"},
		{pg, `user "app" p@ss/w"rd refused`, `user "app" *** refused`},
		{pg, fmt.Sprintf("dial %q", `p@ss/w"rd`), `dial "***"`},
		{pg, "p%40ss%2Fw%22rd p%40ss%2fw%22rd", "*** ***"},
		{pg, "app:p@ss/w\"rd@db:5432", "***@db:5432"},
		{pg, "Basic " + base64.StdEncoding.EncodeToString([]byte(`app:p@ss/w"rd`)), "Basic ***"},
		{pg, "token t<k&n t%3Ck%26n", "token *** ***"},
		{pg, `{"token":"t\u003ck\u0026n"}`, `{"token":"***"}`},
		{pg, "sslmode require", "sslmode ***"},
		{pg, "/logs/x xlogs logs /logsx", "***/x xlogs logs ***x"},
		{pg, "nothing", "nothing"},
		{pg, "", ""},

		{slack, `Post "https://hooks.slack.com/services/T00000000/B0/abcdefghijkl": EOF`, `Post "https://hooks.slack.com***": EOF`},
		{slack, "channel T00000000 of abcdefghijkl", "channel *** of ***"},
		{slack, "T00000000/B0/abcdefghijkl", "***"},
		{slack, "B0/abcdefghijkl", "***"},
		{"slack:T00000000/B0/abcdefghijkl", "no host in T00000000/B0/abcdefghijkl", "no host in ***"},

		// A word that is in the host too stays there, and goes elsewhere.
		{"redis://:redis@redis:6379", "redis://:redis@redis:6379: redis refused", "redis://***@redis:6379: *** refused"},
		{"postgres://postgres:postgres@postgres", "postgres://postgres", "postgres://postgres"},
		// Short passwords go where they stand alone.
		{"redis://:ab@h", `"ab" about ab, cab ab1`, `"***" about ***, cab ab1`},
		{"redis://:é@h", `é éa aé "é"`, `*** éa aé "***"`},
		// A user without a password is a token.
		{"sentry://abcdef@h", "key abcdef", "key ***"},
		{"x://:@h", "a:b", "a:b"},
		{"x://u:@h/", "u: / a", "u: / a"},
		// Parts of a list.
		{"webhook://h?headers=Authorization=Bearer%20abcdefgh,X=y", "sent Bearer abcdefgh", "sent ***"},
		{"webhook://h?headers=Authorization=Bearer%20abcdefgh,X=y", "sent abcdefgh", "sent ***"},
		{"webhook://h?labels=app=shop,env=prod", "a product of the shop", "a product of the shop"},
		{"webhook://h?abcdefgh", "what is abcdefgh", "what is ***"},
		// A local path is not a secret.
		{"file:///var/log/app.log", "open /var/log/app.log: denied", "open /var/log/app.log: denied"},
		{"file:///var/log/app.log?x=abcd", "open /var/log/app.log?x=abcd: denied", "open /var/log/app.log***: denied"},
	} {
		require.Equal(t, test.want, parse(t, test.raw).Redact(test.text), "%s: %s", test.raw, test.text)
	}
}

// What the fan-out has taken is still secret, and what was read as a number
// or a word of a list is not.
func TestRedactKnowsWhatWasRead(t *testing.T) {
	t.Parallel()
	u := parse(t, "x://h?name=hidden&overflow=block&batch=1000&format=json&level=debug&linger=250ms&sync=true&max=10MB")
	common := u.Take("name", "overflow", "batch")
	const text = "hidden block 1000 json debug 250ms true 10MB"
	require.Equal(t, "*** *** *** *** *** *** *** ***", u.Redact(text))
	common.Enum("overflow", "", "block", "drop_oldest")
	common.Int("batch", 0, 0, 1000)
	u.Enum("format", "text", "text", "json")
	u.Level("level", 0)
	u.Duration("linger", 0)
	u.Bool("sync", false)
	u.Size("max", 0)
	require.Equal(t, "*** block 1000 json debug 250ms true 10MB", u.Redact(text))
	require.Equal(t, u.Redact(text), common.Redact(text))
}

// A path that names a database is shown, and nothing else is.
func TestRedactShowsPublicPath(t *testing.T) {
	t.Parallel()
	u, err := registry.Parse("es://user:pass-word@host/shop-logs%2D2026?key=secret-key")
	require.NoError(t, err)
	const said = "no such index [shop-logs-2026] for pass-word with secret-key at /shop-logs%2D2026?key=secret-key"
	require.Equal(t, "no such index [***] for *** with *** at ***", u.Redact(said))
	require.Equal(t, "/shop-logs-2026", u.PublicPath())
	require.Equal(t, "no such index [shop-logs-2026] for *** with *** at /shop-logs%2D2026***", u.Redact(said))
	require.Equal(t, "es://host", u.String())
}

func TestRedactError(t *testing.T) {
	t.Parallel()
	u := parse(t, "webhook://u:s3cr3t@h/s3cr3tpath?t=s3cr3ttoken")
	require.NoError(t, u.RedactError(nil))

	original := &url.Error{Op: "Post", URL: "https://u:s3cr3t@h/s3cr3tpath", Err: fmt.Errorf("%w: %w", context.DeadlineExceeded, fs.ErrNotExist)}
	err := u.RedactError(fmt.Errorf("send: %w", original))
	require.EqualError(t, err, `send: Post "https://***@h***": context deadline exceeded: file does not exist`)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, fs.ErrExist)
	require.NoError(t, errors.Unwrap(err))
	var got *url.Error
	require.False(t, errors.As(err, &got))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, err), "s3cr3t")
		require.NotContains(t, fmt.Sprintf(verb, struct{ Err error }{err}), "s3cr3t")
	}

	var problem *registry.ParamError
	u.Text("t", "")
	u.Reject("t", "too long")
	require.True(t, errors.As(u.RedactError(u.Check()), &problem))
	require.Equal(t, "t", problem.Name)
}

// No secret of four characters or more survives in any text, and what is not
// secret does.
func FuzzRedact(f *testing.F) {
	f.Add("before ", "p@ss/word", " after")
	f.Add("s3cr", "s3cr3t", "3t")
	f.Add("://h", "x://h", "@h")
	f.Fuzz(func(t *testing.T, before, password, after string) {
		u, err := registry.Parse("x://u:" + percent(password) + "@h:1/p?q=1")
		if err != nil || len([]rune(password)) < 4 {
			return
		}
		if strings.Contains("x://h:1@h:1", password) || strings.Contains("***", password) {
			return // it is shown anyway
		}
		require.NotContains(t, u.Redact(before+" "+password+" "+after), " "+password+" ")
		require.NotContains(t, u.Redact(fmt.Sprintf("%s %q %s", before, password, after)), fmt.Sprintf(" %q ", password))
	})
}
