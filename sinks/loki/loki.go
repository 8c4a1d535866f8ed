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
// nanosecond that is free; when it is sent again, it is moved to the same. For
// that, a sink remembers the last 32768 records at least, and so many are the most
// that it takes in one batch. It does not know those of other programs, whose
// streams should have other labels. A record without a time has that of the first
// attempt to send it. One whose time is before the year 1678 or after 2262 is
// rejected.
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
// timestamps and lines, of which a query for logs finds one. A query for metrics
// may count both, if Loki has cut a block in between (ingester.chunk_block_size,
// 256 KiB): it does not look for equal entries in other blocks of a chunk then.
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
//	                           Those whose fate it leaves open are sent again. If
//	                           there is anything in it that is not understood, all of
//	                           the stream are rejected
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
	"strings"

	"github.com/fapilog/fapilog/internal/httpsink"
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
		h.URL = httpsink.WithPort(h.URL, defaultPort)
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

// withPath adds the path of the API to a URL, unless it is there.
func withPath(text string) string {
	text = strings.TrimRight(text, "/")
	if strings.HasSuffix(text, pushPath) {
		return text
	}
	return text + pushPath
}
