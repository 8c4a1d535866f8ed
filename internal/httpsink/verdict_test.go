package httpsink_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/testserver"
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
		"Client sent an HTTP request to an HTTPS server.\n":                                        verdict.Hold,
		"<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>": verdict.Hold,
		"<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>400 Bad Request</title>\n</head><body>\n<h1>Bad Request</h1>\n" +
			"<p>Your browser sent a request that this server could not understand.<br />\n" +
			"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n": verdict.Hold,
		"the field SSL is missing": verdict.Permanent,
		// Receivers that quote the record, which is one that a server has logged.
		`{"error":"bad field in {\"msg\":\"Client sent an HTTP request to an HTTPS server.\\n\"}"}`: verdict.Permanent,
		"cannot parse: Client sent an HTTP request to an HTTPS server.\n":                           verdict.Permanent,
		"cannot parse: <html>\n<head><title>400 The SSL certificate error</title>":                  verdict.Permanent,
		"Client sent an HTTP request to an HTTPS server. That is no JSON.":                          verdict.Permanent,
		"<html><head><title>400 Bad Request</title></head>no JSON: The SSL certificate error...":    verdict.Permanent,
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
		// What only repeats the status: of nginx, net/http, Apache, and a program.
		{400, "text/html", "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n" +
			"<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n", "answered 400 Bad Request: nginx/1.22.1"},
		{400, "text/html", "<title>400 The plain HTTP request was sent to HTTPS port</title><h1>400 Bad Request</h1>" +
			"<center>The plain HTTP request was sent to HTTPS port</center><hr>nginx", "answered 400 Bad Request: 400 The plain HTTP request was sent to HTTPS port nginx"},
		{503, "text/html", "<title>503 Service Temporarily Unavailable</title><h1>503 Service Temporarily Unavailable</h1><hr>nginx", "answered 503 Service Unavailable: 503 Service Temporarily Unavailable nginx"},
		{404, "text/plain", "Not Found\n", "answered 404 Not Found"},
		{404, "text/html", "<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No such URL.</p>", "answered 404 Not Found: No such URL."},
		{500, "text/plain", "Internal Server Error: 500 Internal Server Error: disk", "answered 500 Internal Server Error: disk"},
		{404, "text/plain", "Not Founded", "answered 404 Not Found: Not Founded"},
		{400, "text/plain", "no, this is a Bad Request", "answered 400 Bad Request: no, this is a Bad Request"},
		{400, "text/html", "<p>a or <b>b</b> or <b>b</b></p>", "answered 400 Bad Request: a or b or b"},
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

// What depends on the connection is tried on another one.
func TestNewConnections(t *testing.T) {
	t.Parallel()
	const noCertificate = -1
	for _, http2 := range []bool{false, true} {
		answers := make(chan int, 1)
		from := make(chan string, 1)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			from <- r.RemoteAddr
			switch status := <-answers; status {
			case 0:
				<-r.Context().Done()
			case noCertificate:
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>")
			default:
				w.WriteHeader(status)
			}
		}))
		s.EnableHTTP2 = http2
		s.StartTLS()
		t.Cleanup(s.Close)
		c := client(t, httpsink.Options{URL: s.URL, CAFile: write(t, filepath.Join(t.TempDir(), "ca.pem"), pemOf(s.Certificate()))})
		do := func(status int) (address string) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				a, err := c.Do(ctx, httpsink.Request{Method: http.MethodPost, Body: body(t, c, "x")})
				if err == nil {
					_ = a.Verdict(200, 409)
				}
				done <- err
			}()
			address = <-from
			answers <- status
			if status == 0 {
				cancel()
				require.ErrorIs(t, <-done, context.Canceled)
			} else {
				require.NoError(t, <-done)
			}
			return address
		}
		for status, another := range map[int]bool{
			200: false, 409: false, 400: false, 413: false, 429: false, 0: true, noCertificate: true, 301: true, 401: true, 403: true, 421: true, 500: true, 503: true, 507: true,
		} {
			first := do(status)
			if !another {
				require.Equal(t, first, do(200), "status %d, HTTP/2: %v", status, http2)
				continue
			}
			// With HTTP/2, a request may be over before net/http knows that the
			// connection is idle. The next one finds it so.
			testserver.Wait(t, fmt.Sprintf("a new connection, status %d, HTTP/2: %v", status, http2), func() error {
				if do(status) == first {
					return errors.New("it is the same one")
				}
				return nil
			})
		}
	}
}

// A connection that was switched to another protocol is not read from: no
// context would end that.
func TestSwitchedProtocols(t *testing.T) {
	t.Parallel()
	a := answer(t, httpsink.Options{}, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the client closes it
	})
	require.Equal(t, verdict.Hold, kind(a.Verdict(200)))
}

// Errors of net/http quote what they complain of.
func TestErrorsAreShort(t *testing.T) {
	t.Parallel()
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, strings.Repeat("junk", 20_000)+"\r\n\r\n")
	})
	c := client(t, httpsink.Options{URL: s.URL})
	_, err := c.Do(t.Context(), httpsink.Request{Method: http.MethodPost})
	require.ErrorContains(t, err, "junkjunk")
	require.Less(t, len(err.Error()), 700)
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

// Pages escape what they show.
func TestAnswersWithEscapedSecrets(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"text/html", "application/xml"} {
		err := answer(t, httpsink.Options{Token: "hunter&2<\"'>"}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<p>no such token: "+html.EscapeString(r.Header.Get("Authorization"))+" &amp; none &lt;other&gt;</p>")
		}).Verdict(200)
		require.NotContains(t, err.Error(), "hunter")
		require.Contains(t, err.Error(), "*** & none <other>")
	}
}
