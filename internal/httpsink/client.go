// Package httpsink is what all sinks that speak HTTP have in common: a client
// of their own with its parameters, credentials that may be rotated, request
// bodies that are built in reused memory, and the meaning of answers.
//
// Sinks must work on while an operator replaces a token, a certificate or a
// server, and must not print what they know. So the texts of servers and of
// net/http do not leave this package before the URL, credentials and headers
// were taken out of them.
package httpsink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/secretfile"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// Limits of time. A request as a whole is bounded by its context; these are for
// what net/http goes on with when that has ended.
const (
	dialTimeout  = 10 * time.Second
	idleTimeout  = 50 * time.Second // servers and load balancers close idle connections after 60 s or more
	pingInterval = 15 * time.Second // of HTTP/2, whose connections outlive a request that gets no answer
)

// Limits of an answer, in bytes.
const (
	maxHeaders = 256 << 10
	maxDrain   = 4 << 20  // beyond this, a new connection is cheaper
	keepError  = 16 << 10 // kept in any case: it may be an error, in which secrets are looked for
)

// A Client sends requests to one destination. Do, Probe and the methods of
// answers are for one goroutine at a time.
//
// It is a transport without an http.Client around it: there are no redirects to
// follow and no cookies to keep, and errors do not have the URL in front.
//
// One line of net/http cannot be kept from package log: the one about an answer
// that arrives on a connection with HTTP/1 after no request. Connections that are
// closed after their request (Fresh) do not have it.
type Client struct {
	sink      string // name for errors
	url       *url.URL
	where     string // scheme://host
	transport *http.Transport
	header    http.Header
	basic     string // value of Authorization, or ""
	token     bearer
	format    func() *Body
	secrets   []*registry.URI // that redact what does not change
	ownRoots  bool            // there is a CAFile
	renew     bool            // the next request gets a new connection

	closing context.Context // ended by Close, ends dials and connections
	close   context.CancelFunc
}

// New makes a client, which connects to nothing before Do or Probe. The error
// has a line for each option that is wrong, with the name that it has as a
// parameter, and no values.
func New(o Options) (*Client, error) {
	l, problems := o.load()
	if len(problems) > 0 {
		var errs []error
		where := ""
		if l.url != nil {
			where = " " + place(l.url)
		}
		for _, p := range problems {
			errs = append(errs, fmt.Errorf("%s: open%s: %w", o.Sink, where, p))
		}
		return nil, errors.Join(errs...)
	}
	c := &Client{sink: o.Sink, url: l.url, where: place(l.url), header: l.header, token: l.token, ownRoots: o.CAFile != ""}
	if o.Username != "" || o.Password != "" {
		r := http.Request{Header: make(http.Header)}
		r.SetBasicAuth(o.Username, o.Password)
		c.basic = r.Header.Get("Authorization")
	}
	c.format = func() *Body { return new(Body) }
	if l.format != nil {
		f := *l.format
		c.format = func() *Body { return &Body{compressor: f.New(), encoding: f.Name} }
	}
	c.secrets = secretsOf(o, l)
	c.closing, c.close = context.WithCancel(context.Background())
	dialer := &net.Dialer{Timeout: dialTimeout}
	c.transport = &http.Transport{
		Proxy: l.proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(c.closing, cancel)()
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &closingConn{conn, context.AfterFunc(c.closing, func() { _ = conn.Close() })}, nil
		},
		OnProxyConnectResponse: proxyAnswered,
		TLSClientConfig:        l.tls,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           2, // requests are sent one after the other
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaders,
		WriteBufferSize:        64 << 10,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingInterval, PingTimeout: pingInterval},
	}
	return c, nil
}

// A closingConn is closed when the client is, also while net/http, which goes on
// with it when a request has been called off, is in the middle of a handshake.
type closingConn struct {
	net.Conn
	stop func() bool
}

func (c *closingConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

var errClosed = errors.New("the sink is closed")

func place(u *url.URL) string { return u.Scheme + "://" + u.Host }

// NewBody returns a body for this client's requests.
func (c *Client) NewBody() *Body { return c.format() }

// A Request is one request. Nothing of it is kept when Do has returned but for
// the body, see there.
type Request struct {
	Method string
	Target string      // path and query; "": those of the URL
	Header http.Header // in addition to those of the options, which win
	Body   *Body       // closed; nil: none
	Keep   int         // how many bytes of the answer's body are wanted

	// Fresh is for what must not be sent twice: it gets a connection of its own,
	// which is closed afterwards. One that was used before may turn out to be closed
	// when the request has been written, and then nobody knows what became of it.
	Fresh bool
}

// A Response is an answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // as much as was wanted, or at most 16 KiB; to be shown with Quote only
	Err    error  // why Body is not the whole, if any of it was wanted

	client *Client
	method string
}

// Do sends a request. The error, if there was no answer, carries a verdict where
// it is known that an operator must act, and is the one for Write to return.
// Otherwise it is not known whether the destination got the request.
//
// Where a connection that was used before turns out to be closed, net/http
// sends the request again on a new one by itself, unless some of it may have
// been processed. If the request has the header Idempotency-Key, it does so in
// that case, too. After a request without an answer the next one gets a new
// connection.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	began := time.Now()
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, c.fail(r.Method, err)
	}
	if c.renew || r.Fresh {
		c.transport.CloseIdleConnections()
		c.renew = false
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		c.renew = true // with HTTP/2, the connection is still there
		return nil, c.fail(r.Method, missing(ctx, began, "no answer", err))
	}
	defer resp.Body.Close()
	answer := &Response{Status: resp.StatusCode, Header: resp.Header, client: c, method: r.Method}
	if resp.StatusCode != http.StatusSwitchingProtocols { // whose body is the connection: no context ends a Read of it
		answer.read(resp.Body, r.Keep)
	}
	return answer, nil
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	if c.closing.Err() != nil {
		return nil, errClosed
	}
	token, err := c.token.current()
	if err != nil {
		return nil, sinks.Hold(err)
	}
	u := *c.url
	if r.Target != "" {
		target, err := url.ParseRequestURI(r.Target)
		if err != nil {
			return nil, errors.New("malformed target") // the original shows it
		}
		u.Path, u.RawPath, u.RawQuery = target.Path, target.RawPath, target.RawQuery
	}
	header := maps.Clone(r.Header)
	if header == nil {
		header = make(http.Header)
	}
	maps.Copy(header, c.header)
	switch {
	case token != "":
		header.Set("Authorization", c.token.scheme+" "+token)
	case c.basic != "":
		header.Set("Authorization", c.basic)
	}
	req := (&http.Request{
		Method: r.Method, URL: &u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	req.Close = r.Fresh
	if b := r.Body; b != nil {
		mem := b.mem
		req.Body, req.ContentLength = mem.open(), int64(len(mem.data))
		req.GetBody = func() (io.ReadCloser, error) { return mem.open(), nil }
		if b.encoding != "" {
			header.Set("Content-Encoding", b.encoding)
		}
	}
	return req, nil
}

// read reads what is wanted of a body, and the rest so that the connection can
// be used again. The status is the answer: what of the rest does not arrive
// does not matter.
func (r *Response) read(body io.Reader, wanted int) {
	keep := max(wanted, keepError)
	var err error
	r.Body, err = io.ReadAll(io.LimitReader(body, int64(keep)))
	if err == nil && len(r.Body) == keep {
		var n int64
		n, err = io.CopyN(io.Discard, body, maxDrain)
		if err == io.EOF {
			err = nil
		}
		if err == nil && n > 0 {
			err = fmt.Errorf("it has more than %d bytes", keep)
		}
	}
	if wanted > 0 && err != nil {
		r.Err = r.client.redactError(fmt.Errorf("read answer: %w", err))
	}
}

// Probe connects to the destination, through the proxy if there is one, and
// does the TLS handshake, without sending a request. It finds names that do not
// resolve, ports where nobody listens, certificates that are not trusted, and a
// token that cannot be read. It does not find out whether the credentials are
// accepted.
func (c *Client) Probe(ctx context.Context) error {
	if c.closing.Err() != nil {
		return c.fail("probe", errClosed)
	}
	if _, err := c.token.current(); err != nil {
		return c.fail("probe", err)
	}
	port := c.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[c.url.Scheme]
	}
	began := time.Now()
	conn, err := c.transport.NewClientConn(ctx, c.url.Scheme, net.JoinHostPort(c.url.Hostname(), port))
	if err != nil {
		return c.fail("probe", missing(ctx, began, "no connection", err))
	}
	// It is said that this closes the connection. Where the other side has
	// closed it already, that is no news.
	_ = conn.Close()
	return nil
}

// Close closes the connections, those in use included. Requests fail from then
// on. It may be called twice.
func (c *Client) Close() error {
	c.close()
	c.transport.CloseIdleConnections()
	return nil
}

// fail makes the error of a request without an answer.
func (c *Client) fail(method string, err error) error {
	hold := needsOperator(err)
	err = fmt.Errorf("%s: %s %s: %w%s", c.sink, method, c.where, c.redactError(err), c.advice(err))
	if hold {
		return sinks.Hold(err)
	}
	return err
}

// missing says what there is not, why, and if time was the reason how much there
// was: a context knows that it has ended, but not what that means.
func missing(ctx context.Context, began time.Time, what string, err error) error {
	text := what
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		took := time.Since(began)
		if deadline, ok := ctx.Deadline(); ok {
			took = min(took, deadline.Sub(began)) // it may be noticed late
		}
		text += fmt.Sprintf(" within %v", roundly(took))
	case errors.Is(err, context.Canceled):
		text += " before the sink was given up"
	}
	if cause := err.Error(); cause != context.DeadlineExceeded.Error() && cause != context.Canceled.Error() {
		text += ": " + cause
	}
	return &missingError{text, err}
}

// A missingError has a text that need not have that of its cause in it.
type missingError struct {
	text  string
	cause error
}

func (e *missingError) Error() string { return e.text }
func (e *missingError) Unwrap() error { return e.cause }

// roundly returns a duration with its first two digits: what was done before the
// clock was read makes 2.998 s of a timeout of 3 s.
func roundly(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 100 {
		unit *= 10
	}
	return max(d, 0).Round(unit)
}

// advice says what to do about an error, where that is known.
func (c *Client) advice(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if c.ownRoots {
			return ": none of the authorities in ca_file has issued it"
		}
		return ": name your authority with ca_file="
	}
	// The same type is for versions that make no sense.
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && strings.Contains(e.Msg, "does not look like a TLS handshake") {
		return ": the port speaks no TLS: write the scheme that is without it, or another port"
	}
	return ""
}

// needsOperator reports that waiting does not help: nothing was sent because
// one side does not accept the other's certificate, or the proxy refuses.
func needsOperator(err error) bool {
	if kind, _, _ := verdict.Of(err); kind == verdict.Hold {
		return true
	}
	return secretfile.Refused(err)
}

// proxyAnswered judges a proxy's answer to CONNECT.
func proxyAnswered(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	err := fmt.Errorf("the proxy answered %s", statusText(resp.StatusCode))
	if verdictOf(resp.StatusCode) == held {
		return sinks.Hold(err)
	}
	return err
}

// secretsOf returns URIs that have as their parts what must not be printed,
// because they know how to find it in a text.
func secretsOf(o Options, l *loaded) []*registry.URI {
	var b strings.Builder
	b.WriteString(l.url.Scheme + "://")
	if o.Username != "" || o.Password != "" {
		b.WriteString(userinfo(o.Username, o.Password) + "@")
	}
	b.WriteString(l.url.Host + l.url.EscapedPath() + "?" + l.url.RawQuery)
	var list []*registry.URI
	add := func(text string) {
		if u, err := registry.Parse(text); err == nil {
			list = append(list, u)
		}
	}
	add(b.String())
	for name, values := range l.header {
		if name == "User-Agent" || name == "Content-Type" {
			continue
		}
		for _, v := range values {
			add(secret(v))
		}
	}
	if l.via != nil && l.via.User != nil {
		password, _ := l.via.User.Password()
		add("http://" + userinfo(l.via.User.Username(), password) + "@" + l.via.Host)
	}
	return list
}

func userinfo(user, password string) string {
	return url.UserPassword(user, password).String()
}

// secret returns a URI with a text as its only secret.
func secret(text string) string { return "http://?text=" + url.QueryEscape(text) }

// redact takes the secrets out of a text.
func (c *Client) redact(s string) string {
	for _, u := range c.secrets {
		s = u.Redact(s)
	}
	for _, part := range append([]string{c.token.token}, c.token.parts...) {
		if u, err := registry.Parse(secret(part)); err == nil && part != "" {
			s = u.Redact(s)
		}
	}
	return s
}

// maxErrorText is how much of an error of net/http is shown, in characters: it
// quotes what it does not understand, which may be as long as headers may be.
const maxErrorText = 500

// redactError returns an error with the text that is left, in one line, that
// is what err is.
func (c *Client) redactError(err error) error {
	text := shorten(oneLine(c.redact(err.Error())), maxErrorText)
	return &redactedError{text, func(target error) bool { return errors.Is(err, target) }}
}

// A redactedError does not give its cause away, whose fields may have what was
// taken out of the text.
type redactedError struct {
	text string
	is   func(error) bool
}

func (e *redactedError) Error() string        { return e.text }
func (e *redactedError) Is(target error) bool { return e.is(target) }
