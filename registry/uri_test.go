package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/registry"
)

// planted is a secret. It cannot be part of a scheme or of a host.
const planted = "s3cr3t{x}"

func parse(t testing.TB, raw string) *registry.URI {
	t.Helper()
	u, err := registry.Parse(raw)
	require.NoError(t, err)
	return u
}

func TestParse(t *testing.T) {
	t.Parallel()
	type want struct{ scheme, user, password, host, path, shown string }
	for raw, want := range map[string]want{
		"stdout":                {scheme: "stdout", shown: "stdout://"},
		" stdout\n":             {scheme: "stdout", shown: "stdout://"},
		"stdout://":             {scheme: "stdout", shown: "stdout://"},
		"STDOUT:":               {scheme: "stdout", shown: "stdout://"},
		"stdout?format=text":    {scheme: "stdout", shown: "stdout://"},
		"stdout://?format=text": {scheme: "stdout", shown: "stdout://"},
		"my_sink://localhost:8080": {
			scheme: "my_sink", host: "localhost:8080", shown: "my_sink://localhost:8080",
		},
		"Loki+HTTPS://Loki:3100/x?labels=app=shop,env=prod": {
			scheme: "loki+https", host: "Loki:3100", path: "/x", shown: "loki+https://Loki:3100",
		},
		"postgres://user:p%40ss@db/logs": {
			scheme: "postgres", user: "user", password: "p@ss", host: "db", path: "/logs", shown: "postgres://db",
		},
		"postgres://u:p@ss:w+rd@h1:5432,[::1]:5433,h-2/logs?x=@": {
			scheme: "postgres", user: "u", password: "p@ss:w+rd", host: "h1:5432,[::1]:5433,h-2", path: "/logs",
			shown: "postgres://h1:5432,[::1]:5433,h-2",
		},
		"postgres://user:pw@/logs?host=/run/postgresql": {
			scheme: "postgres", user: "user", password: "pw", path: "/logs", shown: "postgres://",
		},
		"mail://relay:25?to=ops@example.com":  {scheme: "mail", host: "relay:25", shown: "mail://relay:25"},
		"file:logs/app.log":                   {scheme: "file", path: "logs/app.log", shown: "file:logs/app.log"},
		"file:/var/log/app.log":               {scheme: "file", path: "/var/log/app.log", shown: "file:/var/log/app.log"},
		"file:///var/log/app%20one.log":       {scheme: "file", path: "/var/log/app one.log", shown: "file:///var/log/app%20one.log"},
		"file://u:pw@/var/log/a.log":          {scheme: "file", user: "u", password: "pw", path: "/var/log/a.log", shown: "file://"},
		"file:a@b.log":                        {scheme: "file", path: "a@b.log", shown: "file:a@b.log"},
		"slack:T000/B000/xyz":                 {scheme: "slack", path: "T000/B000/xyz", shown: "slack://"},
		"slack:///T000/B000/xyz":              {scheme: "slack", path: "/T000/B000/xyz", shown: "slack://"},
		"slack://hooks.slack.com/T0/B0/xyz":   {scheme: "slack", host: "hooks.slack.com", path: "/T0/B0/xyz", shown: "slack://hooks.slack.com"},
		"x://[fe80::1%25eth0]:1":              {scheme: "x", host: "[fe80::1%25eth0]:1", shown: "x://[fe80::1%25eth0]:1"},
		"redis://:p%2Fw@redis:6379/0?db=a;b&": {scheme: "redis", password: "p/w", host: "redis:6379", path: "/0", shown: "redis://redis:6379"},
	} {
		u, err := registry.Parse(raw)
		require.NoError(t, err, raw)
		password, hasPassword := u.Password()
		require.Equal(t, want.scheme, u.Scheme, raw)
		require.Equal(t, want.user, u.User(), raw)
		require.Equal(t, want.password, password, raw)
		require.Equal(t, want.password != "", hasPassword, raw)
		require.Equal(t, want.host, u.Host, raw)
		require.Equal(t, want.path, u.Path, raw)
		require.Equal(t, want.shown, u.String(), raw)
		require.Equal(t, strings.TrimSpace(raw), u.Raw(), raw)
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const noScheme = "registry: parse URI: it does not begin with a scheme"
	for raw, want := range map[string]string{
		"":                                           "registry: parse URI: it is empty",
		" \t":                                        "registry: parse URI: it is empty",
		"://" + planted:                              noScheme,
		"//user:" + planted + "@host":                noScheme,
		"/var/log/" + planted:                        noScheme,
		"hooks.slack.com/services/" + planted:        noScheme,
		"user@" + planted:                            noScheme,
		planted + "://host":                          noScheme,
		"1x://host":                                  noScheme,
		strings.Repeat("x", 33) + "://host":          noScheme,
		"x://host/a\nb" + planted:                    "registry: parse URI: it contains a line break: separate URIs with commas",
		"x://u:" + planted + "\x00@host":             "registry: parse URI: it contains a control character: percent-encode it",
		"x://host/p#" + planted:                      "registry: parse x://: it contains a '#', which begins a fragment, and there are none here: write %23",
		"x://u:" + planted + "#1@host":               "write %23",
		"x://u:" + planted:                           "registry: parse x://: the host contains a character that none can have",
		"x://u:pa@ss":                                "",
		"x://u:123/" + planted + "@host":             "registry: parse x://: an '@' follows the host: write %40, and in a password %2F for '/' and %3F for '?'",
		"x://u:123?" + planted + "@host":             "an '@' follows the host",
		"x://u:%zz" + planted + "@host":              "registry: parse x://: malformed percent-encoding in the user information",
		"x://host:pass/" + planted:                   "registry: parse x://: the port is not a number from 0 to 65535",
		"slack://https://hooks.slack.com/" + planted: `registry: parse slack://: there are two schemes: leave out the second and its "//"`,
		"x://host:65536":                             "the port is not a number",
		"x://host:":                                  "the port is not a number",
		"x://::1":                                    "an IPv6 address is written in brackets",
		"x://[::1":                                   "brackets that do not match",
		"x://[::1]1":                                 "other than a port after the brackets",
		"x://a]b":                                    "brackets that do not match",
		"x://h1,,h2":                                 "a comma in the host has no host",
		"x://h%zz/" + planted:                        "malformed percent-encoding in the host",
		"x://h/" + planted + "%2":                    "registry: parse x://h: malformed percent-encoding in the path: write %25 for a percent sign",
		"x://h/" + planted + "%0A":                   "registry: parse x://h: the path contains a control character",
		"x://h/a " + planted:                         "registry: parse x://h: the path contains a blank: write %20, and '?' before parameters",
		"x://h/a&level=" + planted:                   "registry: parse x://h: the path contains a parameter: write '?' before the first",
		"'x://h/" + planted + "'":                    "registry: parse URI: it begins with a quotation mark",
		"x://h?token=" + planted + "%":               "registry: parse x://h: malformed percent-encoding in parameter token",
		"x://h?a=1&" + planted + "%=" + planted:      "malformed percent-encoding in parameter number 2",
	} {
		_, err := registry.Parse(raw)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want, raw)
		require.NotContains(t, err.Error(), "s3cr3t", raw)
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"file:logs/app.log":             "logs/app.log",
		"file:///var/log/app%20one.log": "/var/log/app one.log",
		"file://localhost/var/a.log":    "/var/a.log",
		"audit:///var/a.log?x=1":        "/var/a.log",
	} {
		path, err := parse(t, raw).LocalPath()
		require.NoError(t, err)
		require.Equal(t, want, path)
	}
	for raw, want := range map[string]string{
		"file://logs/app.log": `"logs" would be a host: ` +
			"did you mean file:logs/app.log (relative) or file:///logs/app.log (absolute)?",
		"file://app.log":             "did you mean file:app.log (relative) or file:///app.log (absolute)?",
		"file://../a%20b.log?x=s3cr": "did you mean file:../a%20b.log (relative) or file:///../a%20b.log (absolute)?",
		"file:":                      "there is no path: write file:logs/app.log (relative) or file:///var/log/app.log (absolute)",
		"file://":                    "there is no path",
		"file://u:s3cr3t@logs/s3cr3": "a file has no user and no password",
	} {
		_, err := parse(t, raw).LocalPath()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cr")
	}

	// Other schemes show their path once they have said that it is local.
	u := parse(t, "audit:///var/a.log?x=1")
	require.Equal(t, "audit://", u.String())
	_, err := u.LocalPath()
	require.NoError(t, err)
	require.Equal(t, "audit:///var/a.log", u.String())
}

// However a URI is printed, it shows scheme://host.
func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	const raw = "slack://bot:s3cr3t@hooks.slack.com/services/T000/s3cr3t?token=s3cr3t"
	u := parse(t, raw)
	u.Take("token")
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%T", "%60s", "%-60v", "%.3s"} {
		for _, v := range []any{u, *u, []*registry.URI{u}, []registry.URI{*u}, struct{ U *registry.URI }{u}, map[string]any{"u": u}} {
			printed = append(printed, fmt.Sprintf(verb, v))
		}
	}
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("m", "u", u, "v", *u, "l", []*registry.URI{u}, "m", map[string]any{"u": *u})
	}
	text, err := json.Marshal(map[string]any{"u": u, "v": *u})
	require.NoError(t, err)
	printed = append(printed, out.String(), string(text), fmt.Sprint(u), fmt.Sprint(*u))
	hex := fmt.Sprintf("%x", "s3cr3t")
	for _, s := range printed {
		require.NotContains(t, s, "s3cr3t")
		require.NotContains(t, s, "T000")
		require.NotContains(t, strings.ToLower(strings.ReplaceAll(s, " ", "")), hex)
	}
	require.Equal(t, "slack://hooks.slack.com", fmt.Sprintf("%v", u))
	require.Equal(t, "slack://hooks.slack.com", fmt.Sprintf("%+v", *u))
	require.Equal(t, `"slack://hooks.slack.com"`, fmt.Sprintf("%q", u))
	require.Equal(t, `registry.URI("slack://hooks.slack.com")`, fmt.Sprintf("%#v", u))
	require.JSONEq(t, `{"u":"slack://hooks.slack.com","v":"slack://hooks.slack.com"}`, string(text))

	var zero registry.URI
	require.Equal(t, "://", zero.String())
	require.NoError(t, zero.Check())
	require.Empty(t, zero.Raw())
	require.Equal(t, "x", zero.Redact("x"))
}

// No error shows what is not the scheme or the host, and what was parsed is
// parsed to the same again.
func FuzzParse(f *testing.F) {
	for _, raw := range []string{
		"stdout", "my_sink://localhost:8080", "loki://loki:3100?labels=app=shop,env=prod", "file://logs/app.log",
		"file:logs/a.log", "postgres://user:p%40ss@h1:5432,h2:5432/logs?table=x", "slack://h/services/T/B/x", "x://[::1]:80/",
		"://", "x://u:1/2@h", "x://h?a&b=&=c&a=1",
	} {
		f.Add(raw, 4)
		f.Add(raw, len(raw)-1)
	}
	f.Fuzz(func(t *testing.T, raw string, at int) {
		if at >= 0 && at <= len(raw) {
			_, err := registry.Parse(raw[:at] + planted + raw[at:])
			if err != nil {
				require.NotContains(t, err.Error(), "s3cr3t")
			}
		}
		u, err := registry.Parse(raw)
		if err != nil {
			return
		}
		again, err := registry.Parse(u.Raw())
		require.NoError(t, err)
		require.Equal(t, u.Raw(), again.Raw())
		require.Equal(t, u.String(), again.String())
		require.Equal(t, u.Path, again.Path)
		require.Equal(t, u.User(), again.User())
		require.Equal(t, u.Rest(), again.Rest())
		require.NoError(t, u.Check())

		// What is shown can be parsed, to the same host.
		shown, err := registry.Parse(u.String())
		require.NoError(t, err)
		require.Equal(t, u.Scheme+u.Host, shown.Scheme+shown.Host)
		require.NotContains(t, u.Redact("an error: "+raw), planted)
	})
}

// A URI made of its parts has these parts.
func FuzzParseParts(f *testing.F) {
	f.Add("app", "p@ss/word?#", "/logs/one two", "a=b&c")
	f.Fuzz(func(t *testing.T, user, password, path, value string) {
		raw := fmt.Sprintf("x://%s:%s@h:1/%s?v=%s", percent(user), percent(password), percent(path), percent(value))
		u, err := registry.Parse(raw)
		if err != nil {
			require.Equal(t, "registry: parse x://h:1: the path contains a control character", err.Error())
			return
		}
		got, _ := u.Password()
		require.Equal(t, []string{user, password, "/" + path, value}, []string{u.User(), got, u.Path, u.Text("v", "")})
		require.NoError(t, u.Check())
	})
}

// percent encodes everything.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// What looks like a host may be the end of a password with an '@' and a slash.
func TestAtSignInPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"x://app:p@ss/word@db:5432/logs", "x://app:pa/ss@wo/rd@db", "x://u:p@q?r@h=1"} {
		_, err := registry.Parse(uri)
		require.EqualError(t, err, "registry: parse x://: an '@' follows the host: write %40, and in a password %2F for '/' and %3F for '?'")
	}
}

// What a shell would have replaced is no path, unless it is written so.
func TestPathsForAShell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"file:~/a.log":     "a shell replaces ~ at the beginning of a word, and nobody here: write the whole path, or %7E",
		"file:$HOME/a.log": "a shell replaces $ at the beginning of a word, and nobody here: write the whole path, or %24",
	} {
		_, err := parse(t, text).LocalPath()
		require.EqualError(t, err, want)
	}
	for text, want := range map[string]string{"file:%7E/a.log": "~/a.log", "file:a~/$b.log": "a~/$b.log", "file:///~/a.log": "/~/a.log"} {
		path, err := parse(t, text).LocalPath()
		require.NoError(t, err)
		require.Equal(t, want, path)
	}
	_, err := registry.Parse("file:app.log, stdot")
	require.ErrorContains(t, err, "the path contains a comma and a blank: what follows is no sink that is known")
}
