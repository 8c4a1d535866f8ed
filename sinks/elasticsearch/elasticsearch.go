// Package elasticsearch sends records to Elasticsearch and OpenSearch: each batch
// is one bulk request, and each record a document with the field names of the
// Elastic Common Schema (ECS).
//
// # URI
//
//	elasticsearch://elastic:secret@es:9200/logs
//	elasticsearch+https://es.example.com:443/logs-{yyyy.MM.dd}?api_key_file=/run/secrets/key
//	opensearch+https://search.example.com?data_stream=logs-shop-prod&ca_file=/etc/ssl/ours.pem
//
// elasticsearch and opensearch are the same: HTTP, and with +https TLS. Without
// a port it is 9200. The path is the index, logs if there is none. What stands in
// braces in it is the date of the record, in UTC, made of yyyy, MM, dd and HH.
// User information is sent as basic authentication.
//
//	data_stream   data stream, instead of an index
//	create        whether what is missing is created (default true)
//	api_key_file  file with an API key, as id:key or as the base64 of that; read
//	                again when it has changed
//	api_key_env   environment variable with an API key, read at start-up
//	compress      none or gzip (default none)
//	headers       headers to add, as X-Scope=a,X-Other=b
//	token_file    file with a bearer token, read again when it has changed
//	token_env     environment variable with a bearer token, read at start-up
//	ca_file       PEM file with the authorities to trust instead of the system's
//	cert_file     PEM file with a client certificate; with key_file
//	key_file      PEM file with the key; both are read again when they have changed
//	proxy         env, none, or a URL (default env)
//
// The user or the key needs the privilege create_doc for the index, and create_index
// and view_index_metadata where the sink creates it (those of Elasticsearch).
//
// # Documents
//
//	@timestamp       the time, in UTC, with nanoseconds, of which a field of the type
//	                   date has milliseconds
//	log.level        debug, info, warn, error, info+1, ...
//	message
//	service.name     the service of the configuration
//	trace.id         the attribute trace_id or trace.id, if it is a text
//	span.id          span_id or span.id, likewise
//	error.message    err or error, if it is an error or a text
//	log.origin       function, file.name and file.line, of records with their source
//	event.sequence   the number of the record in its log: the order of records with
//	                   the same timestamp
//	ecs.version
//	attributes       an object with all attributes; groups are objects in it
//
// The attributes are below one key because ECS has objects with names such as
// host, user and error, which an attribute of that name would clash with. They have
// the values that [slog.JSONHandler] prints, numbers with all their digits, but NaN
// and infinity, which are texts. Durations are in nanoseconds. Several attributes
// with the same key become an array of their values.
//
// A server stores what it gets as it is, and makes the type of a field of the first
// value that it sees. A record that does not fit, because an attribute was a number
// first and is an object now, is refused. It is sent once more, in the same Write,
// with the line that slog.JSONHandler prints in event.original instead of
// attributes, and with the tag attributes_as_text: it is found by everything else,
// and nothing is lost. So are records with fields that the server has no place for
// (keys that are empty, too many fields), whose attributes are nested deeper than 20,
// or whose time is not in the years 0 to 9999. The sink warns of each reason once
// (sinks.Warn).
//
// A record without a time has that of the first attempt to send it, and the tag
// time_of_delivery.
//
// # Index
//
// An index that is missing is created with a mapping: of the fields above, texts as
// keyword (those of more than 1024 characters are not indexed), fractions as double, no guessing of
// dates, and ignore_malformed, with which the server stores most values that do not
// fit a field, and leaves them out of the index. With create=false, an index that is missing is an
// error, but for one with a date, which is left to the server and its templates. A data
// stream is created if there is a template for it. The sink creates no templates:
// these could be for other people's indices as well. It asks for each name once: an
// index that is deleted while the program runs is created again by the server, if
// that is configured (action.auto_create_index), without the mapping, and by the
// sink otherwise.
//
// # Delivery
//
// Each record once. The id of the document is that of the record, log:number, and a
// document is created, never replaced: what is sent again after an answer that was
// lost is there already. Only where the name stands for another index in between, as
// when a data stream rolls over, it can be there twice.
//
// At start-up, and before a held batch is tried again, the sink asks the server for
// its version, and whether the index is there.
//
// Where nothing else is configured, a batch has up to 5000 records and 2 MiB (of
// memory, which is as a rule up to 5 MB of JSON), and waits 500 ms to fill up.
//
// # Errors
//
// For a document:
//
//	200, 201                 delivered
//	409 version conflict     delivered before
//	429, 500, 502, 503, 504  tried again, without those that are delivered
//	400 for its fields       sent as a text, see above; if that is refused, rejected
//	413                      rejected
//	500 of the processor     rejected
//	  fail of a pipeline
//	400 index closed or      kept (sinks.Hold)
//	  full, name invalid, too many shards, no write index, no pipeline; 401, 403,
//	  404
//	an index or a cluster that is blocked, as for a full disk, with 403 or 429
//	                         kept
//
// For the request:
//
//	no answer, half of it,   tried again: it is not known what is stored
//	  or one that makes no sense
//	408, 429, 500, 502,      tried again; after Retry-After, if the answer has that
//	  503, 504
//	413, or 429 with a limit sent in two halves; a single record is rejected
//	  (indexing_pressure) that the request is over by itself
//	400 for its JSON         likewise, until the refused records stand alone
//	401, 403, 404, 3xx, all  kept: a key that is being replaced costs no data
//	  other
//
// Errors have the type and the reason that the server gives, without the parts that
// are known to quote the record, and show of the URL only scheme://host.
package elasticsearch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() {
	for _, scheme := range []string{"elasticsearch", "opensearch"} {
		registry.Register(scheme, Open)
		registry.Register(scheme+"+https", Open)
	}
}

const defaultPort = "9200"

// Open makes the sink of a URI with the scheme elasticsearch or opensearch, or
// one of these with +https. It is registered for all of them. It reads the files
// that the URI names, and connects to nothing.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	scheme := "http"
	if strings.HasSuffix(uri.Scheme, "+https") {
		scheme = "https"
	}
	h := httpsink.FromURI(uri, scheme)
	h.URL = httpsink.WithPort(scheme+"://"+uri.Host, defaultPort)
	h.APIKeyFile = uri.Text("api_key_file", "")
	h.APIKeyEnv = uri.Text("api_key_env", "")
	for _, name := range []string{"api_key_file", "api_key_env"} {
		if uri.Has(name) && uri.Text(name, "") == "" {
			uri.Reject(name, "it is empty")
		}
	}
	h.Compress = uri.Enum("compress", "none", "none", "gzip")
	h.Check(uri)
	o := Options{
		Index:      strings.TrimPrefix(uri.PublicPath(), "/"),
		DataStream: uri.Public("data_stream", ""),
		NoCreate:   !uri.Bool("create", true),
	}
	if uri.Has("data_stream") && o.DataStream == "" {
		uri.Reject("data_stream", "it is empty")
	}
	var path error // which is no parameter
	for _, p := range o.load(new(Sink)) {
		if p.name == "index" {
			path = fmt.Errorf("elasticsearch: open %s: the path is not the name of an index: %s", uri, p.reason)
		} else {
			uri.Reject(p.name, p.reason)
		}
	}
	err := uri.Check()
	if path != nil {
		err = errors.Join(path, err)
	}
	if err != nil {
		return nil, err
	}
	s, err := newSink(h, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}
