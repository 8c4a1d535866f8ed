package httpsink_test

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/verdict"
)

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// quiet is for servers that complain about what a test does to them.
func quiet(t *testing.T) *log.Logger { return log.New(t.Output(), "server: ", 0) }

// answer returns what a client makes of an answer.
func answer(t *testing.T, o httpsink.Options, handle http.HandlerFunc) *httpsink.Response {
	t.Helper()
	s := server(t, handle)
	o.URL = s.URL + o.URL
	c := client(t, o)
	a, err := c.Do(t.Context(), httpsink.Request{Method: http.MethodPost, Body: body(t, c, "x")})
	require.NoError(t, err)
	return a
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	want := map[int]verdict.Kind{413: verdict.TooLarge, 400: verdict.Permanent, 422: verdict.Permanent}
	for _, status := range []int{408, 409, 421, 423, 425, 429, 499, 500, 502, 503, 504, 509, 520, 599} {
		want[status] = verdict.Retry
	}
	for _, status := range []int{
		203, 206, 207, 260, 300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 412, 414, 415, 416, 417, 418,
		426, 428, 431, 451, 501, 505, 506, 507, 508, 510, 511, 600, 999,
	} {
		want[status] = verdict.Hold
	}
	for status, kind := range want {
		a := answer(t, httpsink.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/%zz")
			w.WriteHeader(status)
		})
		err := a.Verdict(200, 201, 204)
		require.Error(t, err)
		got, _, told := verdict.Of(err)
		require.Equal(t, kind, got, status)
		require.False(t, told)
		require.NoError(t, a.Verdict(201, status))
	}
}

// What servers answer before they know of the data says nothing about it.
func TestBadRequestsThatAreNotAboutTheData(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]verdict.Kind{
		"Client sent an HTTP request to an HTTPS server.\n":              verdict.Hold,
		"<h1>400</h1><center>No required SSL certificate was sent</cent": verdict.Hold,
		"the field SSL is missing":                                       verdict.Permanent,
	} {
		a := answer(t, httpsink.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, text)
		})
		require.Equal(t, want, kind(a.Verdict(200)), text)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC()
		theirs := now.Add(-24 * time.Hour)
		for _, test := range []struct {
			value, date string
			want        time.Duration
			ok          bool
		}{
			{"", "", 0, false},
			{"0", "", 0, true},
			{" 7 ", "", 7 * time.Second, true},
			{"3600", "", time.Hour, true},
			{"3601", "", time.Hour, true},
			{"99999999999999999999999", "", time.Hour, true},
			{"-1", "", 0, false},
			{"1.5", "", 0, false},
			{"soon", "", 0, false},
			{"1 2", "", 0, false},
			{now.Add(30 * time.Second).Format(http.TimeFormat), "", 30 * time.Second, true},
			{now.Add(-30 * time.Second).Format(http.TimeFormat), "", 0, true},
			{now.Add(48 * time.Hour).Format(http.TimeFormat), "", time.Hour, true},
			{now.Add(5 * time.Second).Format(time.RFC850), "", 5 * time.Second, true},
			{now.Add(5 * time.Second).Format(time.ANSIC), "", 5 * time.Second, true},
			{now.Add(5 * time.Second).Format(time.RFC3339), "", 0, false},
			// A clock that differs from ours.
			{theirs.Add(9 * time.Second).Format(http.TimeFormat), theirs.Format(http.TimeFormat), 9 * time.Second, true},
			{now.Add(5 * time.Second).Format(http.TimeFormat), "yesterday", 5 * time.Second, true},
		} {
			r := httpsink.Response{Header: http.Header{"Retry-After": {test.value}, "Date": {test.date}}}
			got, ok := r.RetryAfter()
			require.Equal(t, test.want, got, test.value)
			require.Equal(t, test.ok, ok, test.value)
		}
	})
}

func TestRetryAfterCounts(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"7": 7 * time.Second, "0": 0, "later": 0} {
		for _, status := range []int{408, 429, 500, 503} {
			a := answer(t, httpsink.Options{}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", value)
				w.WriteHeader(status)
			})
			got, after, told := verdict.Of(a.Verdict(200))
			require.Equal(t, verdict.Retry, got)
			require.Equal(t, want, after)
			require.Equal(t, want != 0, told, "no wait is the backoff's to choose, lest there be none for ever")
		}
	}
}

func TestTextOfErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	for _, test := range []struct {
		status           int
		kind, body, want string
	}{
		{429, "text/plain", "", "answered 429 Too Many Requests"},
		{520, "text/plain", "a\r\n\tb\x00\x1b[31m\xff c", "answered 520: a b [31m c"},
		{404, "text/plain", long, "answered 404 Not Found: " + long[:400] + "..."},
		{413, "text/html; charset=utf-8", "<html><style>a{}</style>\n<h1>Too <b>large</b></h1></html>", "answered 413 Request Entity Too Large: Too large"},
		{302, "text/plain", "", "answered 302 Found: redirects are not followed: write the URL that it leads to"},
		{202, "text/plain", "queued", "answered 202 Accepted, which is not among the codes of success: queued"},
	} {
		a := answer(t, httpsink.Options{Proxy: "none"}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", test.kind)
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		err := a.Verdict(200)
		require.Regexp(t, `^test: POST http://127\.0\.0\.1:[0-9]+: `, err.Error())
		_, text, _ := strings.Cut(err.Error(), "answered ")
		require.Equal(t, test.want, "answered "+text)
	}
}

// A server may say all that it was told.
func TestAnswersWithSecrets(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long-token-", 500)
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		user, password, _ := r.BasicAuth()
		for _, s := range []string{r.RequestURI, r.URL.Path, user, password, r.Header.Get("Authorization"), r.Header.Get("X-Key")} {
			_, _ = io.WriteString(w, "<"+s+"> ")
		}
	}
	for _, o := range []httpsink.Options{
		{URL: "/path-hunter2?q=query-hunter2", Username: "user", Password: "pass-hunter2"},
		{URL: "/", Token: "token-hunter2", Header: http.Header{"X-Key": {"header-hunter2"}}},
		{URL: "/", Header: http.Header{"authorization": {"Key hunter2hunter2"}}},
		{URL: "/", Token: long},
	} {
		err := answer(t, o, echo).Verdict(200)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "long-token")
		require.Contains(t, err.Error(), "***")
	}
}
