// Package webhook sends records to a URL: each batch is one HTTP request.
//
// # URI
//
//	https://logs.example.com/ingest?token_file=/run/secrets/token&compress=gzip
//	http://collector:8080/logs?format=array
//	https://hooks.example.com/a%2Fb?query=key%3Dabc%26team%3D7
//
// The request goes to scheme, host and path as they are written. User
// information is sent as basic authentication. The parameters are the sink's
// own: a query of the URL is given, percent-encoded, in the parameter query.
//
//	format              ndjson: a record per line; array: a JSON array (default ndjson)
//	compress            none, gzip or zstd (default none)
//	method              POST or PUT (default POST)
//	query               query of the URL, without its question mark
//	success             status codes that mean delivered (default 200,201,202,204)
//	idempotency_header  header for the idempotency key, or none (default Idempotency-Key)
//	headers             headers to add, as X-Scope=a,X-Other=b
//	token_file          file with a bearer token, read again when it has changed
//	token_env           environment variable with a bearer token, read at start-up
//	ca_file             PEM file with the authorities to trust instead of the system's,
//	                    read at start-up
//	cert_file           PEM file with a client certificate; with key_file
//	key_file            PEM file with the key; both are read again when they have changed
//	proxy               env, none, or a URL (default env)
//
// A record is what [slog.JSONHandler] prints. The Content-Type is
// application/x-ndjson or application/json, the User-Agent fapilog; both can be
// changed with headers. zstd needs the import of
// github.com/fapilog/fapilog/zstd. With proxy=env the environment variables
// HTTP_PROXY, HTTPS_PROXY and NO_PROXY count, as for
// [http.ProxyFromEnvironment]; a URL of a proxy has the scheme http, https or
// socks5.
//
// Where nothing else is configured, a batch has up to 5000 records and 512 KiB
// (of memory, which is about 600 KiB of JSON; many servers allow 1 MiB), and
// waits 200 ms to fill up. A server with a smaller limit than that answers 413,
// and costs a request for each time that a batch is halved: set batch_bytes.
//
// TLS is of version 1.2 or newer, and certificates are always verified. HTTP/2
// is used where the server offers it.
//
// # Delivery
//
// A batch is delivered when the answer has one of the status codes of success;
// its body does not matter. If there is no answer, the destination may have the
// batch all the same, and gets it again: with the same records in the same
// bytes, and with the same idempotency key,
//
//	Idempotency-Key: <log id>:<first sequence number>-<last>:<sink>
//
// which a receiver can tell duplicates by. <log id> and <sink> are random texts,
// made anew when the program starts: with the second, sinks that send different
// records to the same URL (level, match) have different keys. Batches are sent
// one after the other, in order. A batch that was refused as too large, or
// because of some of its records, is sent in parts, each with a key of its own.
//
// If the server has closed a connection that was used before, the request is
// sent again at once on a new one. That is no failed attempt, and does not
// count as one. A request without an answer, and an answer that is neither
// success nor about the data or the rate, make the next request use a new
// connection: to another server of the same name, or with a client certificate
// that has been replaced.
//
// At start-up, and before a held batch is tried again, the sink connects to the
// server, through the proxy if there is one, and does the TLS handshake. If that
// fails at start-up, the program does not start, unless soft_start=true. The sink
// sends no request then, because there is none that every receiver takes for
// harmless: whether the credentials are accepted turns out with the first batch.
//
// # Errors
//
//	no answer                    tried again, with the same key
//	a certificate is refused,    data is kept until an operator acts (sinks.Hold)
//	  by either side
//	token_file cannot be read    kept
//	cert_file, key_file cannot   the pair that was read before stays in use, with a
//	  be read any more             warning
//	408, 409, 421, 423, 425,     tried again; after Retry-After, if the answer has
//	  429, 499                     that, in seconds or as a date, but at most after 1 h
//	500, 502, 503, 504, other    as 429
//	  5xx but for the next line
//	501, 505 to 508, 510, 511    kept
//	413                          sent in two halves; a single record is rejected
//	400, 422                     sent in two halves, until the refused records stand
//	                               alone, which are rejected; but see below; kept
//	                               if a well-known server says by it that it
//	                               expected TLS, a client certificate, or smaller
//	                               headers
//	3xx                          kept; redirects are not followed
//	401, 403, 404, 405, 407,     kept: a token that is being replaced costs no data
//	  410, other 4xx
//	2xx that is no success       kept: what it means, the receiver's manual says;
//	                               add it to success if that is right
//
// A receiver that has not accepted anything since the program was started, and
// has refused ten records with 400 or 422, most likely expects another format or
// path: from then on, a record that it refuses is kept until an operator acts,
// and with it all that follow, until the receiver accepts one.
//
// A server that answers and closes the connection before it has read the whole
// request may have its answer lost, which is then no answer.
//
// Errors quote the beginning of the answer. They show of the URL only
// scheme://host, because the path and the query are secrets with many services.
package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/compress"
	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() {
	registry.Register("http", Open)
	registry.Register("https", Open)
}

// The default batches. With more records in a request, the throughput does not
// grow any more; with more bytes, servers that allow 1 MiB, as nginx does by
// default, would refuse them.
const (
	batchRecords = 5000
	batchBytes   = 512 << 10
	batchLinger  = 200 * time.Millisecond
)

// Format says what the body of a request is.
type Format string

// The formats. The zero value is NDJSON.
const (
	NDJSON Format = "ndjson" // a record per line
	Array  Format = "array"  // a JSON array of records
)

// DefaultIdempotencyHeader is the header that the idempotency key is sent in.
const DefaultIdempotencyHeader = "Idempotency-Key"

// noHeader is the name that stands for no header.
const noHeader = "none"

// DefaultSuccess returns the status codes that mean that a batch was delivered.
func DefaultSuccess() []int {
	return []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent}
}

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	Format   Format // default NDJSON
	Method   string // POST (default) or PUT
	Compress string // none (default), gzip, or zstd, which needs the import of package zstd

	// Success are the status codes that mean that a batch was delivered; default
	// DefaultSuccess. They are from 200 to 599.
	Success []int

	// IdempotencyHeader is the header that the idempotency key is sent in;
	// default DefaultIdempotencyHeader. "none" leaves it out.
	IdempotencyHeader string

	Header http.Header // sent with each request; New copies it

	Username, Password string // for basic authentication

	// A bearer token: at most one of them, and not with a Username or the header
	// Authorization.
	Token     string
	TokenFile string // path of a file, read again when it has changed
	TokenEnv  string // name of an environment variable, read by New

	// Proxy is "env" (default), "none", or the URL of a proxy.
	Proxy string

	CAFile   string // PEM file with the authorities to trust instead of the system's
	CertFile string // PEM file with a client certificate, read again when it has changed
	KeyFile  string // PEM file with its key, read again when it has changed
}

// Open makes the sink of a URI with the scheme http or https. It is registered
// for both. It reads the files that the URI names, and connects to nothing.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	h := httpsink.FromURI(uri, uri.Scheme)
	o := Options{
		Format:            Format(uri.Enum("format", string(NDJSON), string(NDJSON), string(Array))),
		Method:            uri.Enum("method", http.MethodPost, http.MethodPost, http.MethodPut),
		Success:           success(uri),
		IdempotencyHeader: uri.Text("idempotency_header", DefaultIdempotencyHeader),
	}
	if query := uri.Text("query", ""); query != "" {
		h.URL += "?" + escapeQuery(query)
	}
	h.Compress = uri.Enum("compress", compress.None, compress.Names()...)
	uri.Unknown("the query of the URL is written query=key%3Dvalue") // most webhooks are pasted
	h.Check(uri)
	if err := checkIdempotencyHeader(o.IdempotencyHeader, h.Header); err != nil {
		uri.Reject("idempotency_header", err.Error())
	}
	if err := uri.Check(); err != nil {
		return nil, err
	}
	s, err := newSink(h, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// success returns the value of the parameter success.
func success(uri *registry.URI) []int {
	var texts []string
	for _, code := range DefaultSuccess() {
		texts = append(texts, strconv.Itoa(code))
	}
	var codes []int
	for _, text := range uri.List("success", texts...) {
		code, err := strconv.Atoi(text)
		if err != nil {
			code = 0
		}
		codes = append(codes, code)
	}
	if err := checkSuccess(codes); err != nil {
		uri.Reject("success", err.Error())
	}
	return codes
}

func checkSuccess(codes []int) error {
	if len(codes) == 0 || slices.ContainsFunc(codes, func(code int) bool { return code < 200 || code > 599 }) {
		return errors.New("not a list of status codes from 200 to 599: write for example success=200,204")
	}
	return nil
}

// escapeQuery encodes what cannot stand in a query, and leaves the rest as it
// is: the percent-encoding of the parameter is off, that of the query is not.
func escapeQuery(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"#'<>`@", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// checkIdempotencyHeader reports a name that is none, or is that of a header
// which has a value already.
func checkIdempotencyHeader(name string, others http.Header) error {
	if name == noHeader {
		return nil
	}
	if strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) || name == "" {
		return errors.New("not the name of a header: write for example idempotency_header=X-Request-Id, or none")
	}
	if httpsink.IsReserved(name) || slices.Contains([]string{"Authorization", "Content-Type", "User-Agent"}, http.CanonicalHeaderKey(name)) {
		return errors.New("that header has another meaning")
	}
	for other := range others {
		if strings.EqualFold(name, other) {
			return errors.New("headers has it, too")
		}
	}
	return nil
}

// A Sink sends records to a URL.
type Sink struct {
	client   *httpsink.Client
	body     *httpsink.Body
	array    bool
	method   string
	success  []int
	keyName  string      // canonical; "": none
	keyEnd   string      // what tells the keys of this sink from those of others
	header   http.Header // of every request
	accepted bool        // the receiver has accepted something
	refused  int         // records rejected before that
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Prober  = (*Sink)(nil)
	_ sinks.Batcher = (*Sink)(nil)
	_ io.Closer     = (*Sink)(nil)
)

// New makes a sink that sends to url, which has the form
// http://host[:port][/path][?query] or https://..., without user information,
// and is used as it is written. It reads the files that the options name, and
// connects to nothing. The sink has idempotency keys of its own: another one with
// the same arguments has others. The error reports all that is wrong.
func New(url string, o Options) (*Sink, error) {
	return newSink(httpsink.Options{
		URL:       url,
		Username:  o.Username,
		Password:  o.Password,
		Token:     o.Token,
		TokenFile: o.TokenFile,
		TokenEnv:  o.TokenEnv,
		Header:    o.Header,
		Proxy:     o.Proxy,
		CAFile:    o.CAFile,
		CertFile:  o.CertFile,
		KeyFile:   o.KeyFile,
		Compress:  o.Compress,
	}, o)
}

func newSink(h httpsink.Options, o Options) (*Sink, error) {
	if o.Success == nil {
		o.Success = DefaultSuccess()
	}
	if o.IdempotencyHeader == "" {
		o.IdempotencyHeader = DefaultIdempotencyHeader
	}
	if o.Method == "" {
		o.Method = http.MethodPost
	}
	h.Sink = "webhook"
	client, err := httpsink.New(h)
	errs := []error{err}
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("webhook: open: %s: %w", name, err))
		}
	}
	check("success", checkSuccess(o.Success))
	check("idempotency_header", checkIdempotencyHeader(o.IdempotencyHeader, h.Header))
	if o.Method != http.MethodPost && o.Method != http.MethodPut {
		check("method", errors.New("neither POST nor PUT"))
	}
	s := &Sink{
		method: o.Method, success: slices.Clone(o.Success), header: make(http.Header),
		keyEnd: ":" + rand.Text()[:8],
	}
	switch o.Format {
	case NDJSON, "":
		s.header.Set("Content-Type", "application/x-ndjson")
	case Array:
		s.array = true
		s.header.Set("Content-Type", "application/json")
	default:
		check("format", errors.New("neither ndjson nor array"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.client, s.body = client, client.NewBody()
	if o.IdempotencyHeader != noHeader {
		s.keyName = http.CanonicalHeaderKey(o.IdempotencyHeader)
	}
	return s, nil
}

// Batching returns the default batches, which are larger than those of other
// sinks: a request costs as much as a hundred records.
func (s *Sink) Batching() sinks.Batching {
	return sinks.Batching{Records: batchRecords, Bytes: batchBytes, Linger: batchLinger}
}

// Probe connects to the server, and sends no request.
func (s *Sink) Probe(ctx context.Context) error { return s.client.Probe(ctx) }

// Write sends a batch.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	if err := s.render(batch); err != nil {
		return fmt.Errorf("webhook: make request body: %w", err)
	}
	if s.keyName != "" {
		s.header[s.keyName] = []string{s.key(batch)}
	}
	answer, err := s.client.Do(ctx, httpsink.Request{Method: s.method, Header: s.header, Body: s.body})
	if err != nil {
		return err
	}
	if err = answer.Verdict(s.success...); err == nil {
		s.accepted = true
		return nil
	}
	return s.doubt(err, len(batch))
}

// mostRefused is how many records are rejected by a receiver that has accepted
// none: so many may be bad, and so many a wrong parameter may cost.
const mostRefused = 10

// doubt turns an answer that refuses data into one about the configuration if
// the receiver has never accepted any. Batches are halved all the same, lest a
// good record be held for a bad one of its batch: one that is accepted is enough
// to know that the records are at fault.
func (s *Sink) doubt(err error, records int) error {
	if kind, _, _ := verdict.Of(err); kind != verdict.Permanent || s.accepted {
		return err
	}
	err = fmt.Errorf("%w: nothing has been accepted so far: are format= and the path right?", err)
	switch {
	case records > 1:
		return err
	case s.refused == mostRefused:
		return sinks.Hold(err)
	}
	s.refused++
	return err
}

// key returns the idempotency key, which is the same for the same batch. A part
// of a batch ends at another record, or begins at one.
func (s *Sink) key(batch []sinks.Event) string {
	first, last := batch[0].ID(), batch[len(batch)-1].ID()
	return first.String() + "-" + strconv.FormatUint(last.Seq, 10) + s.keyEnd
}

var opening, comma, closing = []byte("["), []byte(","), []byte("]")

// render makes the body. The errors are those of the compressor.
func (s *Sink) render(batch []sinks.Event) error {
	s.body.Reset()
	for i, e := range batch {
		line := e.JSON()
		if s.array {
			before := comma
			if i == 0 {
				before = opening
			}
			if _, err := s.body.Write(before); err != nil {
				return err
			}
			line = line[:len(line)-1] // the newline
		}
		if _, err := s.body.Write(line); err != nil {
			return err
		}
	}
	if s.array {
		if _, err := s.body.Write(closing); err != nil {
			return err
		}
	}
	return s.body.Close()
}

// Close closes the connections.
func (s *Sink) Close() error { return s.client.Close() }
