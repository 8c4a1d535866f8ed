package webhook_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/testserver"
)

// locked is a buffer for several goroutines.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Whatever a server does with what it was told, nothing of it is printed. Each
// secret is planted in a way of its own, and has the same word in it.
func TestNoSecretIsPrinted(t *testing.T) {
	const word = "hunter2"
	t.Setenv("WEBHOOK_TEST_TOKEN", "token-"+word)
	parameters := []string{
		"query=key%3D" + word + "-query", "headers=X-Key=header-" + word, "token_env=WEBHOOK_TEST_TOKEN",
	}
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"echo": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, r.RequestURI, " ", r.URL.Path, " ", r.Header)
		},
		"redirect to itself": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.RequestURI, http.StatusFound) },
		"no HTTP": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, r.RequestURI+" "+r.Header.Get("X-Key")+r.Header.Get("Authorization")+"\r\n\r\n")
				_ = conn.Close()
			}
		},
		"malformed header": func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+r.RequestURI+r.Header.Get("Authorization")+"\r\n\r\n")
				_ = conn.Close()
			}
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, userinfo := range []string{"", "user:" + word + "-password@"} {
			asked := make(chan struct{}, 100)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { asked <- struct{}{} }()
				_, _ = io.Copy(io.Discard, r.Body)
				answer(w, r)
			}))
			require.NoError(t, server.Listener.Close())
			var err error
			server.Listener, err = net.Listen("tcp", testserver.Address(testserver.Port(t))) // that nobody else gets when it is closed
			require.NoError(t, err)
			server.Start()
			uri := strings.Replace(server.URL, "//", "//"+userinfo, 1) + "/path-" + word + "?linger=1ms&" + strings.Join(parameters[:len(parameters)-min(len(userinfo), 1)], "&")
			said := new(locked)
			out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: said, ShutdownTimeout: 300 * time.Millisecond})
			require.NoError(t, err)
			logN(out, 1, "x")
			<-asked
			closing := out.Close()
			text := fmt.Sprintf("%s %v %+v %#v", said, closing, out.Stats().Sinks[0].LastError, out.Stats())
			require.NotContains(t, text, word, "%s: %s", name, userinfo)
			require.Contains(t, text, "webhook: POST "+server.URL+": ", name)
			server.Close()
			_, err = fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: said})
			require.ErrorContains(t, err, server.URL)
			require.NotContains(t, err.Error(), word)
		}
	}
}
