package httpsink

import (
	"net/http"
	"net/url"
)

// SetProxyFromEnvironment replaces what reads the environment, which net/http
// does once per process, until the function returned is called.
func SetProxyFromEnvironment(f func(*http.Request) (*url.URL, error)) (restore func()) {
	old := fromEnvironment
	fromEnvironment = f
	return func() { fromEnvironment = old }
}

// Roundly is how the text of an error shows a duration.
var Roundly = roundly

// Bytes returns the body as it is sent.
func (b *Body) Bytes() []byte { return b.mem.data }

// Readers returns how many readers of the body there are.
func (b *Body) Readers() int { return int(b.mem.readers.Load()) }

// Open returns a reader, as a request has.
func (b *Body) Open() interface {
	Read([]byte) (int, error)
	Close() error
} {
	return b.mem.open()
}
