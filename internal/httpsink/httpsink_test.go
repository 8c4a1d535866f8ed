package httpsink_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/internal/warn"
	"github.com/fapilog/fapilog/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client makes a client that is closed at the end of the test.
func client(t *testing.T, o httpsink.Options) *httpsink.Client {
	t.Helper()
	o.Sink = "test"
	c, err := httpsink.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
	})
	return c
}

// server answers with handle.
func server(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s
}

func body(t *testing.T, c *httpsink.Client, text string) *httpsink.Body {
	t.Helper()
	b := c.NewBody()
	fill(t, b, text)
	return b
}

func fill(t *testing.T, b *httpsink.Body, text string) {
	t.Helper()
	b.Reset()
	_, err := io.WriteString(b, text)
	require.NoError(t, err)
	require.NoError(t, b.Close())
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func kind(err error) verdict.Kind {
	k, _, _ := verdict.Of(err)
	return k
}

// A body is read by the transport when it will: its memory is not used again
// before that is over.
func TestBodyThatIsStillRead(t *testing.T) {
	c := client(t, httpsink.Options{URL: "http://localhost"})
	b := body(t, c, "first")
	slow, again := b.Open(), b.Open()
	require.Equal(t, 2, b.Readers())
	fill(t, b, "second")
	require.Zero(t, b.Readers())
	for _, r := range []io.ReadCloser{slow, again} {
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "first", string(got))
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
		_, err = r.Read(make([]byte, 1))
		require.ErrorContains(t, err, "closed")
	}
	require.Equal(t, "second", string(b.Bytes()))

	// What nobody reads is used again.
	fill(t, b, "third")
	text := []byte("again")
	require.Zero(t, testing.AllocsPerRun(10, func() {
		b.Reset()
		_, _ = b.Write(text)
	}))
}

// The same with net/http, under the race detector: answers that come before
// the body was read, requests that are called off, connections that break.
func TestBodyIsSafeFromTheTransport(t *testing.T) {
	t.Parallel()
	var turn atomic.Int64
	over := make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch turn.Add(1) % 4 {
		case 0: // at once, without reading
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case 1: // in the middle
			_, _ = io.CopyN(io.Discard, r.Body, 100<<10)
			panic(http.ErrAbortHandler)
		case 2: // never
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			<-over
		default:
			text, err := io.ReadAll(r.Body)
			if err == nil && strings.Trim(string(text), string(text[:1])) != "" {
				t.Errorf("a body of several requests: %.100q", text)
			}
			w.WriteHeader(http.StatusNoContent)
		}
	})
	t.Cleanup(func() { close(over) })
	c := client(t, httpsink.Options{URL: s.URL})
	b := c.NewBody()
	for i := range 40 {
		fill(t, b, strings.Repeat(string(rune('a'+i%26)), 1<<20))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		answer, err := c.Do(ctx, httpsink.Request{Method: http.MethodPost, Header: http.Header{"Idempotency-Key": {"1"}}, Body: b})
		cancel()
		if err == nil {
			require.Contains(t, []int{http.StatusNoContent, http.StatusRequestEntityTooLarge}, answer.Status)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 20000)
	half := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for name, test := range map[string]struct {
		handle func(http.ResponseWriter)
		keep   int
		want   string
		err    string
	}{
		"not wanted":       {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "ok") }, 0, "ok", ""},
		"wanted":           {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "whole") }, 5, "whole", ""},
		"more than wanted": {func(w http.ResponseWriter) { _, _ = io.WriteString(w, large+"more") }, len(large), large, "more than 20000 bytes"},
		"half, not wanted": {half, 0, "half", ""},
		"half":             {half, 100, "half", "unexpected EOF"},
		"without end":      {func(w http.ResponseWriter) { _, _ = io.Copy(w, zeros{}) }, 0, strings.Repeat("\x00", 16<<10), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t, func(w http.ResponseWriter, _ *http.Request) { test.handle(w) })
			c := client(t, httpsink.Options{URL: s.URL})
			answer, err := c.Do(t.Context(), httpsink.Request{Method: http.MethodGet, Keep: test.keep})
			require.NoError(t, err)
			require.NoError(t, answer.Verdict(200))
			require.Equal(t, test.want, string(answer.Body))
			if test.err == "" {
				require.NoError(t, answer.Err)
			} else {
				require.ErrorContains(t, answer.Err, test.err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestRequests(t *testing.T) {
	t.Parallel()
	type got struct {
		target, host, agent, other, auth, encoding, body string
	}
	requests := make(chan got, 1)
	s := server(t, func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		requests <- got{r.RequestURI, r.Host, r.UserAgent(), r.Header.Get("X-Other"), r.Header.Get("Authorization"), r.Header.Get("Content-Encoding"), string(text)}
	})
	host := strings.TrimPrefix(s.URL, "http://")
	send := func(o httpsink.Options, r httpsink.Request) got {
		o.URL = s.URL + o.URL
		r.Method = http.MethodPost
		c := client(t, o)
		if r.Body != nil {
			r.Body = body(t, c, "text")
		}
		_, err := c.Do(t.Context(), r)
		require.NoError(t, err)
		return <-requests
	}
	require.Equal(t, got{target: "/", host: host, agent: "fapilog"}, send(httpsink.Options{}, httpsink.Request{}))
	require.Equal(t, got{target: "/a%2Fb/%c3%a9?x=%20&y", host: host, agent: "mine", other: "1", body: "text"}, send(
		httpsink.Options{URL: "/a%2Fb/%c3%a9?x=%20&y", Header: http.Header{"user-agent": {"mine"}, "x-other": {"1"}}}, httpsink.Request{Body: new(httpsink.Body)}))
	require.Equal(t, got{target: "/other?z", host: host, agent: "fapilog", other: "2", auth: "Basic dTpw"}, send(
		httpsink.Options{URL: "/path?q", Username: "u", Password: "p"}, httpsink.Request{Target: "/other?z", Header: http.Header{"X-Other": {"2"}}}))
	packed := send(httpsink.Options{Compress: "gzip", Token: "t"}, httpsink.Request{Body: new(httpsink.Body)})
	require.Equal(t, "gzip", packed.encoding)
	require.Equal(t, "Bearer t", packed.auth)
	require.Equal(t, "\x1f\x8b", packed.body[:2])
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 1)
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { tokens <- r.Header.Get("Authorization") })
	path := write(t, filepath.Join(t.TempDir(), "token"), "first\n")
	c := client(t, httpsink.Options{URL: s.URL, TokenFile: path})
	do := func() error {
		_, err := c.Do(t.Context(), httpsink.Request{Method: http.MethodPost})
		return err
	}
	require.NoError(t, do())
	require.Equal(t, "Bearer first", <-tokens)

	// Rewritten with another of the same length before the clock of the file
	// system has moved on.
	info, err := os.Stat(path)
	require.NoError(t, err)
	write(t, path, "again\n")
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	require.NoError(t, do())
	require.Equal(t, "Bearer again", <-tokens)

	// With the mark that editors on Windows put in front.
	write(t, path, "\ufefffourth\r\n")
	require.NoError(t, do())
	require.Equal(t, "Bearer fourth", <-tokens)

	// Rotated as a mounted secret is.
	require.NoError(t, os.Rename(write(t, path+".new", " other "), path))
	require.NoError(t, do())
	require.Equal(t, "Bearer other", <-tokens)

	for text, want := range map[string]string{
		"":                         "no token in it",
		" \n":                      "no token in it",
		"two words":                "a blank",
		"two\nlines":               "a line break",
		"caf\u00e9":                "another character that no token has",
		strings.Repeat("x", 9<<10): "more than 8 KiB",
		strings.Repeat("x", 2<<20): "more than 1 MiB",
	} {
		write(t, path, text)
		for range 2 {
			err := do()
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "read token_file")
			require.Equal(t, verdict.Hold, kind(err))
			require.ErrorContains(t, c.Probe(t.Context()), want)
		}
	}
	require.NoError(t, os.Remove(path))
	require.ErrorIs(t, do(), os.ErrNotExist)
	require.NotContains(t, do().Error(), path)
	write(t, path, "third")
	require.NoError(t, do())
	require.Equal(t, "Bearer third", <-tokens)
}

// An API key comes in two forms, is sent in one, and none of it is shown.
func TestAPIKeys(t *testing.T) {
	const encoded = "c29tZS1pZDpzb21lLWtleQ==" // some-id:some-key
	t.Setenv("HTTPSINK_KEY", " some-id:some-key\n")
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(encoded+"\n"), 0o600))
	for _, o := range []httpsink.Options{{APIKey: "some-id:some-key"}, {APIKey: encoded}, {APIKeyFile: file}, {APIKeyEnv: "HTTPSINK_KEY"}} {
		var got string
		a := answer(t, o, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "for some-id: some-key, "+encoded)
		})
		require.Equal(t, "ApiKey "+encoded, got)
		require.ErrorContains(t, a.Verdict(), "for some-id: ***, ***")
		require.Equal(t, "two lines, ***", a.Show("two\nlines, some-key"))
	}
	// With other alphabets and without padding: a server may have decoded it.
	for _, o := range []httpsink.Options{{APIKey: strings.TrimRight(encoded, "=")}, {APIKey: "c29tZS1pZDpzb21lLT8_Pw"}} {
		a := answer(t, o, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, "for some-id: some-key, some-???, "+r.Header.Get("Authorization"))
		})
		require.Equal(t, 2, strings.Count(a.Verdict().Error(), "***"), "%v", a.Verdict())
	}
	_, err := httpsink.New(httpsink.Options{URL: "http://h", APIKey: "a b", Token: "token"})
	require.ErrorContains(t, err, "api_key: the token has a blank")
	require.ErrorContains(t, err, "api_key: there are other credentials as well")
}

func TestClientCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	ca := testserver.NewAuthority(t, "ca")
	pem, err := os.ReadFile(ca.File)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	names := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names <- r.TLS.PeerCertificates[0].Subject.CommonName + " " + r.Proto
		w.Header().Set("Connection", "close")
	}))
	pair, err := tls.LoadX509KeyPair(ca.Issue("server"))
	require.NoError(t, err)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)

	cert, key := ca.Issue("one")
	c := client(t, httpsink.Options{URL: s.URL, CAFile: ca.File, CertFile: cert, KeyFile: key})
	var warnings []string
	ctx := warn.Context(t.Context(), func(err error) { warnings = append(warnings, err.Error()) })
	do := func() {
		t.Helper()
		_, err := c.Do(ctx, httpsink.Request{Method: http.MethodPost, Body: body(t, c, "x")})
		require.NoError(t, err)
	}
	do()
	require.Equal(t, "one HTTP/2.0", <-names)

	otherCert, otherKey := ca.Issue("other")
	require.NoError(t, os.Rename(otherCert, cert))
	require.NoError(t, c.Probe(ctx)) // in between: the old one is good
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "private key does not match")
	require.NoError(t, os.Rename(otherKey, key))
	do()
	require.Equal(t, "other HTTP/2.0", <-names)
	require.Len(t, warnings, 1)
}

// Certificates that one side refuses are for an operator; so is a server that
// does not speak TLS.
func TestHandshakesThatFail(t *testing.T) {
	t.Parallel()
	ca, strangers := testserver.NewAuthority(t, "ca"), testserver.NewAuthority(t, "strangers")
	pem, err := os.ReadFile(ca.File)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	pair, err := tls.LoadX509KeyPair(ca.Issue("server"))
	require.NoError(t, err)
	start := func(config *tls.Config) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = quiet(t)
		config.Certificates = []tls.Certificate{pair}
		s.TLS = config
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	plain := server(t, func(http.ResponseWriter, *http.Request) {})
	wrongCert, wrongKey := strangers.Issue("client")
	for name, test := range map[string]struct {
		options httpsink.Options
		probe   bool // finds it
		want    string
	}{
		"unknown authority":      {httpsink.Options{URL: start(&tls.Config{})}, true, ": name your authority with ca_file="},
		"other authority":        {httpsink.Options{URL: start(&tls.Config{}), CAFile: strangers.File}, true, ": none of the authorities in ca_file has issued it"},
		"old version":            {httpsink.Options{URL: start(&tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}), CAFile: ca.File}, true, "protocol version"},
		"no TLS":                 {httpsink.Options{URL: strings.Replace(plain.URL, "http:", "https:", 1)}, true, "does not look like a TLS handshake: the port speaks no TLS: write the scheme that is without it"},
		"no client certificate":  {httpsink.Options{URL: start(&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}), CAFile: ca.File}, false, "certificate required"},
		"bad client certificate": {httpsink.Options{URL: start(&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}), CAFile: ca.File, CertFile: wrongCert, KeyFile: wrongKey}, false, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, test.options)
			err := c.Probe(t.Context())
			if test.probe {
				require.ErrorContains(t, err, test.want)
				require.Equal(t, verdict.Hold, kind(err))
			} else {
				require.NoError(t, err)
			}
			_, err = c.Do(t.Context(), httpsink.Request{Method: http.MethodPost})
			require.ErrorContains(t, err, test.want)
			require.Equal(t, verdict.Hold, kind(err))
		})
	}
}

func TestProbeSendsNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", testserver.Address(testserver.Port(t))) // that nobody else gets when it is closed
	require.NoError(t, err)
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer conn.Close()
		text, _ := io.ReadAll(conn)
		got <- string(text)
	}()
	c := client(t, httpsink.Options{URL: "http://" + l.Addr().String() + "/secret"})
	require.NoError(t, c.Probe(t.Context()))
	require.Empty(t, <-got)
	require.NoError(t, l.Close())
	err = c.Probe(t.Context())
	require.ErrorContains(t, err, "test: probe http://"+l.Addr().String()+": no connection: dial tcp")
	require.Equal(t, verdict.Retry, kind(err))
}

// A proxy for CONNECT, as a company has.
type proxy struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []string
	status int // to answer with, instead of connecting
}

func newProxy(t *testing.T) *proxy {
	p := &proxy{}
	p.Server = server(t, p.handle)
	return p
}

func (p *proxy) handle(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	status := p.status
	p.mu.Unlock()
	if status != 0 || r.Method != http.MethodConnect {
		w.WriteHeader(max(status, 200))
		return
	}
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer to.Close()
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	go func() {
		_, _ = io.Copy(to, buffered)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}

func TestProxies(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	ca := write(t, filepath.Join(t.TempDir(), "ca.pem"), pemOf(s.Certificate()))
	host := strings.TrimPrefix(s.URL, "https://")
	p := newProxy(t)
	url1, err := url.Parse(p.URL)
	require.NoError(t, err)
	url1.User = url.UserPassword("u", "proxy-password")
	restore := httpsink.SetProxyFromEnvironment(func(*http.Request) (*url.URL, error) { return url1, nil })
	defer restore()

	do := func(c *httpsink.Client) error {
		_, err := c.Do(t.Context(), httpsink.Request{Method: http.MethodPost})
		return err
	}
	c := client(t, httpsink.Options{URL: s.URL, CAFile: ca, Proxy: "none"})
	require.NoError(t, do(c))
	require.Empty(t, p.requests())

	for _, name := range []string{"", "env", url1.String()} {
		c = client(t, httpsink.Options{URL: s.URL, CAFile: ca, Proxy: name})
		require.NoError(t, do(c))
		require.NoError(t, c.Probe(t.Context()))
	}
	require.Len(t, p.requests(), 6)
	require.Equal(t, "CONNECT "+host+" Basic dTpwcm94eS1wYXNzd29yZA==", p.requests()[5])
	c = client(t, httpsink.Options{URL: "http://" + host})
	require.NoError(t, do(c)) // http needs no CONNECT
	require.Equal(t, "POST "+host, strings.TrimSuffix(p.requests()[6], " Basic dTpwcm94eS1wYXNzd29yZA=="))

	// A refusal is for an operator, anything else may pass.
	for status, want := range map[int]verdict.Kind{407: verdict.Hold, 403: verdict.Hold, 502: verdict.Retry, 504: verdict.Retry} {
		p.status = status
		c = client(t, httpsink.Options{URL: s.URL, CAFile: ca})
		for _, err := range []error{do(c), c.Probe(t.Context())} {
			require.ErrorContains(t, err, fmt.Sprintf("the proxy answered %d %s", status, http.StatusText(status)))
			require.Equal(t, want, kind(err), status)
		}
	}

	restore()
	httpsink.SetProxyFromEnvironment(func(*http.Request) (*url.URL, error) {
		return nil, errors.New("invalid proxy address http://u:proxy-password@%%")
	})
	_, err = httpsink.New(httpsink.Options{Sink: "test", URL: s.URL})
	require.EqualError(t, err, "test: open "+s.URL+": proxy: HTTP_PROXY or HTTPS_PROXY is not the URL of a proxy")
}

func TestOptionsThatAreWrong(t *testing.T) {
	t.Setenv("HTTPSINK_EMPTY", "")
	t.Setenv("HTTPSINK_BAD", "a b")
	dir := t.TempDir()
	ca := testserver.NewAuthority(t, "ca")
	cert, key := ca.Issue("client")
	junk := write(t, filepath.Join(dir, "junk"), "hunter2-hunter2")
	empty := write(t, filepath.Join(dir, "empty"), "")
	for query, want := range map[string]string{
		"ca_file=" + dir + "/none": "ca_file: no such file",
		"ca_file=" + junk:          "ca_file: there is no certificate in it",
		"ca_file=" + dir:           "ca_file: it is a directory, a pipe or a device",
		"ca_file=":                 "ca_file: it is empty",
		"cert_file=" + cert:        "cert_file: it goes with key_file",
		"key_file=" + key:          "key_file: it goes with cert_file",
		"cert_file=" + cert + "&key_file=" + dir + "/none":            "key_file: no such file",
		"cert_file=" + dir + "/none&key_file=" + key:                  "cert_file: no such file",
		"cert_file=" + junk + "&key_file=" + key:                      "cert_file: with key_file: tls: failed to find any PEM data",
		"cert_file=" + ca.File + "&key_file=" + key:                   "cert_file: with key_file: tls: private key does not match",
		"token_file=" + dir + "/none":                                 "token_file: no such file",
		"token_file=" + empty:                                         "token_file: there is no token",
		"token_env=HTTPSINK_MISSING":                                  "token_env: the environment variable that it names is not set",
		"token_env=HTTPSINK_EMPTY":                                    "token_env: the environment variable that it names is not set",
		"token_env=HTTPSINK_BAD":                                      "token_env: the token has a blank",
		"token_env=PATH&token_file=" + junk:                           "token_env: there are other credentials",
		"token_file=" + junk + "&headers=authorization=hunter2":       "token_file: there are other credentials",
		"proxy=hunter2":                                               "proxy: neither env nor none",
		"proxy=ftp://hunter2":                                         "proxy: neither env nor none",
		"headers=A=1,a=2":                                             "headers: a header is there twice",
		"headers=A(=hunter2":                                          "headers: a name has a character",
		"headers=A=hunter%0A2":                                        "headers: a value has a line break",
		"headers=content-length=hunter2":                              "headers: Content-Length cannot be chosen",
		"headers=accept-encoding=hunter2":                             "headers: Accept-Encoding cannot be chosen",
		"headers=hunter2":                                             "headers: not a list",
		"compress=lzma":                                               "compress: not one of none, gzip, zstd",
		"compress=zstd":                                               `compress: zstd needs the import _ "github.com/fapilog/fapilog/zstd"`,
		"token_file=" + dir + "/none&ca_file=" + junk + "&proxy=none": "ca_file: there is no certificate",
	} {
		uri, err := registry.Parse("https://host/hunter2-path?" + query)
		require.NoError(t, err)
		o := httpsink.FromURI(uri, "https")
		o.Compress = uri.Text("compress", "")
		o.Check(uri)
		err = uri.Check()
		require.ErrorContains(t, err, "parameter "+want, query)
		for _, shown := range []string{"hunter2", dir} {
			require.NotContains(t, err.Error(), shown)
		}
	}
	for text, want := range map[string]string{
		"":                     "url: the scheme is neither",
		"ftp://h":              "url: the scheme is neither",
		"https://":             "url: there is no host",
		"https://a:1,b:2/":     "url: there is more than one host",
		"https://b\u00fccher/": "url: the host has letters that are not ASCII",
		"https://u:hunter2@h/": "url: it has user information",
		"https://h/#hunter2":   "url: it has a fragment",
		"https://h/@hunter2":   "url: it has a character that must be percent-encoded",
		"https://h/%zzhunter2": "url: it is malformed",
	} {
		_, err := httpsink.New(httpsink.Options{Sink: "test", URL: text})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := httpsink.New(httpsink.Options{Sink: "test", URL: "http://h", CAFile: ca.File, CertFile: cert, KeyFile: key, Token: "a\nb"})
	require.EqualError(t, err, "test: open http://h: token: the token has a blank, a line break or another character that no token has\n"+
		"test: open http://h: ca_file: there is no TLS in http: write https\n"+
		"test: open http://h: cert_file: there is no TLS in http: write https\n"+
		"test: open http://h: key_file: there is no TLS in http: write https")
}

func TestParametersOfURIs(t *testing.T) {
	t.Setenv("HTTPSINK_TOKEN", " t ")
	uri, err := registry.Parse("my+https://host:1/a%2Fb?headers=x-a=1,B=2&token_env=HTTPSINK_TOKEN&proxy=none")
	require.NoError(t, err)
	require.Equal(t, httpsink.Options{
		URL: "https://host:1/a%2Fb", TokenEnv: "HTTPSINK_TOKEN", Proxy: "none",
		Header: http.Header{"X-A": {"1"}, "B": {"2"}},
	}, httpsink.FromURI(uri, "https"))
	require.NoError(t, uri.Check())
	uri, err = registry.Parse("http://u%40:p%2F@host")
	require.NoError(t, err)
	require.Equal(t, httpsink.Options{URL: "http://host", Username: "u@", Password: "p/", Proxy: "env"}, httpsink.FromURI(uri, "http"))
	require.NoError(t, uri.Check())
}

// A time that is over is named, without the part of it that was over before.
func TestNoAnswerInTime(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // which connects, and says nothing
	require.NoError(t, err)
	defer l.Close()
	c := client(t, httpsink.Options{URL: "https://" + l.Addr().String()})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Do(ctx, httpsink.Request{Method: http.MethodPost})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Regexp(t, `^test: POST https://127\.0\.0\.1:[0-9]+: no answer within [0-9.]+.?s$`, err.Error())
	err = c.Probe(ctx) // whose time is over before it begins
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Regexp(t, `^test: probe https://127\.0\.0\.1:[0-9]+: no connection within 0s`, err.Error())

	for _, test := range [][2]time.Duration{
		{2998 * time.Millisecond, 3 * time.Second},
		{49_999 * time.Microsecond, 50 * time.Millisecond},
		{89_999 * time.Millisecond, 90 * time.Second},
		{99_990 * time.Millisecond, 100 * time.Second},
		{1500 * time.Millisecond, 1500 * time.Millisecond},
		{7, 7},
		{0, 0},
		{-5 * time.Second, 0},
	} {
		require.Equal(t, test[1], httpsink.Roundly(test[0]))
	}
}

// net/http goes on with a handshake when the request has been called off. Close
// ends it.
func TestCloseEndsHandshakes(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		_, _ = r.ReadByte()
		close(begun)
		_, _ = io.Copy(io.Discard, r) // the handshake gets no answer
	}()
	c := client(t, httpsink.Options{URL: "https://" + l.Addr().String()})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Do(ctx, httpsink.Request{Method: http.MethodPost})
		done <- err
	}()
	<-begun
	cancel()
	err = <-done
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "test: POST https://"+l.Addr().String()+": no answer before the sink was given up")
	require.NoError(t, c.Close())
	select {
	case <-ended:
	case <-time.After(5 * time.Second): // half of what the handshake may take
		t.Fatal("the connection is still open")
	}
	_, err = c.Do(t.Context(), httpsink.Request{Method: http.MethodPost})
	require.ErrorContains(t, err, "the sink is closed")
	require.ErrorContains(t, c.Probe(t.Context()), "the sink is closed")
}

// A request that must not be sent twice has a connection that nobody else uses.
func TestFreshConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var from []string
	s := server(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		from = append(from, r.RemoteAddr)
	})
	c := client(t, httpsink.Options{URL: s.URL})
	for _, fresh := range []bool{false, false, true, true, false} {
		_, err := c.Do(t.Context(), httpsink.Request{Method: http.MethodPost, Body: body(t, c, "x"), Fresh: fresh})
		require.NoError(t, err)
	}
	require.Equal(t, from[0], from[1])
	require.NotEqual(t, from[1], from[2])
	require.NotEqual(t, from[2], from[3])
	require.NotEqual(t, from[3], from[4])
}

// What a server sends after its answer, which may have the URL in it, net/http
// would print, were the connection kept.
func TestNothingIsReadAfterFreshRequest(t *testing.T) {
	var said bytes.Buffer
	log.SetOutput(&said)
	defer log.SetOutput(os.Stderr)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	over := make(chan struct{})
	go func() {
		defer close(over)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		r := bufio.NewReader(conn)
		if req, err := http.ReadRequest(r); err == nil {
			_, _ = io.Copy(io.Discard, req.Body)
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 /secret\r\n\r\n")
		_, _ = r.ReadByte() // until the client closes the connection
	}()
	c := client(t, httpsink.Options{URL: "http://" + listener.Addr().String() + "/secret"})
	answer, err := c.Do(t.Context(), httpsink.Request{Method: http.MethodPost, Body: body(t, c, "x"), Keep: 10, Fresh: true})
	require.NoError(t, err)
	require.Equal(t, "ok", string(answer.Body))
	<-over
	require.Empty(t, said.String())
}
