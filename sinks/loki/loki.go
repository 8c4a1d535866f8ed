// Package loki sends records to Grafana Loki, with the push API.
//
// # URI
//
//	loki://loki:3100?labels=app=shop,env=prod&label_keys=level
//	loki+https://1234:token@logs.example.com?metadata_keys=trace_id,customer.id
//	loki+https://gateway.example.com/prefix?tenant=shop&token_file=/run/secrets/token
//
// loki is HTTP, with the port 3100 if there is none, loki+https is TLS, with the
// port 443. A path is what stands before /loki/api/v1/push. User information is
// sent as basic authentication.
//
//	labels          labels of every stream, as app=shop,env=prod
//	label_keys      attributes that are labels; level is that of the record
//	service_label   label for the service, or none (default service_name)
//	metadata_keys   attributes that are structured metadata (default trace_id,span_id)
//	record_id       whether log_id and log_seq are structured metadata (default false)
//	tenant          X-Scope-OrgID
//	max_line_size   size above which a line is not sent; 0 means none (default 256KiB)
//	headers         headers to add, as X-Scope=a,X-Other=b
//	token_file      file with a bearer token, read again when it has changed
//	token_env       environment variable with a bearer token, read at start-up
//	ca_file         PEM file with the authorities to trust instead of the system's
//	cert_file       PEM file with a client certificate; with key_file
//	key_file        PEM file with the key; both are read again when they have changed
//	proxy           env, none, or a URL (default env)
//
// A line is what [slog.JSONHandler] prints. All that a query needs to find it
// fast, and nothing else, is a label: each combination of labels is a stream, and
// Loki wants few streams with much in each. So the level is one of debug, info,
// warn and error as a label, and a label whose value is empty or missing is left
// out. Whatever else is worth a filter, such as a trace id, is better off in the
// structured metadata, which has no index and is found without parsing lines.
// Keys of attributes in groups have dots ("http.status"). As names, they have
// underscores instead of everything but letters, digits and underscores, and
// those that begin with a digit have key_ in front. Values of labels and metadata
// are cut off at 2048 bytes, and have "?" for what is not UTF-8; the line has the
// whole.
//
// The label service_name is the service of the configuration. If there is none,
// Loki makes one of the labels service, app and their like. Without any label at
// all, a stream has service_name="unknown_service".
//
// # Timestamps
//
// An entry has the time of its record, to the nanosecond. Loki takes entries of
// a stream with the same timestamp and the same line for one. So of two records
// that are equal in this way the later one is moved by 1 ns, or to the next
// nanosecond that is free; when it is sent again, it is moved to the same. A
// record without a time has that of the first attempt to send it. One whose
// time is before the year 1678 or after 2262 is rejected.
//
// # Delivery
//
// A batch is one request for each of its streams, one after the other. There
// could be several streams in one request, but for Loki's ingester: of a request
// it reports the error of the last stream, and answers 204 if only others have
// failed (pkg/ingester/instance.go, Push, in v3.7). What is counted as delivered
// would not be there.
//
// A stream is delivered when the answer is 204. If there is no answer, Loki may
// have the stream all the same, and gets it again: with the same labels,
// timestamps and lines, of which it stores one.
//
// At start-up, and before a held batch is tried again, the sink sends a push
// request without any stream. It writes nothing, and the answer shows whether the
// path and the credentials are right.
//
// Where nothing else is configured, a batch has up to 5000 records and 1 MiB (of
// memory, which is about 1.2 MiB of JSON), and waits 500 ms to fill up.
//
// # Errors
//
//	no answer                tried again
//	408, 429, 500, 502,      tried again; after Retry-After, if the answer has that
//	  503, 504
//	400                      Loki has refused some entries and stored the others, which
//	                           are not sent again: those that it names are rejected.
//	                           If it names entries of which there are no more details,
//	                           those whose fate is not known are sent once more. If it
//	                           says nothing that could be understood, all are rejected
//	413                      sent in two halves; a single record is rejected
//	422                      sent in two halves, until the refused record stands alone
//	260                      kept (sinks.Hold): Loki blocks ingestion and has stored
//	                           nothing
//	401, 403, 404, other 4xx kept: a token that is being replaced costs no data
//	200, other 2xx, 3xx      kept: that is no Loki
//
// A record is rejected by itself before it is sent if its line is longer than
// max_line_size, because Loki refuses what is longer than 256 KiB, unless it is
// configured otherwise (max_line_size, max_line_size_truncate). Requests have at
// most 3 MiB before compression, as Loki's components take 4 MiB from each other;
// larger batches are divided.
//
// Errors quote the beginning of Loki's answer, and show of the URL only
// scheme://host.
package loki

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/snappy"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() {
	registry.Register("loki", Open)
	registry.Register("loki+https", Open)
}

const (
	pushPath    = "/loki/api/v1/push"
	defaultPort = "3100"
)

// The default batches.
const (
	batchRecords = 5000
	batchBytes   = 1 << 20
	batchLinger  = 500 * time.Millisecond
)

// maxRequest bounds a request before compression, in bytes. Loki's distributor
// passes it on with gRPC, which takes 4 MiB, after it has added to each entry
// (detected_level), and answers 500 where that is too much.
const maxRequest = 3 << 20

// keepRefusals is how much of an answer is read that says what was refused, in
// bytes.
const keepRefusals = 1 << 20

// DefaultMaxLineSize is the longest line that is sent, in bytes: what Loki takes.
const DefaultMaxLineSize = 256 << 10

// DefaultServiceLabel is the label for the service.
const DefaultServiceLabel = serviceName

// none stands for no label for the service.
const none = "none"

// Names of structured metadata with the identity of a record.
const (
	logID  = "log_id"
	logSeq = "log_seq"
)

// DefaultMetadataKeys returns the keys of attributes that become structured
// metadata.
func DefaultMetadataKeys() []string { return []string{"trace_id", "span_id"} }

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	// Labels are those of every stream. With LabelKeys there are at most 15; a
	// value has at most 2048 bytes. New copies it.
	Labels map[string]string

	// LabelKeys are the keys of attributes that become labels. "level" is the
	// level of the record. Few, with few values each.
	LabelKeys []string

	// ServiceLabel is the label that is the service of the configuration; default
	// DefaultServiceLabel. "none" leaves it out. If Labels has it, that counts.
	ServiceLabel string

	// MetadataKeys are the keys of attributes that become structured metadata, at
	// most 24; default DefaultMetadataKeys, if nil.
	MetadataKeys []string

	// RecordID says that the identity of each record is structured metadata:
	// log_id and log_seq, the number of the record in the log.
	RecordID bool

	Tenant string // X-Scope-OrgID: letters, digits and !-_.*'(), at most 150

	// MaxLineSize is the longest line that is sent, in bytes; default
	// DefaultMaxLineSize, negative: no limit.
	MaxLineSize int64

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

// Open makes the sink of a URI with the scheme loki or loki+https. It is
// registered for both. It reads the files that the URI names, and connects to
// nothing.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	scheme := "http"
	if uri.Scheme == "loki+https" {
		scheme = "https"
	}
	h := httpsink.FromURI(uri, scheme)
	if scheme == "http" {
		h.URL = withPort(h.URL)
	}
	h.Check(uri)
	o := Options{
		LabelKeys:    uri.List("label_keys"),
		ServiceLabel: uri.Text("service_label", DefaultServiceLabel),
		MetadataKeys: uri.List("metadata_keys", DefaultMetadataKeys()...),
		RecordID:     uri.Bool("record_id", false),
		Tenant:       uri.Public("tenant", ""),
		MaxLineSize:  uri.Size("max_line_size", DefaultMaxLineSize),
		Header:       h.Header,
	}
	if o.MaxLineSize == 0 {
		o.MaxLineSize = -1
	}
	if o.MetadataKeys == nil {
		o.MetadataKeys = []string{}
	}
	for _, p := range uri.Pairs("labels") {
		if o.Labels == nil {
			o.Labels = make(map[string]string)
		}
		o.Labels[p.Key] = p.Value
	}
	if uri.Has("tenant") && o.Tenant == "" {
		uri.Reject("tenant", "it is empty")
	}
	for _, p := range o.load(new(Sink)) {
		uri.Reject(p.name, p.reason)
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

// withPort adds Loki's port to a URL that has none. What is malformed stays so.
func withPort(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Port() != "" {
		return text
	}
	u.Host = strings.TrimSuffix(u.Host, ":") + ":" + defaultPort
	return u.String()
}

// withPath adds the path of the API to a URL, unless it is there.
func withPath(text string) string {
	text = strings.TrimRight(text, "/")
	if strings.HasSuffix(text, pushPath) {
		return text
	}
	return text + pushPath
}

// A Sink sends records to Loki.
type Sink struct {
	client  *httpsink.Client
	body    *httpsink.Body
	header  http.Header // of every request
	maxLine int         // negative: no limit

	labeler  labeler
	metadata []source
	recordID bool
	clock    *clock

	streams streams
	plain   []byte // a request, before compression
	packed  []byte // and after
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Prober  = (*Sink)(nil)
	_ sinks.Batcher = (*Sink)(nil)
	_ io.Closer     = (*Sink)(nil)
)

// New makes a sink that sends to the Loki at url, which has the form
// http://host[:port][/prefix] or https://..., without user information and query.
// It reads the files that the options name, and connects to nothing. The error
// reports all that is wrong.
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
	}, o)
}

func newSink(h httpsink.Options, o Options) (*Sink, error) {
	h.Sink = "loki"
	if strings.Contains(h.URL, "?") {
		return nil, errors.New("loki: open: url: it has a query, which the API has not")
	}
	h.URL = withPath(h.URL)
	client, err := httpsink.New(h)
	errs := []error{err}
	s := &Sink{
		client: client,
		clock:  newClock(),
		header: http.Header{
			"Content-Type": {"application/x-protobuf"},
			// Entries that are sent again are stored once, so net/http may do that by
			// itself where it must assume that they were processed. A header without
			// a value tells it, and is not sent.
			"Idempotency-Key": {},
		},
	}
	for _, p := range o.load(s) {
		errs = append(errs, fmt.Errorf("loki: open: %s: %s", p.name, p.reason))
	}
	if err := errors.Join(errs...); err != nil {
		if client != nil {
			_ = client.Close()
		}
		return nil, err
	}
	s.body = client.NewBody()
	return s, nil
}

// A problem is what is wrong with an option, under the name that it has as a
// parameter.
type problem struct{ name, reason string }

// load checks the options that are the sink's own, and sets what s needs of them.
func (o *Options) load(s *Sink) (problems []problem) {
	check := func(name string, err error) {
		if err != nil {
			problems = append(problems, problem{name, err.Error()})
		}
	}
	var err error
	s.labeler.fixed, err = o.labels()
	check("labels", err)
	s.labeler.keys, err = sources(o.LabelKeys, maxLabels, maxLabelName)
	check("label_keys", err)
	has := func(name string) bool {
		return slices.ContainsFunc(s.labeler.fixed, func(l pair) bool { return l.name == name })
	}
	fromKey := func(name string) bool {
		return slices.ContainsFunc(s.labeler.keys, func(k source) bool { return k.name == name })
	}
	for _, k := range s.labeler.keys {
		if has(k.name) {
			check("label_keys", errors.New("labels has one of the names, too"))
			break
		}
	}
	s.labeler.service = cmpOr(o.ServiceLabel, DefaultServiceLabel)
	switch name := s.labeler.service; {
	case name == none:
		s.labeler.service = ""
	case checkName(name) != nil:
		check("service_label", errors.New("not the name of a label: write for example service_label=service, or none"))
	case fromKey(name):
		check("service_label", errors.New("label_keys has that name, too"))
	case has(name):
		s.labeler.service = ""
	}
	if n := s.labeler.most(); n > maxLabels {
		check("labels", fmt.Errorf("there are %d labels with those of label_keys and the service: Loki takes %d", n, maxLabels))
	}

	keys := o.MetadataKeys
	if keys == nil {
		keys = DefaultMetadataKeys()
	}
	s.metadata, err = sources(keys, maxMetadata, maxMetadataName)
	check("metadata_keys", err)
	s.recordID = o.RecordID
	if o.RecordID && slices.ContainsFunc(s.metadata, func(k source) bool { return k.name == logID || k.name == logSeq }) {
		check("metadata_keys", errors.New("log_id and log_seq are those of record_id"))
	}

	check("tenant", checkTenant(o.Tenant, o.Header))
	if o.Tenant != "" && s.header != nil {
		s.header["X-Scope-Orgid"] = []string{o.Tenant}
	}
	switch {
	case o.MaxLineSize < 0:
		s.maxLine = -1
	case o.MaxLineSize == 0:
		s.maxLine = DefaultMaxLineSize
	default:
		s.maxLine = int(min(o.MaxLineSize, maxRequest))
	}
	return problems
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (o *Options) labels() ([]pair, error) {
	var list []pair
	for name, value := range o.Labels {
		switch err := checkName(name); {
		case err != nil:
			return nil, err
		case value == "":
			return nil, errors.New("a value is empty, which is as good as no label")
		case len(value) > maxLabelValue:
			return nil, fmt.Errorf("a value has more than %d bytes", maxLabelValue)
		case strings.ContainsRune(value, utf8.RuneError): // also true of invalid UTF-8
			return nil, errors.New("a value is not UTF-8, or has the character U+FFFD, which Loki takes for that")
		}
		list = append(list, pair{name, value})
	}
	return list, nil
}

const tenantHeader = "X-Scope-OrgID"

// checkTenant checks a tenant as Loki does (dskit, tenant.ValidTenantID).
func checkTenant(tenant string, header http.Header) error {
	if tenant == "" {
		return nil
	}
	for name := range header {
		if strings.EqualFold(name, tenantHeader) {
			return errors.New("headers has " + tenantHeader + ", too")
		}
	}
	if tenant == "." || tenant == ".." || len(tenant) > 150 || strings.ContainsFunc(tenant, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!-_.*'()", r)
	}) {
		return errors.New("not a tenant of Loki: at most 150 letters, digits and !-_.*'()")
	}
	return nil
}

// Batching returns the default batches: fewer and larger requests than most
// sinks make.
func (s *Sink) Batching() sinks.Batching {
	return sinks.Batching{Records: batchRecords, Bytes: batchBytes, Linger: batchLinger}
}

// Probe sends a push request without streams, which writes nothing. It finds
// out whether there is a Loki, and whether it takes the credentials for writing.
func (s *Sink) Probe(ctx context.Context) error {
	answer, err := s.send(ctx, nil)
	if err != nil {
		return err
	}
	if answer.Status == http.StatusUnprocessableEntity {
		return nil // that at least one stream is required; before v3 it was 204
	}
	return s.judge(answer)
}

// send sends a request, of which nothing is compressed yet.
func (s *Sink) send(ctx context.Context, request []byte) (*httpsink.Response, error) {
	s.packed = snappy.Encode(s.packed[:cap(s.packed)], request)
	s.body.Reset()
	_, err := s.body.Write(s.packed)
	if err == nil {
		err = s.body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("loki: make request body: %w", err)
	}
	return s.client.Do(ctx, httpsink.Request{Method: http.MethodPost, Header: s.header, Body: s.body, Keep: keepRefusals})
}

// statusBlocked is what Loki answers while ingestion is blocked
// (limits_config.block_ingestion_status_code).
const statusBlocked = 260

// judge returns the verdict on a request, with a word on what to do.
func (s *Sink) judge(answer *httpsink.Response) error {
	err := answer.Verdict(http.StatusNoContent)
	advice := ""
	switch answer.Status {
	case http.StatusNoContent:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		advice = "give credentials that may write: user and password in the URI, token_file or token_env, and tenant where there are several"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		advice = "there is no push API: the path of the URI is what stands before " + pushPath
	case statusBlocked:
		advice = "Loki has stored nothing, ingestion is blocked (block_ingestion_until)"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// Write sends a batch.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	defer s.streams.reset() // of what belongs to the batch
	items := s.sort(batch)
	large := slices.ContainsFunc(s.streams.list, func(st stream) bool { return st.requestSize() > maxRequest && len(st.entries) > 1 })
	if large {
		return tooLarge()
	}
	for i := range s.streams.list {
		st := &s.streams.list[i]
		err := s.push(ctx, st, items)
		if err == nil {
			continue
		}
		kind, _, _ := verdict.Of(err)
		divide := kind == verdict.TooLarge || kind == verdict.Permanent
		switch {
		case divide && len(st.entries) == 1:
			items[st.entries[0].index] = err
			continue
		case divide, i == 0 && len(items) == 0:
			// Entries that were stored and are sent again with their half are
			// stored once.
			return err
		}
		for _, rest := range s.streams.list[i:] {
			for _, e := range rest.entries {
				items[e.index] = err
			}
		}
		break
	}
	if len(items) == 0 {
		return nil
	}
	return &sinks.BatchError{Items: items}
}

// sort makes streams of a batch. It returns the verdicts on records that cannot
// be sent.
func (s *Sink) sort(batch []sinks.Event) map[int]error {
	items := make(map[int]error)
	var before uint64
	for i, e := range batch {
		line := e.JSON()
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		switch t := e.Time(); {
		case len(line) == 0:
			items[i] = sinks.Permanent(errors.New("loki: the record cannot be rendered"))
		case s.maxLine >= 0 && len(line) > s.maxLine:
			items[i] = sinks.Permanent(fmt.Errorf("loki: the line has %d bytes, which is more than %d: if Loki takes that, set max_line_size", len(line), s.maxLine))
		case !t.IsZero() && !representable(t):
			items[i] = sinks.Permanent(fmt.Errorf("loki: the time %s has no nanoseconds since 1970 in 64 bits", t.Format(time.RFC3339)))
		default:
			labels := s.labeler.of(e)
			s.streams.of(labels).add(entry{
				index:    i,
				at:       s.clock.at(e, i, before, labels, line),
				line:     line,
				metadata: s.streams.metadata(e, s.metadata, s.recordID),
			})
		}
		before = e.ID().Seq
	}
	for i := range s.streams.list {
		s.streams.list[i].sort()
	}
	return items
}

func tooLarge() error {
	return sinks.TooLarge(fmt.Errorf("loki: the request would have more than %d bytes", maxRequest))
}

// idOf is the identity of a record as structured metadata.
func idOf(e sinks.Event) []pair {
	id := e.ID()
	return []pair{{logID, id.Log}, {logSeq, strconv.FormatUint(id.Seq, 10)}}
}

// push sends a stream. Verdicts on single records go into items; nil means that
// these are all there is to say.
func (s *Sink) push(ctx context.Context, st *stream, items map[int]error) error {
	if st.requestSize() > maxRequest {
		return tooLarge()
	}
	s.plain = st.appendRequest(s.plain[:0])
	answer, err := s.send(ctx, s.plain)
	if err != nil {
		return err
	}
	err = s.judge(answer)
	if kind, _, _ := verdict.Of(err); answer.Status != http.StatusBadRequest || kind != verdict.Permanent {
		return err
	}
	// Some were refused, and the others stored: nothing of this is sent again.
	for i, fate := range s.fates(answer, st) {
		switch fate {
		case refused:
			items[st.entries[i].index] = err
		case unknown:
			items[st.entries[i].index] = fmt.Errorf("loki: it is not known whether the record is stored: Loki has refused others: %s", answer.Quote())
		}
	}
	return nil
}

// fates is what has become of each entry. If that cannot be made out, they have
// all been refused, for all that is known.
func (s *Sink) fates(answer *httpsink.Response, st *stream) []fate {
	if answer.Err == nil {
		if f := fates(answer.Body, st); f != nil {
			return f
		}
	}
	return slices.Repeat([]fate{refused}, len(st.entries))
}

// Close closes the connections.
func (s *Sink) Close() error { return s.client.Close() }
