package elasticsearch_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks/elasticsearch"
	"github.com/fapilog/fapilog/slogtest"
)

func TestMisconfigured(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"elasticsearch://h/Logs":                            "the path is not the name of an index: a name is in lower case",
		"elasticsearch://h/_logs":                           "does not begin with",
		"elasticsearch://h/a/b":                             "none of the characters",
		"elasticsearch://h/a%20b":                           "none of the characters",
		"elasticsearch://h/..":                              "more than dots",
		"elasticsearch://h/" + strings.Repeat("x", 256):     "at most 255 bytes",
		"elasticsearch://h/a%ff":                            "it is not UTF-8",
		"elasticsearch://h/logs-{yyyy":                      "a { without a }",
		"elasticsearch://h/logs-yyyy}":                      "a } without a {",
		"elasticsearch://h/logs-{}":                         "there is no date in the braces",
		"elasticsearch://h/logs-{.}":                        "there is no date in the braces",
		"elasticsearch://h/logs-{YYYY}":                     "write for example {yyyy.MM.dd}",
		"elasticsearch://h/logs?data_stream=logs":           "parameter data_stream: there is an index as well",
		"elasticsearch://h?data_stream=logs-{yyyy}":         "parameter data_stream: there is a date in it",
		"elasticsearch://h?data_stream=-":                   "parameter data_stream: a name does not begin with",
		"elasticsearch://h?data_stream=":                    "parameter data_stream: it is empty",
		"elasticsearch://h?api_key_file=":                   "parameter api_key_file: it is empty",
		"elasticsearch://u:p@h?api_key_env=HOME":            "parameter api_key_env: there are other credentials",
		"elasticsearch://h?api_key_env=NO_SUCH_VARIABLE":    "parameter api_key_env: the environment variable that it names is not set",
		"opensearch+https://h?compress=zstd":                "parameter compress: not one of none, gzip",
		"opensearch+https://h/Logs?compress=zstd":           "parameter compress: not one of none, gzip",
		"elasticsearch://h/x{HH}y{dd}?headers=Connection=x": "parameter headers: Connection cannot be chosen",
	} {
		_, err := sinktest.OpenURI(t, uri)
		require.ErrorContains(t, err, want, uri)
	}
	_, err := elasticsearch.New("http://h/prefix?x", elasticsearch.Options{Index: "A", DataStream: "B"})
	require.EqualError(t, err, "elasticsearch: open: data_stream: there is an index as well, as the path of a URI: leave one of them out\n"+
		"elasticsearch: open: data_stream: a name is in lower case\n"+
		"elasticsearch: open: url: it has a path or a query: the index is an option")
	_, err = elasticsearch.New("ftp://h", elasticsearch.Options{})
	require.ErrorContains(t, err, "elasticsearch: open")
}

// Records are in the index of their own time, in UTC.
func TestIndexWithDate(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		index := e.Index()
		s := sinktest.MustOpenURI(t, uriOf(e.Address, index+"-{yyyy.MM.dd}-{HH}h", ""))
		require.NoError(t, sinktest.Probe(t, s))
		of := func(at time.Time) slog.Record { return slog.NewRecord(at, slog.LevelInfo, "record", 0) }
		batch := sinktest.NewLog("LOG", "").Batch(
			of(time.Date(2026, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600))), of(at), of(at.Add(time.Minute)), of(at.Add(time.Hour)),
			of(time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)), of(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)))
		for range 2 {
			require.NoError(t, s.Write(t.Context(), batch))
		}
		var got []string
		for _, d := range mustHave(t, e, index+"-*", len(batch)) {
			got = append(got, strings.TrimPrefix(d.Index, index))
		}
		require.Equal(t, []string{"-2025.12.31-23h", "-2026.01.02-03h", "-2026.01.02-03h", "-2026.01.02-04h", "-1969.12.31-23h", "-1970.01.01-00h"}, got)
		require.Contains(t, string(e.Do(http.MethodGet, "/"+index+"-2026.01.02-04h/_mapping", "")), `"date_detection":false`)

		// The server's own.
		left := sinktest.MustOpenURI(t, uriOf(e.Address, index+"-left-{yyyy}", "create=false"))
		require.NoError(t, sinktest.Probe(t, left))
		require.NoError(t, left.Write(t.Context(), batch[:1]))
		require.NotContains(t, string(e.Do(http.MethodGet, "/"+index+"-left-2025/_mapping", "")), `"date_detection":false`)
	})
}

// A time that no date can be made of is in the index of the timestamp that the
// document has instead.
func TestIndexOfOddTime(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s := sinktest.MustOpenURI(t, serverURI(server, "{yyyy.MM.dd}-logs", ""))
	batch := sinktest.NewLog("LOG", "").Batch(
		slog.NewRecord(time.Date(-5, 6, 7, 0, 0, 0, 0, time.UTC), slog.LevelInfo, "before", 0),
		slog.NewRecord(time.Date(12026, 6, 7, 0, 0, 0, 0, time.UTC), slog.LevelInfo, "after", 0))
	require.NoError(t, s.Write(t.Context(), batch))
	lines := strings.Split(string(bulks(server)[0].Body), "\n")
	require.Equal(t, `{"create":{"_index":"0000.01.01-logs","_id":"LOG:1"}}`, lines[0])
	require.Contains(t, lines[1], `"@timestamp":"0000-01-01T00:00:00Z"`)
	require.Equal(t, `{"create":{"_index":"9999.12.31-logs","_id":"LOG:2"}}`, lines[2])
	require.Contains(t, lines[3], `"@timestamp":"9999-12-31T23:59:59.999999999Z"`)
}

// An index that is missing is an error at start-up, if it is not to be created.
func TestMissingIndex(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		index := e.Index()
		_, err := fapilog.Open(t.Context(), uriOf(e.Address, index, "create=false"))
		require.ErrorContains(t, err, "create it, or set create=true")
		_, err = fapilog.Open(t.Context(), uriOf(e.Address, index, "create=false&soft_start=true"))
		require.ErrorContains(t, err, "create it, or set create=true", "that the server is down is waived, and nothing else")
		e.Do(http.MethodPut, "/"+index, "")
		require.NoError(t, sinktest.Probe(t, sinktest.MustOpenURI(t, uriOf(e.Address, index, "create=false"))))
	})
}

// Somebody else may create the index at the same time.
func TestIndexThatIsCreatedByTwo(t *testing.T) {
	t.Parallel()
	server := slogtest.NewServer(t)
	missing := true
	server.Handle(func(r slogtest.Request) slogtest.Answer {
		switch {
		case r.Method == http.MethodHead && missing:
			return slogtest.Answer{Status: 404}
		case r.Method == http.MethodPut:
			missing = false
			return said(400, "resource_already_exists_exception", "index [logs] already exists")
		}
		return slogtest.Answer{Body: statuses(1, 201)}
	})
	s := sinktest.MustOpenURI(t, serverURI(server, "", ""))
	log := sinktest.NewLog("LOG", "")
	for range 3 {
		require.NoError(t, s.Write(t.Context(), log.Batch(record("record"))))
	}
	require.Len(t, server.Requests(), 2+3, "it is asked for once")

	for answer, want := range map[string]verdict.Kind{"429": verdict.Retry, "403": verdict.Hold, "400": verdict.Hold} {
		server.Handle(func(r slogtest.Request) slogtest.Answer {
			if r.Method == http.MethodHead {
				return slogtest.Answer{Status: 404}
			}
			return said(map[string]int{"429": 429, "403": 403, "400": 400}[answer], "some_exception", "why")
		})
		err := sinktest.MustOpenURI(t, serverURI(server, "", "")).Write(t.Context(), log.Batch(record("record")))
		require.ErrorContains(t, err, "create the index logs: ")
		require.ErrorContains(t, err, "some_exception: why")
		require.Equal(t, want, sinktest.KindOf(err))
	}
}

// A data stream has records once, is created if there is a template, and if not the
// error has one.
func TestDataStreams(t *testing.T) {
	t.Parallel()
	e := testserver.SharedOpenSearch(t)
	name := e.Index()
	uri := "opensearch://" + e.Address + "?data_stream=" + name + "-stream"
	_, err := fapilog.Open(t.Context(), uri)
	require.ErrorContains(t, err, "no matching index template found for data stream")
	require.ErrorContains(t, err, `PUT /_index_template/`+name+`-stream {"index_patterns":["`+name+`-stream"],"data_stream":{}}`)
	e.Do(http.MethodPut, "/_index_template/"+name, `{"index_patterns":["`+name+`-stream"],"data_stream":{}}`)
	t.Cleanup(func() {
		e.Do(http.MethodDelete, "/_data_stream/"+name+"-stream", "")
		e.Do(http.MethodDelete, "/_index_template/"+name, "")
	})
	_, err = fapilog.Open(t.Context(), uri+"&create=false")
	require.ErrorContains(t, err, "there is no data stream "+name+"-stream: create it, or set create=true")

	s := sinktest.MustOpenURI(t, uri)
	require.NoError(t, sinktest.Probe(t, s))
	require.NoError(t, sinktest.Probe(t, s))
	log := sinktest.NewLog("LOG", "")
	batch := log.Batch(append(numbered(3), slog.Record{Message: "timeless"})...)
	for range 2 {
		require.NoError(t, s.Write(t.Context(), batch))
	}
	all := mustHave(t, e, name+"-stream", 4)
	require.Equal(t, []string{"time_of_delivery"}, all[3].Tags)

	// As fields, or as a text.
	ctx, warned := warnings(t)
	require.NoError(t, s.Write(ctx, log.Batch(record("conflict", "i", "text"), slog.NewRecord(time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), slog.LevelInfo, "far", 0))))
	all = mustHave(t, e, name+"-stream", 6)
	require.Equal(t, []string{"attributes_as_text"}, all[4].Tags)
	require.Contains(t, all[5].Event.Original, `"msg":"far"`)
	require.Len(t, *warned, 2)
}

// What is found at start-up says what to do.
func TestNotThere(t *testing.T) {
	t.Parallel()
	address := testserver.Address(testserver.Port(t))
	_, err := fapilog.Open(t.Context(), uriOf(address, "", ""))
	require.ErrorContains(t, err, "elasticsearch: GET http://"+address+": no answer: ")
	require.ErrorContains(t, err, "refused")

	html := slogtest.NewServer(t)
	html.SetDefault(slogtest.Answer{Body: "<html><h1>Welcome</h1></html>", Header: http.Header{"Content-Type": {"text/html"}}})
	require.ErrorContains(t, sinktest.Probe(t, sinktest.MustOpenURI(t, serverURI(html, "", ""))), "this is neither Elasticsearch nor OpenSearch: Welcome")
	html.SetDefault(slogtest.Answer{Status: 404})
	require.ErrorContains(t, sinktest.Probe(t, sinktest.MustOpenURI(t, serverURI(html, "", ""))), "is this the address of an Elasticsearch or OpenSearch?")
	html.SetDefault(slogtest.Answer{Body: `{"status":"ok"}`})
	require.ErrorContains(t, sinktest.Probe(t, sinktest.MustOpenURI(t, serverURI(html, "", ""))), "neither Elasticsearch nor OpenSearch")
	err = sinktest.Probe(t, sinktest.MustOpenURI(t, "elasticsearch+https"+strings.TrimPrefix(html.URL, "http")))
	require.ErrorContains(t, err, "the port speaks no TLS")

	tls := slogtest.NewTLSServer(t)
	err = sinktest.Probe(t, sinktest.MustOpenURI(t, "opensearch"+strings.TrimPrefix(tls.URL, "https")))
	require.ErrorContains(t, err, "HTTPS server")
	err = sinktest.Probe(t, sinktest.MustOpenURI(t, "opensearch+https"+strings.TrimPrefix(tls.URL, "https")))
	require.ErrorContains(t, err, "name your authority with ca_file=")

	// Elasticsearch closes a connection that does not begin with TLS.
	cut := slogtest.NewServer(t)
	cut.SetDefault(slogtest.Answer{Trouble: slogtest.CutAfter})
	require.ErrorContains(t, sinktest.Probe(t, sinktest.MustOpenURI(t, serverURI(cut, "", ""))), "if the port speaks TLS, write the scheme with +https")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, sinktest.MustOpenURI(t, serverURI(cut, "", "")).Write(ctx, sinktest.NewLog("LOG", "").Batch(record("x"))), context.Canceled)
}
