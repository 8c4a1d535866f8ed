package webhook_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/slogtest"
)

// requireDelivered closes the fan-out and checks that nginx has n records of
// logN, and that the account says so.
func requireDelivered(t *testing.T, out *fapilog.Fanout, n *testserver.Nginx, count int) {
	t.Helper()
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, count, st.Delivered)
	require.Zero(t, st.Dropped+st.Rejected+st.Pending)
	var records []map[string]any
	testserver.Wait(t, "the log of nginx, which is written after the answer", func() (err error) {
		if lines := n.Lines(); len(lines) != count {
			return os.ErrNotExist
		}
		records, err = slogtest.ParseJSON([]byte(strings.Join(n.Lines(), "\n") + "\n"))
		return err
	})
	requireAll(t, records, count)
}

func TestNginx(t *testing.T) {
	t.Parallel()
	n := testserver.StartNginx(t, testserver.NginxConfig{})
	out := open(t, n.URL("/in%2Fgest?compress=gzip&query=k%3Dv&success=204"))
	logN(out, 20_000, "x")
	requireDelivered(t, out, n, 20_000)
	r := n.Requests()[0]
	require.Equal(t, "/in%2Fgest?k=v", r.Target)
	require.Equal(t, "application/x-ndjson", r.ContentType)
	require.Equal(t, "gzip", r.Encoding)
	require.Equal(t, "fapilog", r.UserAgent)
	require.Less(t, len(r.Sent), len(r.Body)/5)
}

// Its default limit is 1 MiB, which the default batches stay under.
func TestNginxTooLarge(t *testing.T) {
	t.Parallel()
	n := testserver.StartNginx(t, testserver.NginxConfig{Server: "client_max_body_size 10k;"})
	out := open(t, n.URL("/"))
	logN(out, 1000, "x")
	requireDelivered(t, out, n, 1000)
	require.NotEmpty(t, statuses(n)[413])

	out = open(t, n.URL("/?linger=50ms"))
	log := slog.New(fapilog.Handler(out, nil))
	log.Info("before")
	log.Info("alone", "x", strings.Repeat("x", 20_000))
	log.Info("after")
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, 2, st.Delivered)
	require.EqualValues(t, 1, st.Rejected)

	n.Reconfigure(testserver.NginxConfig{Server: "client_max_body_size 1m;"})
	before := statuses(n)[413]
	out = open(t, n.URL("/"))
	logN(out, 20_000, strings.Repeat("some text ", 10))
	require.NoError(t, out.Close())
	require.EqualValues(t, 20_000, out.Stats().Sinks[0].Delivered)
	require.Equal(t, before, statuses(n)[413])
}

// statuses returns how often nginx has answered what.
func statuses(n *testserver.Nginx) map[int]int {
	count := make(map[int]int)
	for _, r := range n.Requests() {
		count[r.Status]++
	}
	return count
}

func TestNginxBasicAuthentication(t *testing.T) {
	t.Parallel()
	users := filepath.Join(testserver.Dir(t), "users")
	user := func(password string) {
		sum := sha1.Sum([]byte(password))
		require.NoError(t, os.WriteFile(users, []byte("app:{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\n"), 0o600))
	}
	user("old password")
	n := testserver.StartNginx(t, testserver.NginxConfig{Server: `auth_basic "logs"; auth_basic_user_file ` + users + ";"})
	out := open(t, strings.Replace(n.URL("/"), "//", "//app:p%40ss%2Fword@", 1))
	logN(out, 100, "x")
	n.WaitFor(401)
	user("p@ss/word")
	requireDelivered(t, out, n, 100)
}

func TestNginxBearerToken(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("expired"), 0o600))
	n := testserver.StartNginx(t, testserver.NginxConfig{Location: `if ($http_authorization != "Bearer fresh") { return 403; }`})
	out := open(t, n.URL("/?token_file="+token))
	logN(out, 100, "x")
	n.WaitFor(403)
	require.NoError(t, os.WriteFile(token, []byte("fresh\n"), 0o600))
	requireDelivered(t, out, n, 100)
}

func TestNginxTLS(t *testing.T) {
	t.Parallel()
	ca, strangers := testserver.NewAuthority(t, "ca"), testserver.NewAuthority(t, "strangers")
	cert, key := ca.Issue("server")
	n := testserver.StartNginx(t, testserver.NginxConfig{
		TLS:  true,
		HTTP: "ssl_certificate " + cert + "; ssl_certificate_key " + key + "; ssl_verify_client on; ssl_client_certificate " + ca.File + ";",
	})
	for _, parameters := range []string{"", "?ca_file=" + strangers.File} {
		_, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{n.URL("/secret" + parameters)}, Fallback: t.Output()})
		require.ErrorContains(t, err, "certificate")
		require.NotContains(t, err.Error(), "secret")
	}
	clientCert, clientKey := strangers.Issue("client")
	out := open(t, n.URL("/?ca_file="+ca.File+"&cert_file="+clientCert+"&key_file="+clientKey))
	logN(out, 100, "x")
	n.WaitFor(400) // "The SSL certificate error", which is not about the data
	goodCert, goodKey := ca.Issue("client")
	require.NoError(t, os.Rename(goodCert, clientCert))
	require.NoError(t, os.Rename(goodKey, clientKey))
	n.Reconfigure(testserver.NginxConfig{ // and with that, the connection is a new one
		TLS:  true,
		HTTP: "ssl_certificate " + cert + "; ssl_certificate_key " + key + "; ssl_verify_client on; ssl_client_certificate " + ca.File + ";",
	})
	requireDelivered(t, out, n, 100)
}

// With http to a port that expects https, nginx answers 400, which would be
// taken for a verdict on each of the records.
func TestNginxThatExpectsTLS(t *testing.T) {
	t.Parallel()
	ca := testserver.NewAuthority(t, "ca")
	cert, key := ca.Issue("server")
	n := testserver.StartNginx(t, testserver.NginxConfig{TLS: true, HTTP: "ssl_certificate " + cert + "; ssl_certificate_key " + key + ";"})
	out := open(t, "http://"+n.Address)
	logN(out, 3, "x")
	n.WaitFor(400)
	testserver.Wait(t, "the sink to be held", func() error {
		if st := out.Stats().Sinks[0]; st.State != fapilog.StateHeld {
			return os.ErrNotExist
		}
		return nil
	})
	require.Zero(t, out.Stats().Sinks[0].Rejected)
	n.Reconfigure(testserver.NginxConfig{})
	requireDelivered(t, out, n, 3)
}

func TestNginxThatLimitsTheRate(t *testing.T) {
	t.Parallel()
	n := testserver.StartNginx(t, testserver.NginxConfig{
		HTTP:     "limit_req_zone $binary_remote_addr zone=logs:1m rate=20r/s; limit_req_status 429;",
		Location: "limit_req zone=logs burst=2 nodelay;",
	})
	out := open(t, n.URL("/?batch=10"))
	logN(out, 150, "x")
	requireDelivered(t, out, n, 150)
	require.NotEmpty(t, statuses(n)[429])
}

// A receiver that is killed in the middle may get records twice, and none not
// at all.
func TestNginxThatIsKilled(t *testing.T) {
	t.Parallel()
	n := testserver.StartNginx(t, testserver.NginxConfig{})
	out := open(t, n.URL("/?batch=50&linger=1ms"))
	const count = 30_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		logN(out, count, "x")
	}()
	n.WaitFor(204)
	n.Kill()
	n.Restart()
	<-done
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, count, st.Delivered)
	require.Zero(t, st.Dropped+st.Rejected+st.Pending)

	// A body may be there twice, whole, or in part if nginx was killed meanwhile.
	seen := make(map[string]bool)
	for _, body := range n.Stored() {
		for line := range bytes.Lines(body) {
			if bytes.HasSuffix(line, []byte("\n")) {
				seen[string(line)] = true
			}
		}
	}
	require.Len(t, seen, count)
	sent := make(map[string][]byte)
	for _, r := range n.Requests() {
		if before, again := sent[r.Key]; again && r.Status == 204 {
			require.Equal(t, before, r.Sent)
		}
		sent[r.Key] = r.Sent
	}
}

// A connection that the server has closed while it was idle costs neither a
// record nor an error: net/http sends the request again.
func TestNginxThatClosesIdleConnections(t *testing.T) {
	t.Parallel()
	n := testserver.StartNginx(t, testserver.NginxConfig{Server: "keepalive_requests 2;"})
	out := open(t, n.URL("/?batch=1"))
	logN(out, 50, "x")
	requireDelivered(t, out, n, 50)
	require.Zero(t, out.Stats().Sinks[0].Retries)
}

// The URI's parameter and the environment lead through a proxy; here nginx is
// one for http.
func TestNginxAsProxy(t *testing.T) {
	t.Parallel()
	n := testserver.StartNginx(t, testserver.NginxConfig{})
	out, err := fapilog.New(t.Context(), fapilog.Config{
		Sinks: []string{"http://logs.invalid/path?proxy=" + n.URL("")}, Fallback: t.Output(), ShutdownTimeout: time.Minute,
	})
	require.NoError(t, err)
	logN(out, 10, "x")
	requireDelivered(t, out, n, 10)
}
