package elasticsearch_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/slogtest"
)

// A gate stands before a server. It passes requests on, unless something else is
// to happen to those with documents.
type gate struct {
	Address string
	do      atomic.Pointer[http.HandlerFunc] // instead
	server  http.Handler
	bulks   atomic.Int64
}

func newGate(t *testing.T, e *testserver.Elasticsearch) *gate {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: e.Address})
	proxy.Transport = transport
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	g := &gate{server: proxy}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_bulk") {
			g.bulks.Add(1)
			if do := g.do.Load(); do != nil {
				(*do)(w, r)
				return
			}
		}
		g.server.ServeHTTP(w, r)
	}))
	g.Address = s.Listener.Addr().String()
	t.Cleanup(s.Close)
	return g
}

// set says what happens to requests; nil passes them on.
func (g *gate) set(do http.HandlerFunc) {
	if do == nil {
		g.do.Store(nil)
		return
	}
	g.do.Store(&do)
}

// answer answers without asking the server.
func answer(status int, header, value, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if header != "" {
			w.Header().Set(header, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// lose passes the request on and cuts the connection instead of answering.
func (g *gate) lose(_ http.ResponseWriter, r *http.Request) {
	g.server.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// half passes the request on, and passes on half of the answer.
func (g *gate) half(w http.ResponseWriter, r *http.Request) {
	whole := httptest.NewRecorder()
	g.server.ServeHTTP(whole, r)
	w.Header().Set("Content-Length", whole.Header().Get("Content-Length"))
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// stall takes the request and does not answer until the client gives up.
func stall(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // net/http notices the end of the connection after that
	<-r.Context().Done()
}

// fault is something that happens to requests.
func (g *gate) fault(name string, want slogtest.Verdict, do http.HandlerFunc) slogtest.Fault {
	return slogtest.Fault{Name: name, Want: want, Begin: func() { g.set(do) }, End: func() { g.set(nil) }}
}
