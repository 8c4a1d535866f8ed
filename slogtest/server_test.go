package slogtest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/slogtest"
)

// client returns an HTTP client that leaves nothing behind.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// post posts a body, and returns the status, and the body of the answer.
func post(ctx context.Context, c *http.Client, url, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(text), err
}

func TestServerFollowsItsScript(t *testing.T) {
	t.Parallel()
	s := slogtest.NewServer(t, slogtest.Answer{Status: 503, Header: http.Header{"Retry-After": {"1"}}, Body: "busy"})
	s.Script(slogtest.Answer{Status: 204})
	s.SetDefault(slogtest.Answer{Body: "default"})
	c := client(t)
	for i, want := range []struct {
		status int
		body   string
	}{{503, "busy"}, {204, ""}, {200, "default"}, {200, "default"}} {
		status, body, err := post(t.Context(), c, s.URL+"/a%2Fb?c=d", fmt.Sprint(i))
		require.NoError(t, err)
		require.Equal(t, want.status, status)
		require.Equal(t, want.body, body)
	}
	requests := s.Requests()
	require.Len(t, requests, 4)
	for i, r := range requests {
		require.Equal(t, "POST", r.Method)
		require.Equal(t, "/a%2Fb?c=d", r.Path)
		require.Equal(t, fmt.Sprint(i), string(r.Body))
		require.Equal(t, i > 0, r.Accepted())
	}
}

func TestServerDecompresses(t *testing.T) {
	t.Parallel()
	s := slogtest.NewServer(t)
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, err := z.Write([]byte("hello"))
	require.NoError(t, errors.Join(err, z.Close()))
	for _, sent := range []string{body.String(), "not gzip"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL, strings.NewReader(sent))
		require.NoError(t, err)
		req.Header.Set("Content-Encoding", "gzip")
		resp, err := client(t).Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	requests := s.Requests()
	require.Equal(t, "hello", string(requests[0].Body))
	require.Equal(t, body.Bytes(), requests[0].Raw)
	require.Empty(t, requests[1].Body)
	require.Equal(t, "not gzip", string(requests[1].Raw))
}

func TestServerInTrouble(t *testing.T) {
	t.Parallel()
	for trouble, want := range map[slogtest.Trouble]struct {
		received bool
		err      string
	}{
		slogtest.CutBefore: {false, ""},
		slogtest.CutAfter:  {true, ""},
		slogtest.Truncate:  {true, "unexpected EOF"},
		slogtest.Malformed: {true, "malformed HTTP"},
	} {
		for _, start := range []func(testing.TB, ...slogtest.Answer) *slogtest.Server{slogtest.NewServer, slogtest.NewTLSServer} {
			s := start(t, slogtest.Answer{Body: "half", Trouble: trouble})
			c := client(t)
			trust(t, c, s)
			_, body, err := post(t.Context(), c, s.URL, "x")
			require.ErrorContains(t, err, want.err, trouble)
			require.Equal(t, want.received, len(s.Requests()) == 1, trouble)
			if trouble == slogtest.Truncate {
				require.Equal(t, "half", body)
			}
			_, _, err = post(t.Context(), c, s.URL, "x")
			require.NoError(t, err, "the next one")
		}
	}
}

// trust makes a client trust the certificate of a server.
func trust(t *testing.T, c *http.Client, s *slogtest.Server) {
	t.Helper()
	if s.CertificatePEM == nil {
		return
	}
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(s.CertificatePEM))
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool}
}

func TestServerNeedsTrust(t *testing.T) {
	t.Parallel()
	s := slogtest.NewTLSServer(t)
	_, _, err := post(t.Context(), client(t), s.URL, "x")
	require.ErrorContains(t, err, "certificate")
	require.Empty(t, s.Requests())
}

func TestServerWithoutEnd(t *testing.T) {
	t.Parallel()
	s := slogtest.NewServer(t, slogtest.Answer{Trouble: slogtest.Endless})
	_, body, err := post(t.Context(), client(t), s.URL, "x")
	require.NoError(t, err)
	require.Len(t, body, 1<<20, "what the client reads at most")
}

func TestServerStalls(t *testing.T) {
	t.Parallel()
	s := slogtest.NewServer(t)
	s.SetDefault(slogtest.Answer{Status: 202, Trouble: slogtest.Stall})
	c := client(t)
	ask := func(ctx context.Context) <-chan error {
		answered := make(chan error, 1)
		go func() {
			status, _, err := post(ctx, c, s.URL, "x")
			if err == nil && status != 202 {
				err = fmt.Errorf("status %d", status)
			}
			answered <- err
		}()
		return answered
	}
	answered := ask(t.Context())
	_, err := s.Await(t.Context(), 1)
	require.NoError(t, err)
	s.Release()
	require.NoError(t, <-answered)

	ctx, cancel := context.WithCancel(t.Context())
	answered = ask(ctx)
	requests, err := s.Await(t.Context(), 2)
	require.NoError(t, err)
	require.Len(t, requests, 2)
	cancel()
	require.ErrorIs(t, <-answered, context.Canceled)

	_, err = s.Await(ctx, 3)
	require.EqualError(t, err, "slogtest: await request 3: 2 were received: context canceled")
}

// Clients that hang, whoever they wait for, do not keep a server from closing.
// That nothing is left is for goleak to see.
func TestServerClosesWithHangingClients(t *testing.T) {
	t.Parallel()
	s := slogtest.NewServer(t, slogtest.Answer{Trouble: slogtest.Stall}, slogtest.Answer{Trouble: slogtest.Endless})
	var conns []net.Conn
	for _, sent := range []string{
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
		"POST / HT",
		"",
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte(sent))
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	_, err := s.Await(t.Context(), 2)
	require.NoError(t, err)
	s.Close()
	s.Close()
	for _, conn := range conns {
		_, _ = io.Copy(io.Discard, conn) // returns: the server has closed it
	}
}

func TestFaultOfServer(t *testing.T) {
	t.Parallel()
	s := slogtest.NewServer(t)
	s.SetDefault(slogtest.Answer{Status: 204})
	f := s.Fault("busy", slogtest.Answer{Status: 429}, slogtest.Retry)
	require.Equal(t, slogtest.Fault{Name: "busy", Want: slogtest.Retry}, slogtest.Fault{Name: f.Name, Want: f.Want, Hangs: f.Hangs, Delivers: f.Delivers})
	c := client(t)
	ask := func() int {
		status, _, err := post(t.Context(), c, s.URL, "x")
		require.NoError(t, err)
		return status
	}
	f.Begin()
	require.Equal(t, 429, ask())
	f.End()
	require.Equal(t, 204, ask())
	f = s.Fault("stall", slogtest.Answer{Trouble: slogtest.Stall}, slogtest.Retry)
	require.True(t, f.Hangs)
	require.True(t, f.Delivers)
	require.False(t, s.Fault("cut", slogtest.Answer{Trouble: slogtest.CutBefore}, slogtest.Retry).Delivers)
}

// Answers may depend on the request, and a fault takes the place of what makes
// them.
func TestServerHandles(t *testing.T) {
	t.Parallel()
	s := slogtest.NewServer(t, slogtest.Answer{Body: "scripted"})
	s.Handle(func(r slogtest.Request) slogtest.Answer {
		switch string(r.Body) {
		case "large":
			return slogtest.Answer{Status: 413}
		case "cut":
			return slogtest.Answer{Trouble: slogtest.CutBefore}
		default:
			return slogtest.Answer{Body: r.Method + " " + r.Path + " " + string(r.Body)}
		}
	})
	c := client(t)
	ask := func(body string) (int, string) {
		status, answer, err := post(t.Context(), c, s.URL+"/path", body)
		require.NoError(t, err)
		return status, answer
	}
	requireAnswer := func(body string, status int, answer string) {
		t.Helper()
		gotStatus, gotAnswer := ask(body)
		require.Equal(t, status, gotStatus)
		require.Equal(t, answer, gotAnswer)
	}
	requireAnswer("x", 200, "scripted")
	requireAnswer("x", 200, "POST /path x")
	requireAnswer("large", 413, "")
	_, _, err := post(t.Context(), c, s.URL, "cut")
	require.Error(t, err)
	f := s.Fault("busy", slogtest.Answer{Status: 429}, slogtest.RetryAfter)
	f.Begin()
	requireAnswer("x", 429, "")
	f.End()
	requireAnswer("y", 200, "POST /path y")
	s.Handle(nil)
	requireAnswer("large", 200, "")
	var statuses []int
	for _, r := range s.Requests() {
		statuses = append(statuses, r.Answer.Status)
	}
	require.Equal(t, []int{200, 200, 413, 429, 200, 200}, statuses)
}

// What has the records although the client cannot know it, and what has not.
func TestAccepted(t *testing.T) {
	t.Parallel()
	for trouble, want := range map[slogtest.Trouble]bool{
		"":                 true,
		slogtest.CutAfter:  true,
		slogtest.Stall:     true,
		slogtest.Truncate:  true,
		slogtest.Malformed: false,
	} {
		require.Equal(t, want, slogtest.Request{Answer: slogtest.Answer{Trouble: trouble}}.Accepted(), trouble)
		require.False(t, slogtest.Request{Answer: slogtest.Answer{Status: 503, Trouble: trouble}}.Accepted(), trouble)
	}
}

func ExampleServer() {
	// In a test, t is the test.
	t := new(exampleT)
	defer t.end()

	server := slogtest.NewServer(t, slogtest.Answer{Status: http.StatusServiceUnavailable})
	for range 2 {
		resp, err := http.Post(server.URL+"/logs", "text/plain", strings.NewReader("hello"))
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	for _, r := range server.Requests() {
		fmt.Printf("%s %s %s %v\n", r.Method, r.Path, r.Body, r.Accepted())
	}
	// Output:
	// 503 Service Unavailable
	// 200 OK
	// POST /logs hello false
	// POST /logs hello true
}

// An exampleT is what an example has instead of a test.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (t *exampleT) Helper()          {}
func (t *exampleT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *exampleT) end() {
	for _, f := range t.cleanups {
		f()
	}
}
