package slogtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A Server is an HTTP server on the loopback interface that answers by a
// script: the first request with the first answer, the second with the second,
// and so on, and then each with the default answer, which is an empty 200, or
// with what a function makes of it. It keeps the requests.
//
// All methods may be called from several goroutines at once.
type Server struct {
	// URL is the address, as in http://127.0.0.1:1234.
	URL string
	// CertificatePEM is the certificate of a server that speaks TLS, and its own
	// authority, in the form that a file with trusted certificates has.
	CertificatePEM []byte

	server *httptest.Server
	closed chan struct{} // closed by Close
	close  sync.Once

	mu       sync.Mutex
	script   []Answer      // what is left of it
	fallback responder     // when the script is at its end
	requests []Request     // received so far
	more     chan struct{} // closed, and made anew, with each request
	released chan struct{} // closed, and made anew, by Release
}

// A Request is one that a [Server] has received.
type Request struct {
	Method string
	Path   string // with the query, as it was sent
	Header http.Header
	Raw    []byte // the body as it was sent
	Body   []byte // the body, decompressed if its Content-Encoding is gzip
	Answer Answer // what it was answered, with the status that was sent
}

// Accepted says that the server has taken what is in the request: its answer
// has a status from 200 to 299, whether or not that got to the client. So with
// [CutAfter] and a status of 200 the destination has the records, although the
// client cannot know. With [Malformed] it has not.
func (r Request) Accepted() bool { return r.Answer.accepts() }

// NewServer starts a server, to be closed at the end of the test.
func NewServer(t testing.TB, script ...Answer) *Server {
	t.Helper()
	s := newServer(script)
	s.server.Start()
	return s.started(t)
}

// NewTLSServer is NewServer for https. Clients must trust CertificatePEM. They
// may also connect to it under the name example.com.
func NewTLSServer(t testing.TB, script ...Answer) *Server {
	t.Helper()
	s := newServer(script)
	s.server.StartTLS()
	s.CertificatePEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
	return s.started(t)
}

func newServer(script []Answer) *Server {
	s := &Server{
		script:   slices.Clone(script),
		closed:   make(chan struct{}),
		more:     make(chan struct{}),
		released: make(chan struct{}),
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients that break off are part of the test
	return s
}

func (s *Server) started(t testing.TB) *Server {
	s.URL = s.server.URL
	t.Cleanup(s.Close)
	return s
}

// Requests returns the requests that have been received with their bodies, in
// that order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Await waits until n requests have been received since the server was started,
// or ctx has ended, and returns them or the error of ctx.
func (s *Server) Await(ctx context.Context, n int) ([]Request, error) {
	for {
		s.mu.Lock()
		requests, more := slices.Clone(s.requests), s.more
		s.mu.Unlock()
		if len(requests) >= n {
			return requests, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return requests, fmt.Errorf("slogtest: await request %d: %d were received: %w", n, len(requests), ctx.Err())
		}
	}
}

// SetDefault sets the answer for requests after the end of the script, in the
// place of that or of the function before.
func (s *Server) SetDefault(a Answer) { s.setFallback(responder{answer: a}) }

// Handle sets a function that answers the requests after the end of the script,
// in the place of the default answer or of the function before. It is for
// answers that depend on the request: one with a verdict for each record, or
//
//	server.Handle(func(r slogtest.Request) slogtest.Answer {
//		if bytes.Count(r.Body, []byte("\n")) > 2 {
//			return slogtest.Answer{Status: http.StatusRequestEntityTooLarge}
//		}
//		return slogtest.Answer{}
//	})
//
// f gets the request without its Answer, before it is among [Server.Requests],
// and may be called from several goroutines at once. Handle(nil) brings back the
// empty 200.
func (s *Server) Handle(f func(Request) Answer) { s.setFallback(responder{handle: f}) }

func (s *Server) setFallback(r responder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fallback = r
}

// A responder has the answer for a request, or a function that makes it.
type responder struct {
	answer Answer
	handle func(Request) Answer // nil: answer
}

// Script adds answers to the end of the script.
func (s *Server) Script(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, answers...)
}

// Release ends the waiting of the requests that are being answered with
// [Stall]. Those that come later wait for another Release.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.released)
	s.released = make(chan struct{})
}

// Fault returns the fault that the server answers with a while it lasts,
// instead of its default answer or its function. It is one that hangs if a is a
// [Stall], and one that may have delivered if a accepts the request (see
// [Request.Accepted]).
func (s *Server) Fault(name string, a Answer, want Verdict) Fault {
	var before responder
	return Fault{
		Name: name,
		Begin: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			before, s.fallback = s.fallback, responder{answer: a}
		},
		End: func() {
			s.setFallback(before)
			s.Release()
		},
		Want:     want,
		Hangs:    a.Trouble == Stall,
		Delivers: a.accepts(),
	}
}

// Close closes the server and all connections to it, also those with requests
// that are still being answered. Further calls do nothing.
func (s *Server) Close() {
	s.close.Do(func() {
		close(s.closed)
		_ = s.server.Listener.Close() // so that there are no new connections; it is closed again below
		s.server.CloseClientConnections()
		s.server.Close()
	})
}

// serve answers a request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	by, released := s.fallback, s.released
	if len(s.script) > 0 {
		by, s.script = responder{answer: s.script[0]}, s.script[1:]
	}
	s.mu.Unlock()
	if by.handle == nil && by.answer.Trouble == CutBefore {
		panic(http.ErrAbortHandler)
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has left
	}
	request := Request{
		Method: r.Method,
		Path:   r.RequestURI,
		Header: r.Header.Clone(),
		Raw:    raw,
		Body:   decompress(r.Header, raw),
	}
	a := by.answer
	if by.handle != nil {
		if a = by.handle(request); a.Trouble == CutBefore {
			panic(http.ErrAbortHandler)
		}
	}
	a.Status = a.status()
	request.Answer = a
	s.received(request)
	if a.Trouble == Stall {
		select {
		case <-released:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-s.closed:
			panic(http.ErrAbortHandler)
		}
	}
	a.write(w, s.closed)
}

func (s *Server) received(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	close(s.more)
	s.more = make(chan struct{})
}

// decompress returns the body of a request, or what there is of it.
func decompress(h http.Header, raw []byte) []byte {
	if !strings.EqualFold(h.Get("Content-Encoding"), "gzip") {
		return raw
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	body, _ := io.ReadAll(z) // a body that is cut off shows in the test that expects it
	return body
}

// write writes the answer, in whatever way it is to be wrong.
func (a Answer) write(w http.ResponseWriter, closed <-chan struct{}) {
	maps.Copy(w.Header(), a.Header)
	switch a.Trouble {
	case CutAfter:
		panic(http.ErrAbortHandler)
	case Malformed:
		hijack(w, "THIS IS NOT HTTP\r\n\r\n")
		return
	case Truncate:
		w.Header().Set("Content-Length", strconv.Itoa(2*len(a.Body)+1))
	}
	w.WriteHeader(a.Status)
	_, err := io.WriteString(w, a.Body)
	switch a.Trouble {
	case Truncate:
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case Endless:
		chunk := bytes.Repeat([]byte("endless "), 1<<12)
		for err == nil {
			select {
			case <-closed:
				panic(http.ErrAbortHandler)
			default:
				_, err = w.Write(chunk)
			}
		}
	}
}

// hijack writes text to the connection and closes it.
func hijack(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(conn, text) // the client may have left
	_ = conn.Close()
}
