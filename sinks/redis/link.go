package redis

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// dialTimeout bounds connecting, TLS included; a call is bounded by its context.
const dialTimeout = 10 * time.Second

// buffers are the sizes of the connection's buffers, in bytes: with larger ones,
// the throughput does not grow any more.
const buffers = 64 << 10

// A link makes the connections of a client, which are one at a time. The library
// knows nothing of three things that it does:
//
// A call ends when its context does, also if that was cancelled: the library
// heeds deadlines alone. The connection is closed then.
//
// What the server has answered before it closed the connection is read, even if
// that was noticed while writing. It may be why, and answers count.
//
// A connection that cannot be made is one that every use of fails. The library
// would write the error to standard error, through a logger that can only be
// changed for the whole program, and dial again in the background. With that,
// and the options below, it logs nothing, unless a server sends what nobody has
// asked for.
//
// What a server says before it closes a new connection is kept. The library
// takes it for the answer to HELLO, of which it expects an error.
type link struct {
	address string // host:port
	tls     *tls.Config

	closing context.Context // ended by close
	end     context.CancelFunc

	mu    sync.Mutex         // guards the following
	call  *call              // that is running; nil: none
	conns map[*conn]struct{} // that are open
}

// A call is one exchange with the server.
type call struct {
	ctx       context.Context
	failed    error // why there is no connection
	handshake bool  // of TLS, has begun and is not over
}

func newLink(address string, config *tls.Config) *link {
	l := &link{address: address, tls: config, conns: make(map[*conn]struct{})}
	l.closing, l.end = context.WithCancel(context.Background())
	return l
}

// options returns the options of a client that tries everything once, and has
// nothing but this link.
func (l *link) options(o Options) *redis.Options {
	return &redis.Options{
		Addr:                     l.address,
		Username:                 o.Username,
		Password:                 o.Password,
		DB:                       o.DB,
		Dialer:                   l.dial,
		DialTimeout:              dialTimeout,
		DialerRetries:            1,
		MaxRetries:               -1,
		Protocol:                 2, // nothing is wanted of 3, and older servers speak it
		ReadTimeout:              -2,
		WriteTimeout:             -2, // calls end with their contexts
		PoolTimeout:              dialTimeout,
		PoolSize:                 1,
		MaxActiveConns:           1,
		PipelinePoolSize:         -1, // no other pool
		ReadBufferSize:           buffers,
		WriteBufferSize:          buffers,
		ConnMaxIdleTime:          -1,   // a connection that the server has closed is noticed
		DisableIdentity:          true, // which would need permissions
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// begin begins a call, which is broken off when ctx ends, until the function
// returned is called.
func (l *link) begin(ctx context.Context) (end func()) {
	c := &call{ctx: ctx}
	l.mu.Lock()
	l.call = c
	l.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { l.cut(c) })
	return func() {
		stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.call = nil
	}
}

// cut breaks a call off, if it is still running.
func (l *link) cut(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.call == c {
		l.closeAll()
	}
}

// closeAll needs mu.
func (l *link) closeAll() {
	for c := range l.conns {
		_ = c.Conn.Close()
	}
	clear(l.conns)
}

// failed returns why the call that is running has failed, if that is known
// better here than by the library.
func (l *link) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch c := l.call; {
	case l.closing.Err() != nil:
		return errClosed
	case c.handshake:
		// A server without TLS waits for the rest of what it takes for a command.
		cause := cmp.Or(c.ctx.Err(), c.failed, errNoAnswer)
		return fmt.Errorf("no answer to the TLS handshake: if the port speaks no TLS, write redis instead of rediss: %w", cause)
	case c.ctx.Err() != nil:
		return fmt.Errorf("%w: %w", errNoAnswer, c.ctx.Err())
	default:
		return c.failed
	}
}

var (
	errClosed   = errors.New("the sink is closed")
	errNoAnswer = errors.New("no answer")
)

// close closes the connections. There are no new ones after it.
func (l *link) close() {
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeAll()
}

// dial makes a connection for the call that is running, with its context: a
// certificate that cannot be read is a warning of that. The library's context may
// have nothing of it.
func (l *link) dial(library context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	c := l.call
	l.mu.Unlock()
	ctx := library
	if c != nil {
		ctx = c.ctx
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	defer context.AfterFunc(l.closing, cancel)()
	defer context.AfterFunc(library, cancel)()
	made, err := l.connect(ctx, c, network, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		if c != nil {
			c.failed = err
		}
		return noConn{err}, nil
	case l.closing.Err() != nil || c == nil || l.call != c:
		// Nobody waits for it any more.
		_ = made.Close()
		return noConn{errNoAnswer}, nil
	}
	conn := &conn{Conn: made, link: l}
	l.conns[conn] = struct{}{}
	if tcp, ok := made.(*net.TCPConn); ok {
		return tcpConn{conn, tcp}, nil
	}
	return conn, nil
}

// connect makes a connection for a call, if there is one.
func (l *link) connect(ctx context.Context, c *call, network, address string) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil || l.tls == nil {
		return raw, err
	}
	secure := tls.Client(raw, l.tls)
	l.shakes(c, true)
	err = secure.HandshakeContext(ctx)
	if err == nil || ctx.Err() == nil {
		l.shakes(c, false) // it is over, one way or the other
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return secure, nil
}

// shakes notes whether a call waits for a TLS handshake.
func (l *link) shakes(c *call, does bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c != nil {
		c.handshake = does
	}
}

// A conn is a connection of a link.
type conn struct {
	net.Conn
	link   *link
	broken bool // for writing
	read   bool // something was read
}

// Read reads, and looks at what comes first.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch {
	case c.read:
	case n > 0:
		c.read = true
		c.link.greeted(p[:n])
	case c.link.tls == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		c.link.note(fmt.Errorf("the server has closed the connection without an answer: if the port speaks TLS, write rediss instead of redis: %w", err))
	}
	return n, err
}

// note keeps why the call that is running has failed.
func (l *link) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.call != nil {
		l.call.failed = err
	}
}

// greetings are what servers send to new connections that they close at once
// (networking.c, acceptCommonHandler).
var greetings = []string{"-DENIED ", "-ERR max number of clients reached"}

// greeted looks at the first that a server has sent.
func (l *link) greeted(text []byte) {
	for _, g := range greetings {
		if !bytes.HasPrefix(text, []byte(g)) {
			continue
		}
		line, _, _ := strings.Cut(string(text), "\r\n")
		l.note(serverError(line[1:]))
		return
	}
}

// A serverError is an error of the server that the library does not report.
type serverError string

func (e serverError) Error() string { return string(e) }
func (serverError) RedisError()     {}

var _ redis.Error = serverError("")

// Write writes, or pretends to: if that fails, the next Read does, when it has
// returned everything that the server has sent.
func (c *conn) Write(p []byte) (int, error) {
	if !c.broken {
		_, err := c.Conn.Write(p)
		c.broken = err != nil
	}
	return len(p), nil
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	_ = c.Conn.Close() // fails if the link has closed it already
	return nil
}

// A tcpConn lets the library see whether the server has closed it. With TLS that
// cannot be seen without reading.
type tcpConn struct {
	*conn
	tcp *net.TCPConn
}

func (c tcpConn) SyscallConn() (syscall.RawConn, error) { return c.tcp.SyscallConn() }

// A noConn stands for a connection that could not be made.
type noConn struct{ err error }

func (c noConn) Read([]byte) (int, error)       { return 0, c.err }
func (c noConn) Write([]byte) (int, error)      { return 0, c.err }
func (noConn) Close() error                     { return nil }
func (noConn) LocalAddr() net.Addr              { return new(net.TCPAddr) }
func (noConn) RemoteAddr() net.Addr             { return new(net.TCPAddr) }
func (noConn) SetDeadline(time.Time) error      { return nil }
func (noConn) SetReadDeadline(time.Time) error  { return nil }
func (noConn) SetWriteDeadline(time.Time) error { return nil }

func userinfo(user, password string) string { return url.UserPassword(user, password).String() }
