package postgres_test

import (
	"io"
	"net"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A proxy stands between the sink and the server, and can fail.
type proxy struct {
	Address string

	server   string
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	mode  mode
	ice   chan struct{} // until it is closed, what the server sends is not passed on
	conns map[net.Conn]bool
	deaf  []net.Conn // those of the mode silent, until the end
}

type mode int

const (
	passing  mode = iota
	refusing      // connections are closed at once
	stalling      // nothing is passed on, in either direction
	silent        // as stalling, and those connections remain so when the mode changes
	losing        // what the client sends gets to the server, and the answer does not come back: the connection is cut
)

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Address: l.Addr().String(), server: server, listener: l, conns: make(map[net.Conn]bool)}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.set(refusing)
		p.thaw()
		_ = l.Close()
		p.wg.Wait()
		for _, c := range p.deaf {
			_ = c.Close()
		}
	})
	return p
}

// set changes the mode, which cuts all connections.
func (p *proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

func (p *proxy) mend()        { p.set(passing) }
func (p *proxy) refuse()      { p.set(refusing) }
func (p *proxy) stall()       { p.set(stalling) }
func (p *proxy) loseAnswers() { p.set(losing) }

// freeze keeps back what the server sends on all connections, and thaw passes it on.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ice = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ice != nil {
		close(p.ice)
		p.ice = nil
	}
}

// frozen returns what is to be waited for.
func (p *proxy) frozen() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ice != nil {
		return p.ice
	}
	none := make(chan struct{})
	close(none)
	return none
}

// unanswered returns how many connections were made in the mode silent.
func (p *proxy) unanswered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.deaf)
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		m := p.mode
		if m == refusing {
			_ = client.Close()
			p.mu.Unlock()
			continue
		}
		if m == silent {
			p.deaf = append(p.deaf, client)
			p.mu.Unlock()
			continue
		}
		p.conns[client] = true
		p.mu.Unlock()
		if m == stalling {
			continue // until the mode changes
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			p.set(m)
			continue
		}
		p.mu.Lock()
		p.conns[server] = true
		p.mu.Unlock()
		p.wg.Go(func() { p.forward(client, server) })
		p.wg.Go(func() { p.back(client, server, m) })
	}
}

// forward passes on what the client sends, and then closes both, but for a
// proxy that loses answers: the server's connection is closed when it has
// answered.
func (p *proxy) forward(client, server net.Conn) {
	_, _ = io.Copy(server, client)
	_ = client.Close()
	if c, ok := server.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}

// back passes on what the server sends. In the mode losing, the answer to the
// first COPY or INSERT that has succeeded is not: everything is cut in its place.
func (p *proxy) back(client, server net.Conn, m mode) {
	defer client.Close()
	defer server.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := server.Read(buf)
		if m == losing && succeeded(buf[:n]) {
			return
		}
		<-p.frozen()
		if _, failed := client.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}

// written is the message CommandComplete of the server for rows that were written.
var written = regexp.MustCompile(`C\x00\x00\x00.(COPY|INSERT 0) \d+\x00`)

// succeeded reports whether messages of the server say that rows were written.
func succeeded(messages []byte) bool { return written.Match(messages) }
