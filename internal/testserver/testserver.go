// Package testserver runs real servers for tests: as child processes, on free
// ports of the loopback interface, with their files in temporary directories.
//
// A test is skipped if the server's program is not installed, and fails for
// that if the environment variable CI is true: there, everything has to run.
package testserver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	readyWithin = 2 * time.Minute  // until a server takes connections
	stopWithin  = 10 * time.Second // from asking a server to end to killing it
	poll        = 5 * time.Millisecond
)

// Find returns the path of a program, or skips the test, saying what to
// install.
func Find(t testing.TB, program, install string) string {
	t.Helper()
	// Servers are in directories that are often not in the PATH of users.
	for _, name := range []string{program, "/usr/sbin/" + program, "/usr/local/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing := fmt.Sprintf("%s is not installed: %s", program, install)
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// ports that were handed out, so that two servers of one process do not get the
// same one.
var ports = struct {
	sync.Mutex
	taken map[int]bool
}{taken: make(map[int]bool)}

// Port returns a free port of the loopback interface. It is below those that
// the system chooses for connections (net.ipv4.ip_local_port_range begins at
// 32768, IANA's dynamic ports at 49152), so that a server that was stopped
// finds it free again.
func Port(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := 15000 + rand.IntN(17000)
		if ports.taken[port] {
			continue
		}
		l, err := net.Listen("tcp", Address(port))
		if err != nil {
			continue
		}
		l.Close()
		ports.taken[port] = true
		return port
	}
	t.Fatal("there is no free port")
	return 0
}

// Address returns the address of a port of the loopback interface.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Dir returns a new directory with a short path, for there to be sockets in:
// those of Unix have paths of at most 107 characters. It is removed at the end
// of the test.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Wait waits until ready returns nil, and fails the test if that takes too
// long. For servers: connections are taken when [net.Dial] succeeds.
func Wait(t testing.TB, what string, ready func() error) {
	t.Helper()
	deadline := time.Now().Add(readyWithin)
	for {
		err := ready()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, readyWithin, err)
		}
		time.Sleep(poll)
	}
}

// Listening returns an error if nobody takes connections at a TCP address.
func Listening(address string) error {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// A Process is a server that runs as a child process, and can be stopped and
// started again. Its methods are for the goroutine of the test.
type Process struct {
	t       testing.TB
	name    string
	args    []string
	address string
	cmd     *exec.Cmd
	out     *output
	ended   chan struct{} // closed when cmd has ended
}

// Start starts a program in the foreground and waits until it takes connections
// at a TCP address. It is stopped at the end of the test, and what it printed is
// logged if the test has failed.
func Start(t testing.TB, address, program string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, name: program, args: args, address: address, out: new(output)}
	t.Cleanup(func() {
		p.Stop()
		if text := p.out.String(); t.Failed() && text != "" {
			t.Logf("%s printed:\n%s", p.name, text)
		}
	})
	p.Restart()
	return p
}

// Restart starts the process, after it was stopped or killed.
func (p *Process) Restart() {
	p.t.Helper()
	p.Stop()
	p.cmd = exec.Command(p.name, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	endWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(p.cmd, p.ended)
	Wait(p.t, "start "+p.name, func() error {
		select {
		case <-p.ended:
			p.t.Fatalf("%s has ended at once: %s", p.name, p.out)
		default:
		}
		return Listening(p.address)
	})
}

// Stop asks the process to end, and waits for that.
func (p *Process) Stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(os.Interrupt) // has no effect if it has ended, and none on Windows
	select {
	case <-p.ended:
		p.cmd = nil
	case <-time.After(stopWithin):
		p.Kill()
	}
}

// Kill ends the process without giving it a chance to do anything (SIGKILL).
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // fails if it has ended
	<-p.ended
	p.cmd = nil
}

// output keeps what a process prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
