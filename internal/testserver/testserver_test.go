package testserver_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post sends a request over a connection of its own.
func post(t *testing.T, url, key, body string, config *tls.Config) (int, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Content-Type", "text/plain")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func TestNginxKeepsWhatItGets(t *testing.T) {
	t.Parallel()
	n := testserver.StartNginx(t, testserver.NginxConfig{Server: "client_max_body_size 10;"})
	for _, r := range []struct {
		key, body string
		status    int
	}{{"1", "a\nb\n", 204}, {"1", "a\nb\n", 204}, {"2", "larger than 10 bytes", 413}, {"3", "c\n", 204}} {
		status, err := post(t, n.URL("/x%2Fy?z=1"), r.key, r.body, nil)
		require.NoError(t, err)
		require.Equal(t, r.status, status)
	}
	n.WaitFor(413)
	requests(t, n, 4)
	n.Kill()
	_, err := post(t, n.URL("/"), "", "", nil)
	require.Error(t, err)
	n.Restart()
	_, err = post(t, n.URL("/"), "4", "d", nil)
	require.NoError(t, err)

	requests(t, n, 5)
	require.Equal(t, []string{"a", "b", "c", "d"}, n.Lines())
	first, tooLarge := n.Requests()[0], n.Requests()[0]
	for _, r := range n.Requests() { // in the order of the log, which is that of their ends
		switch r.Key {
		case "1":
			first = r
		case "2":
			tooLarge = r
		}
	}
	require.Equal(t, "a\nb\n", string(first.Sent))
	require.Equal(t, "/x%2Fy?z=1", first.Target)
	require.Equal(t, "POST", first.Method)
	require.Equal(t, "text/plain", first.ContentType)
	require.Equal(t, 413, tooLarge.Status)
	require.Nil(t, tooLarge.Sent)
	require.Equal(t, "a\nb\n a\nb\n c\n d", string(bytes.Join(n.Stored(), []byte(" "))))
}

// requests waits for the log, which nginx writes after it has answered.
func requests(t *testing.T, n *testserver.Nginx, count int) {
	t.Helper()
	testserver.Wait(t, "requests in the log", func() error {
		if got := len(n.Requests()); got != count {
			return fmt.Errorf("there are %d, not %d", got, count)
		}
		return nil
	})
}

func TestNginxWithTLS(t *testing.T) {
	t.Parallel()
	ca := testserver.NewAuthority(t, "ca")
	cert, key := ca.Issue("server")
	n := testserver.StartNginx(t, testserver.NginxConfig{
		TLS:    true,
		Server: "ssl_certificate " + cert + "; ssl_certificate_key " + key + "; ssl_verify_client on; ssl_client_certificate " + ca.File + ";",
	})
	pem, err := os.ReadFile(ca.File)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	pair, err := tls.LoadX509KeyPair(ca.Issue("client"))
	require.NoError(t, err)

	status, err := post(t, n.URL("/"), "", "x", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	require.Equal(t, 204, status)
	status, err = post(t, n.URL("/"), "", "x", &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	require.Equal(t, 400, status)
	_, err = post(t, n.URL("/"), "", "x", &tls.Config{RootCAs: x509.NewCertPool()})
	require.Error(t, err)
}
