package httpsink

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/fapilog/fapilog/internal/compress"
)

// A Body is the memory in which one request body after the other is built:
//
//	b.Reset()
//	b.Write(line) // any number of times
//	err := b.Close()
//	answer, err := client.Do(ctx, Request{Body: b, ...})
//
// It is compressed if the client is to. A Body is for one goroutine, except
// that net/http may go on reading what was sent (see memory).
type Body struct {
	mem        *memory
	compressor compress.Writer // nil: none
	encoding   string          // for Content-Encoding
}

// keepBody is the size of the memory that is kept for the next body.
const keepBody = 4 << 20

// A memory has one body in it. The transport may read it after the request
// has failed or was answered early, and says with Close that it does not any
// more (http.RoundTripper: "Callers wanting to reuse the body for subsequent
// requests must wait for the Close call before doing so"). Until then, readers
// is not zero, and the memory is not written to again.
type memory struct {
	data    []byte
	readers atomic.Int32
}

// Reset begins a new body.
func (b *Body) Reset() {
	if b.mem == nil || b.mem.readers.Load() != 0 || cap(b.mem.data) > keepBody {
		b.mem = new(memory) // the readers keep the old one
	}
	b.mem.data = b.mem.data[:0]
	if b.compressor != nil {
		b.compressor.Reset((*appender)(b.mem))
	}
}

// Write adds to the body. p is copied.
func (b *Body) Write(p []byte) (int, error) {
	if b.compressor != nil {
		return b.compressor.Write(p)
	}
	b.mem.data = append(b.mem.data, p...)
	return len(p), nil
}

// Close ends the body. It can be sent then, as often as need be.
func (b *Body) Close() error {
	if b.compressor != nil {
		return b.compressor.Close()
	}
	return nil
}

// appender is a memory as the output of a compressor.
type appender memory

func (a *appender) Write(p []byte) (int, error) {
	a.data = append(a.data, p...)
	return len(p), nil
}

// open returns a reader of the whole body, which must be closed.
func (m *memory) open() io.ReadCloser {
	m.readers.Add(1)
	return &reader{mem: m, rest: m.data}
}

// A reader reads a body once. Transports close it while they read: the lock
// makes Close wait until that Read does not touch the memory any more.
type reader struct {
	mu   sync.Mutex
	mem  *memory // nil: closed
	rest []byte
}

var errBodyClosed = errors.New("read of a closed body")

func (r *reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mem == nil {
		return 0, errBodyClosed
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mem != nil {
		r.mem.readers.Add(-1)
		r.mem, r.rest = nil, nil
	}
	return nil
}
