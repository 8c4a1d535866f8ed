package elasticsearch_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/elasticsearch"
	"github.com/fapilog/fapilog/slogtest"
)

// These tests are against a server that answers by a script.

// newServer starts a server that has every index and stores all documents, after
// the script, which is for those alone.
func newServer(t *testing.T, script ...slogtest.Answer) *slogtest.Server {
	t.Helper()
	s := slogtest.NewServer(t)
	s.Handle(func(r slogtest.Request) slogtest.Answer {
		switch {
		case r.Path == "/":
			return slogtest.Answer{Body: `{"version":{"number":"7.17.28"}}`}
		case !strings.Contains(r.Path, "_bulk"):
			return slogtest.Answer{}
		case len(script) > 0:
			next := script[0]
			script = script[1:]
			return next
		}
		return slogtest.Answer{Body: statuses(bytes.Count(r.Body, []byte("\n"))/2, 201)}
	})
	return s
}

// statuses is an answer with n items that have the same status.
func statuses(n, status int) string {
	return items(slices.Repeat([]string{fmt.Sprintf(`{"status":%d}`, status)}, n)...)
}

// items is an answer.
func items(all ...string) string {
	var list []string
	for _, item := range all {
		list = append(list, `{"create":`+item+`}`)
	}
	return `{"items":[` + strings.Join(list, ",") + `]}`
}

// bulks returns the requests with documents.
func bulks(s *slogtest.Server) (all []slogtest.Request) {
	for _, r := range s.Requests() {
		if strings.Contains(r.Path, "_bulk") {
			all = append(all, r)
		}
	}
	return all
}

func serverURI(s *slogtest.Server, index, parameters string) string {
	return uriOf(strings.TrimPrefix(s.URL, "http://"), index, parameters)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	batch := sinktest.NewLog("LOG", "").Batch(record("one"), record("two"))
	for _, test := range []struct{ path, parameters, target, action, encoding string }{
		{"", "", "/logs/_bulk", `{"create":{"_id":"LOG:1"}}`, ""},
		{"shop-logs", "compress=gzip", "/shop-logs/_bulk", `{"create":{"_id":"LOG:1"}}`, "gzip"},
		{"a-{yyyy.MM.dd}-b", "", "/_bulk", `{"create":{"_index":"a-2026.01.02-b","_id":"LOG:1"}}`, ""},
		{"", "data_stream=logs-a-b", "/logs-a-b/_bulk", `{"create":{"_id":"LOG:1"}}`, ""},
	} {
		s := sinktest.MustOpenURI(t, serverURI(server, test.path, test.parameters+"&headers=X-Key=value"))
		require.NoError(t, sinktest.Probe(t, s))
		for range 2 {
			require.NoError(t, s.Write(t.Context(), batch))
		}
		all := bulks(server)
		first, again := all[len(all)-2], all[len(all)-1]
		require.Equal(t, first.Raw, again.Raw)
		require.Equal(t, test.target, strings.Split(first.Path, "?")[0])
		require.Equal(t, http.MethodPost, first.Method)
		require.Equal(t, test.action, strings.Split(string(first.Body), "\n")[0])
		require.Equal(t, 4, bytes.Count(first.Body, []byte("\n")))
		require.Equal(t, "application/x-ndjson", first.Header.Get("Content-Type"))
		require.Equal(t, test.encoding, first.Header.Get("Content-Encoding"))
		require.Equal(t, "value", first.Header.Get("X-Key"))
		require.NotContains(t, first.Header, "Idempotency-Key")
		require.NotContains(t, first.Header, "Authorization")
	}
}

// said is an answer of the server that is an error.
func said(status int, kind, reason string) slogtest.Answer {
	return slogtest.Answer{Status: status, Body: fmt.Sprintf(`{"error":{"root_cause":[],"type":%q,"reason":%q},"status":%d}`, kind, reason, status)}
}

// busy is what a server says that has no memory for a request of so many bytes.
func busy(bytes string) string {
	return "rejected execution of coordinating operation [coordinating_and_primary_bytes=0, replica_bytes=0, all_bytes=0, coordinating_operation_bytes=" +
		bytes + ", max_coordinating_and_primary_bytes=51897958]"
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	batch := sinktest.NewLog("LOG", "").Batch(record("a"), record("b"))
	later := http.Header{"Retry-After": {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for _, test := range []struct {
		answer slogtest.Answer
		kind   verdict.Kind
		after  time.Duration
		text   string
	}{
		{slogtest.Answer{Status: 201, Body: statuses(2, 201)}, verdict.Hold, 0, ""},
		{slogtest.Answer{Status: 302}, verdict.Hold, 0, "redirects"},
		{said(400, "json_parse_exception", "Unexpected character"), verdict.Permanent, 0, "answered 400 Bad Request: json_parse_exception: Unexpected character"},
		{said(400, "illegal_argument_exception", "explicit index in bulk is not allowed"), verdict.Hold, 0, "explicit index"},
		{slogtest.Answer{Status: 400, Body: "the firewall says no"}, verdict.Permanent, 0, "firewall"},
		{slogtest.Answer{Status: 400, Body: "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"}, verdict.Hold, 0, ""},
		{said(401, "security_exception", "missing authentication credentials"), verdict.Hold, 0, "security_exception: missing authentication credentials: give credentials"},
		{said(403, "security_exception", "unauthorized"), verdict.Hold, 0, "create_doc"},
		{said(404, "index_not_found_exception", "no such index [x]"), verdict.Hold, 0, "create the index, or set create=true"},
		{slogtest.Answer{Status: 404}, verdict.Hold, 0, "is this the address"},
		{slogtest.Answer{Status: 405, Body: `{"error":"Incorrect HTTP method","status":405}`}, verdict.Hold, 0, "Incorrect HTTP method"},
		{slogtest.Answer{Status: 406}, verdict.Hold, 0, ""},
		{slogtest.Answer{Status: 407}, verdict.Hold, 0, ""},
		{slogtest.Answer{Status: 408}, verdict.Retry, 0, ""},
		{said(429, "es_rejected_execution_exception", "queue is full"), verdict.Retry, 0, "queue is full"},
		{said(429, "es_rejected_execution_exception", busy("51897958")), verdict.Retry, 0, "rejected execution"},
		{said(429, "es_rejected_execution_exception", busy("51897959")), verdict.TooLarge, 0, "rejected execution"},
		{said(429, "es_rejected_execution_exception", busy("99999999999999999999")), verdict.Retry, 0, "rejected execution"},
		{said(429, "cluster_block_exception", "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark"), verdict.Hold, 0, "make room"},
		{said(403, "cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)]"), verdict.Hold, 0, "remove the block"},
		{said(503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/2/no master]"), verdict.Retry, 0, "no master"},
		{slogtest.Answer{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, verdict.Retry, 7 * time.Second, ""},
		{slogtest.Answer{Status: 503, Header: later}, verdict.Retry, time.Minute, ""},
		{slogtest.Answer{Status: 500}, verdict.Retry, 0, ""},
		{slogtest.Answer{Status: 502}, verdict.Retry, 0, ""},
		{slogtest.Answer{Status: 504}, verdict.Retry, 0, ""},
		{slogtest.Answer{Status: 413}, verdict.TooLarge, 0, ""},
		{slogtest.Answer{Trouble: slogtest.CutBefore}, verdict.Retry, 0, "no answer"},
		{slogtest.Answer{Trouble: slogtest.CutAfter}, verdict.Retry, 0, "no answer"},
		{slogtest.Answer{Trouble: slogtest.Malformed}, verdict.Retry, 0, ""},
		{slogtest.Answer{Body: statuses(2, 201), Trouble: slogtest.Truncate}, verdict.Retry, 0, "it is not known what is stored: read answer"},
		{slogtest.Answer{Body: statuses(2, 201), Trouble: slogtest.Endless}, verdict.TooLarge, 0, "more than 16777216 bytes"},
		{slogtest.Answer{}, verdict.Retry, 0, "the answer is malformed"},
		{slogtest.Answer{Body: "<html>welcome</html>"}, verdict.Retry, 0, "malformed: welcome"},
		{slogtest.Answer{Body: statuses(2, 201) + "x"}, verdict.Retry, 0, "malformed"},
		{slogtest.Answer{Body: `{}`}, verdict.Retry, 0, "0 items for 2 documents"},
		{slogtest.Answer{Body: statuses(1, 201)}, verdict.Retry, 0, "1 items for 2 documents"},
		{slogtest.Answer{Body: statuses(3, 201)}, verdict.Retry, 0, "3 items for 2 documents"},
		{slogtest.Answer{Body: `{"items":[{"create":{"status":201}},{"index":{"status":201}}]}`}, verdict.Retry, 0, "an item without a status"},
		{slogtest.Answer{Body: `{"items":[{"create":{"status":201}},null]}`}, verdict.Retry, 0, "an item without a status"},
		{slogtest.Answer{Body: `{"items":[{"create":{"status":201}},{"create":{}}]}`}, verdict.Retry, 0, "an item without a status"},
	} {
		server := newServer(t, test.answer)
		// Nothing is asked before on the connection: net/http would send the documents
		// again by itself.
		s := sinktest.MustOpenURI(t, serverURI(server, "logs-{yyyy}", "create=false"))
		err := s.Write(t.Context(), batch)
		var items *sinks.BatchError
		require.False(t, errors.As(err, &items), "%v: the whole batch", test.answer)
		kind, after, _ := verdict.Of(err)
		require.Equal(t, test.kind, kind, "%v: %v", test.answer, err)
		require.Equal(t, test.after, after)
		require.ErrorContains(t, err, test.text)
		require.NoError(t, s.Write(t.Context(), batch), "the same batch, later")
	}
}

// Each document has its own verdict, and what is delivered is not sent again.
func TestVerdictsOnDocuments(t *testing.T) {
	t.Parallel()
	item := func(status int, kind, reason string) string {
		return fmt.Sprintf(`{"status":%d,"error":{"type":%q,"reason":%q}}`, status, kind, reason)
	}
	const done verdict.Kind = 255
	tests := []struct {
		item string
		kind verdict.Kind
		text string
	}{
		{`{"status":201}`, done, ""},
		{`{"status":200}`, done, ""},
		{item(409, "version_conflict_engine_exception", "document already exists"), done, ""},
		{item(409, "something_else", "x"), verdict.Retry, "answered 409 for the record: something_else: x"},
		{item(429, "es_rejected_execution_exception", "rejected execution"), verdict.Retry, "rejected execution"},
		{item(429, "cluster_block_exception", "blocked"), verdict.Hold, "make room"},
		{item(403, "cluster_block_exception", "blocked"), verdict.Hold, "remove the block"},
		{item(503, "cluster_block_exception", "blocked"), verdict.Retry, "blocked"},
		{item(403, "security_exception", "no"), verdict.Hold, "security_exception: no"},
		{item(500, "x", "y"), verdict.Retry, "x: y"},
		{item(502, "x", "y"), verdict.Retry, "x: y"},
		{item(503, "unavailable_shards_exception", "y"), verdict.Retry, "y"},
		{item(504, "x", "y"), verdict.Retry, "x: y"},
		{item(404, "index_not_found_exception", "no such index"), verdict.Hold, "create the index"},
		{item(413, "x", "y"), verdict.Permanent, "x: y"},
		{item(400, "index_closed_exception", "closed"), verdict.Hold, "closed"},
		{item(400, "invalid_index_name_exception", "must be lowercase"), verdict.Hold, "must be lowercase"},
		{item(400, "validation_exception", "Validation Failed: 1: this action would add [2] shards"), verdict.Hold, "would add"},
		{item(400, "illegal_argument_exception", "no write index is defined for alias [al]"), verdict.Hold, "no write index"},
		{item(400, "illegal_argument_exception", "pipeline with id [p] does not exist"), verdict.Hold, "pipeline"},
		{item(400, "illegal_argument_exception", "Number of documents in the index can't exceed [2147483519]"), verdict.Hold, "can't exceed"},
		{item(500, "fail_processor_exception", "not in our logs"), verdict.Permanent, "not in our logs"},
		{`{"status":202}`, verdict.Retry, "without a reason"},
		{`{"status":410}`, verdict.Hold, "without a reason"},
	}
	var all []string
	var records []slog.Record
	for _, test := range tests {
		all = append(all, test.item)
		records = append(records, record("record"))
	}
	server := newServer(t, slogtest.Answer{Body: items(all...)})
	s := sinktest.MustOpenURI(t, serverURI(server, "", ""))
	got := itemsOf(t, s.Write(t.Context(), sinktest.NewLog("LOG", "").Batch(records...)))
	require.Len(t, bulks(server), 1)
	for i, test := range tests {
		if test.kind == done {
			require.NoError(t, got[i], test.item)
			continue
		}
		require.Equal(t, test.kind, sinktest.KindOf(got[i]), "%s: %v", test.item, got[i])
		require.ErrorContains(t, got[i], test.text)
	}

	// Through the fan-out: those that are left come again, alone.
	server = newServer(t, slogtest.Answer{Body: items(`{"status":201}`, item(429, "x", "y"), `{"status":201}`)},
		slogtest.Answer{Body: items(item(503, "x", "y"))})
	out := sinktest.Open(t, serverURI(server, "", "batch=3&linger=1m"))
	log := slog.New(fapilog.Handler(out, nil))
	for i := range 3 {
		log.Info("record", "i", i)
	}
	sinktest.Flush(t, out)
	require.EqualValues(t, 3, out.Stats().Sinks[0].Delivered)
	requests := bulks(server)
	require.Len(t, requests, 3)
	require.Equal(t, 6, bytes.Count(requests[0].Body, []byte("\n")))
	for _, r := range requests[1:] {
		require.Equal(t, 2, bytes.Count(r.Body, []byte("\n")))
		require.Contains(t, string(r.Body), `"i":1`)
	}
}

// What servers say about a record is said without what is in it, and once for all
// records that it is said about. These are Elasticsearch 8, 7.17 and pipelines.
func TestReasons(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		`{"type":"document_parsing_exception","reason":"[1:%d] failed to parse field [attributes.a] of type [long] in document with id 'x'. Preview of field's value: 'secret'"}`:                             "document_parsing_exception: failed to parse field [attributes.a] of type [long]",
		`{"type":"document_parsing_exception","reason":"[1:%d] object mapping for [attributes.a] tried to parse field [a] as object, but found a concrete value"}`:                                            "document_parsing_exception: object mapping for [attributes.a] tried to parse field [a] as object, but found a concrete value",
		`{"type":"document_parsing_exception","reason":"[-1:%d] failed to parse","caused_by":{"type":"x_content_parse_exception","reason":"[1:%[1]d] Duplicate field 'a'\n at [Source: secret"}}`:             "document_parsing_exception: failed to parse: Duplicate field 'a'",
		`{"type":"mapper_parsing_exception","reason":"failed to parse","caused_by":{"type":"number_format_exception","reason":"For input string: \"secret %d\""}}`:                                            "mapper_parsing_exception: failed to parse: For input string",
		`{"type":"illegal_argument_exception","reason":"Provided Grok expressions do not match field value: [secret %d]"}`:                                                                                    "illegal_argument_exception: Provided Grok expressions do not match field value",
		`{"type":"dissect_exception","reason":"Unable to find match for dissect pattern: %%{a}|%%{b} against source: secret %d"}`:                                                                             "dissect_exception: Unable to find match for dissect pattern: %{a}|%{b} against source",
		`{"type":"illegal_argument_exception","reason":"unable to convert [secret %d] to integer"}`:                                                                                                           "illegal_argument_exception: unable to convert",
		`{"type":"mapper_parsing_exception","reason":"failed to parse field [a] of type [date] in document with id 'LOG:%d'. Preview of field's value: 'secret'","caused_by":{"type":"x","reason":"secret"}}`: "mapper_parsing_exception: failed to parse field [a] of type [date]",
	} {
		refused := func(n int) string { return `{"status":400,"error":` + fmt.Sprintf(said, n) + `}` }
		server := newServer(t, slogtest.Answer{Body: items(refused(1), refused(23), `{"status":201}`)}, slogtest.Answer{Body: items(refused(1), `{"status":201}`)})
		ctx, warned := warnings(t)
		err := sinktest.MustOpenURI(t, serverURI(server, "", "")).Write(ctx, sinktest.NewLog("LOG", "").Batch(numbered(3)...))
		require.Len(t, *warned, 1, "%q", *warned)
		require.True(t, strings.HasSuffix((*warned)[0], "refused: "+want), (*warned)[0])
		require.True(t, strings.HasSuffix(itemsOf(t, err)[0].Error(), "answered 400 for the record: "+want), "%v", err)
	}
}

// What becomes of records that are to be sent as texts, when that is not
// answered as it should be.
func TestSecondRequestFails(t *testing.T) {
	t.Parallel()
	refused := `{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [attributes.a] of type [long] in document with id 'x'. Preview of field's value: 'secret'"}}`
	some := slogtest.Answer{Body: items(`{"status":201}`, refused, refused)}
	every := slogtest.Answer{Body: items(refused, refused, refused)}
	batch := sinktest.NewLog("LOG", "").Batch(numbered(3)...)
	for _, test := range []struct {
		first, second slogtest.Answer
		kind          verdict.Kind
		whole         bool
	}{
		{some, slogtest.Answer{Trouble: slogtest.Malformed}, verdict.Retry, false},
		{some, slogtest.Answer{Status: 401}, verdict.Hold, false},
		{some, slogtest.Answer{Status: 413}, verdict.Retry, false},
		{every, slogtest.Answer{Status: 413}, verdict.TooLarge, true},
		{every, slogtest.Answer{Status: 503}, verdict.Retry, true},
		{some, slogtest.Answer{Body: items(refused, refused)}, verdict.Permanent, false},
	} {
		server := newServer(t, test.first, test.second)
		s := sinktest.MustOpenURI(t, serverURI(server, "", ""))
		err := s.Write(t.Context(), batch)
		require.NotContains(t, err.Error(), "secret")
		if test.whole {
			require.Equal(t, test.kind, sinktest.KindOf(err), "%v", err)
		} else {
			got := itemsOf(t, err)
			require.Len(t, got, 2)
			require.Equal(t, test.kind, sinktest.KindOf(got[1]), "%v", err)
			require.Equal(t, test.kind, sinktest.KindOf(got[2]), "%v", err)
		}
		require.Contains(t, string(bulks(server)[1].Body), `"tags":["attributes_as_text"]`)
	}
}

// An API key is read again when its file has changed, and is taken in both of the
// forms in which servers show it.
func TestAPIKeys(t *testing.T) {
	const encoded = "c29tZS1pZDpzb21lLWtleQ==" // some-id:some-key
	server := newServer(t)
	file := filepath.Join(t.TempDir(), "key")
	batch := sinktest.NewLog("LOG", "").Batch(record("one"))
	last := func() string {
		all := bulks(server)
		return all[len(all)-1].Header.Get("Authorization")
	}
	require.NoError(t, os.WriteFile(file, []byte("some-id:some-key\n"), 0o600))
	s := sinktest.MustOpenURI(t, serverURI(server, "", "api_key_file="+file))
	require.NoError(t, s.Write(t.Context(), batch))
	require.Equal(t, "ApiKey "+encoded, last())
	require.NoError(t, os.WriteFile(file, []byte("\ufeffbmV3OmtleQ=="), 0o600))
	require.NoError(t, s.Write(t.Context(), batch))
	require.Equal(t, "ApiKey bmV3OmtleQ==", last())
	require.NoError(t, os.Remove(file))
	err := s.Write(t.Context(), batch)
	require.ErrorContains(t, err, "read api_key_file: no such file")
	require.Equal(t, verdict.Hold, sinktest.KindOf(err))

	t.Setenv("ELASTICSEARCH_TEST_KEY", "some-id:some-key")
	require.NoError(t, sinktest.MustOpenURI(t, serverURI(server, "", "api_key_env=ELASTICSEARCH_TEST_KEY")).Write(t.Context(), batch))
	require.Equal(t, "ApiKey "+encoded, last())
	made, err := elasticsearch.New(server.URL, elasticsearch.Options{APIKey: encoded})
	require.NoError(t, err)
	require.NoError(t, made.Write(t.Context(), batch))
	require.Equal(t, "ApiKey "+encoded, last())

	// The parts of the key are not shown, wherever they come from.
	server.SetDefault(slogtest.Answer{Status: 401, Body: "some-key and " + encoded})
	err = made.Write(t.Context(), batch)
	require.NotContains(t, err.Error(), "some-key")
	require.NotContains(t, err.Error(), encoded)
	require.NoError(t, made.Close())
}
