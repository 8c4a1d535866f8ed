package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// toForgetful has the senders to Loki without what Loki does: what is left is
// what they can send.
var toForgetful = destination{
	name:  "Loki's API, and a server that forgets",
	goals: toLoki.goals,
	start: func(t testing.TB, burst int) (*field, error) {
		f := &forgetful{counts: map[string]uint64{}}
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		return lokiField(strings.TrimPrefix(server.URL, "http://"), ", in this process", burst, f.count), nil
	},
}

// forgetful is a Loki that counts the entries of the streams that it gets.
type forgetful struct {
	mu     sync.Mutex
	counts map[string]uint64 // by app
}

func (f *forgetful) count(app string) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[app]
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		body, err = snappy.Decode(nil, body)
	}
	if err == nil && len(body) > 0 { // the sink's probe has no stream
		err = f.add(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// add counts the entries of a request, which has one stream:
//
//	message PushRequest { repeated Stream streams = 1; }
//	message Stream      { string labels = 1; repeated Entry entries = 2; }
func (f *forgetful) add(request []byte) error {
	stream, _, err := lengthField(request)
	if err != nil {
		return err
	}
	labels, entries, err := lengthField(stream)
	if err != nil {
		return err
	}
	_, app, _ := strings.Cut(string(labels), `app="`)
	app, _, _ = strings.Cut(app, `"`)
	n := uint64(0)
	for ; len(entries) > 0; n++ {
		if _, entries, err = lengthField(entries); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[app] += n
	return nil
}

// lengthField returns the first field of a message, and the others.
func lengthField(message []byte) (value, rest []byte, err error) {
	_, _, n := protowire.ConsumeTag(message)
	if n < 0 {
		return nil, nil, fmt.Errorf("read a tag: %w", protowire.ParseError(n))
	}
	value, m := protowire.ConsumeBytes(message[n:])
	if m < 0 {
		return nil, nil, fmt.Errorf("read a field: %w", protowire.ParseError(m))
	}
	return value, message[n+m:], nil
}
