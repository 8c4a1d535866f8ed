package sinktest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/fapilog/fapilog/slogtest"
)

// A Gate stands before an HTTP server. It passes requests on, unless something
// else is to happen to them. Its methods may be called from several goroutines.
type Gate struct {
	URL     string       // http://host:port
	Address string       // host:port
	Asked   atomic.Int64 // requests with records

	do     atomic.Pointer[http.HandlerFunc] // instead
	server http.Handler
}

// NewGate returns a gate to the server at an address (host:port). Requests have
// records that records says so of; nil says so of all.
func NewGate(t testing.TB, address string, records func(*http.Request) bool) *Gate {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	g := &Gate{server: proxy}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if records == nil || records(r) {
			g.Asked.Add(1)
			if do := g.do.Load(); do != nil {
				(*do)(w, r)
				return
			}
		}
		g.Pass(w, r)
	}))
	g.URL, g.Address = s.URL, s.Listener.Addr().String()
	t.Cleanup(s.Close)
	return g
}

// Set says what happens to requests with records; nil passes them on.
func (g *Gate) Set(do http.HandlerFunc) {
	if do == nil {
		g.do.Store(nil)
		return
	}
	g.do.Store(&do)
}

// Pass passes a request on.
func (g *Gate) Pass(w http.ResponseWriter, r *http.Request) { g.server.ServeHTTP(w, r) }

// Fault is something that happens to requests.
func (g *Gate) Fault(name string, want slogtest.Verdict, do http.HandlerFunc) slogtest.Fault {
	return slogtest.Fault{Name: name, Want: want, Begin: func() { g.Set(do) }, End: func() { g.Set(nil) }}
}

// Lose passes the request on and cuts the connection instead of answering.
func (g *Gate) Lose(_ http.ResponseWriter, r *http.Request) {
	g.Pass(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// Half passes the request on, and half of the answer.
func (g *Gate) Half(w http.ResponseWriter, r *http.Request) {
	whole := httptest.NewRecorder()
	g.Pass(whole, r)
	w.Header().Set("Content-Length", whole.Header().Get("Content-Length"))
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// Stall takes the request and does not answer until the client gives up.
func Stall(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // net/http notices the end of the connection after that
	<-r.Context().Done()
}

// Answer answers without asking the server.
func Answer(status int, header, value, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if header != "" {
			w.Header().Set(header, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}
