package redis_test

import (
	"bytes"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a relay does wrong.
type trouble string

const (
	nothing   trouble = ""
	cutBefore trouble = "cut before"        // closes connections instead of passing on what the client sends
	stall     trouble = "stall"             // passes nothing on
	garble    trouble = "garble"            // answers by itself, with something that is no answer
	loseAll   trouble = "lose all"          // closes the connection instead of passing on the answer to the first command
	loseSome  trouble = "lose some"         // passes on the answer to the first command, and closes the connection
	lastWords trouble = "has the last word" // answers by itself, with the error in words, and closes the connection
)

// A relay stands between a sink and its server.
type relay struct {
	address, server string
	words           string // what lastWords says

	mu      sync.Mutex // guards the following
	trouble trouble
	command string // the one that loseAll and loseSome are for, in lower case
	conns   map[net.Conn]bool
	closed  bool
	wg      sync.WaitGroup
}

func newRelay(t testing.TB, server string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{address: l.Addr().String(), server: server, conns: make(map[net.Conn]bool)}
	r.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			r.serve(client)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		r.cut()
		r.wg.Wait()
	})
	return r
}

// cut closes all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
	clear(r.conns)
}

func (r *relay) set(what trouble, command string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble, r.command = what, command
}

func (r *relay) now() (trouble, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble, r.command
}

func (r *relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = c.Close()
		return false
	}
	r.conns[c] = true
	return true
}

// serve serves one client.
func (r *relay) serve(client net.Conn) {
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		_ = client.Close()
		return
	}
	if !r.keep(client) || !r.keep(server) {
		_ = client.Close()
		_ = server.Close()
		return
	}
	var mu sync.Mutex
	sent := "" // the command that counts, once it was sent
	done := func() {
		_ = client.Close()
		_ = server.Close()
	}
	r.wg.Go(func() { // from the client to the server
		defer done()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				return
			}
			what, command := r.now()
			switch what {
			case stall:
				continue
			case cutBefore:
				return
			case garble:
				_, _ = client.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				return
			case lastWords:
				_, _ = client.Write([]byte(r.words + "\r\n"))
				return
			case loseAll, loseSome:
				if bytes.Contains(buf[:n], []byte(command)) {
					mu.Lock()
					sent = command
					mu.Unlock()
				}
			}
			// If the server does not want to read any more, it may have said why.
			_, _ = server.Write(buf[:n])
		}
	})
	r.wg.Go(func() { // and back
		defer done()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			what, _ := r.now()
			mu.Lock()
			counts := sent != ""
			mu.Unlock()
			if counts && what == loseAll {
				return
			}
			if counts && what == loseSome {
				first := bytes.SplitAfterN(buf[:n], []byte("\n"), 3)
				if buf[0] == '$' { // two lines
					_, _ = client.Write(first[0])
					_, _ = client.Write(first[1])
				} else {
					_, _ = client.Write(first[0])
				}
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
}
