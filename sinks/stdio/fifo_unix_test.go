//go:build unix

package stdio_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fapilog/fapilog/sinks/stdio"
	"github.com/fapilog/fapilog/slogtest"
)

// A named pipe is read by a program that can stall, or exit and be started
// again.
func TestConformanceOfPipes(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		p := newFIFO(t)
		w, err := os.OpenFile(p.path, os.O_WRONLY, 0)
		require.NoError(t, err)
		sink, err := stdio.New(w, stdio.Options{Format: stdio.JSON})
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return slogtest.Subject{
			Sink:    sink,
			Records: func() ([]map[string]any, error) { return slogtest.ParseJSON(p.text(t)) },
			Faults: []slogtest.Fault{
				{Name: "the reader stalls", Begin: func() { p.stall(t) }, End: p.start, Want: slogtest.RetryAfter, Hangs: true},
				{Name: "the reader exits", Begin: func() { p.exit(t) }, End: func() { p.open(t); p.start() }, Want: slogtest.Permanent},
			},
		}
	})
}

// A fifo is a named pipe with a reader. Lines that are blank, or marks, are its
// own.
type fifo struct {
	path string
	r, w *os.File
	done chan struct{} // the reader is not at work

	mu     sync.Mutex
	got    []byte
	marks  int
	marked *sync.Cond
}

const mark = "mark\n"

func newFIFO(t *testing.T) *fifo {
	t.Helper()
	p := &fifo{path: filepath.Join(t.TempDir(), "fifo")}
	p.marked = sync.NewCond(&p.mu)
	require.NoError(t, unix.Mkfifo(p.path, 0o600))
	p.open(t)
	var err error
	p.w, err = os.OpenFile(p.path, os.O_WRONLY, 0)
	require.NoError(t, err)
	p.start()
	t.Cleanup(func() {
		p.stop()
		assert.NoError(t, p.r.Close())
		assert.NoError(t, p.w.Close())
	})
	return p
}

func (p *fifo) open(t *testing.T) {
	var err error
	p.r, err = os.OpenFile(p.path, os.O_RDONLY|unix.O_NONBLOCK, 0) // without waiting for a writer
	assert.NoError(t, err)
}

func (p *fifo) start() {
	p.done = make(chan struct{})
	go func(r *os.File) {
		defer close(p.done)
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			p.take(buf[:n])
			if err != nil {
				return
			}
		}
	}(p.r)
}

func (p *fifo) take(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, text...)
	if n := bytes.Count(p.got, []byte(mark)); n > p.marks {
		p.marks = n
		p.marked.Broadcast()
	}
}

// stop ends the reading and leaves the pipe open.
func (p *fifo) stop() {
	_ = p.r.SetReadDeadline(time.Unix(1, 0))
	<-p.done
	_ = p.r.SetReadDeadline(time.Time{})
}

// text returns what was written before the call.
func (p *fifo) text(t *testing.T) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.marks
	_, err := p.w.WriteString(mark)
	if assert.NoError(t, err) {
		for p.marks == before {
			p.marked.Wait()
		}
	}
	var own []byte
	for line := range bytes.Lines(p.got) {
		if string(line) != mark && len(bytes.TrimSpace(line)) > 0 {
			own = append(own, line...)
		}
	}
	return own
}

// stall leaves a pipe that is full.
func (p *fifo) stall(t *testing.T) {
	p.text(t)
	p.stop()
	conn, err := p.w.SyscallConn()
	assert.NoError(t, err)
	assert.NoError(t, conn.Write(func(fd uintptr) bool {
		for _, filler := range [][]byte{append(bytes.Repeat([]byte{' '}, 4095), '\n'), {'\n'}} {
			for err = nil; err == nil; {
				_, err = unix.Write(int(fd), filler)
			}
		}
		return true
	}))
	assert.ErrorIs(t, err, unix.EAGAIN)
}

// exit leaves a pipe without a reader.
func (p *fifo) exit(t *testing.T) {
	p.text(t)
	p.stop()
	assert.NoError(t, p.r.Close())
}
