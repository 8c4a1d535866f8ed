package webhook_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// A strict server answers bodies that it refuses with one status, and keeps the
// others in order.
type strict struct {
	*httptest.Server
	mu   sync.Mutex
	kept []byte
}

func newStrict(t testing.TB, status int, refuse func(body []byte) bool) *strict {
	s := new(strict)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if refuse(body) {
			w.WriteHeader(status)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept = append(s.kept, body...)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *strict) body() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.kept)
}

func (s *strict) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = s.kept[:0]
}
