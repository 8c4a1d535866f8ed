package loki_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/loki"
	"github.com/fapilog/fapilog/slogtest"
)

// These tests are against a server that answers by a script.

// newServer starts a server that answers as Loki does, after the script.
func newServer(t *testing.T, script ...slogtest.Answer) *slogtest.Server {
	t.Helper()
	s := slogtest.NewServer(t, script...)
	s.SetDefault(slogtest.Answer{Status: http.StatusNoContent})
	return s
}

// timestamps returns those of a request with one stream, in nanoseconds.
func timestamps(t *testing.T, r slogtest.Request) (all []int64) {
	t.Helper()
	request, err := snappy.Decode(nil, r.Body)
	require.NoError(t, err)
	for _, stream := range fields(t, request)[1] {
		for _, entry := range fields(t, stream)[2] {
			var seconds, nanos uint64
			for p := fields(t, entry)[1][0]; len(p) > 0; {
				n, _, size := protowire.ConsumeTag(p)
				v, more := protowire.ConsumeVarint(p[size:])
				require.Positive(t, more)
				if n == 1 {
					seconds = v
				} else {
					nanos = v
				}
				p = p[size+more:]
			}
			all = append(all, time.Unix(int64(seconds), int64(nanos)).UnixNano())
		}
	}
	return all
}

// fields returns the fields of a message that are bytes.
func fields(t *testing.T, message []byte) map[protowire.Number][][]byte {
	t.Helper()
	all := make(map[protowire.Number][][]byte)
	for len(message) > 0 {
		n, _, size := protowire.ConsumeTag(message)
		require.Positive(t, size)
		value, more := protowire.ConsumeBytes(message[size:])
		require.Positive(t, more)
		all[n] = append(all[n], value)
		message = message[size+more:]
	}
	return all
}

func TestRequests(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	batch := sinktest.NewLog("LOG", "").Batch(record(at, "one"), record(at.Add(-time.Hour), "two"), record(at, "one"))
	for _, test := range []struct{ path, parameters, target, tenant string }{
		{"", "", "/loki/api/v1/push", ""},
		{"/", "tenant=a.b", "/loki/api/v1/push", "a.b"},
		{"/pre%2Ffix/", "headers=X-Scope-OrgID=c", "/pre%2Ffix/loki/api/v1/push", "c"},
		{"/x/loki/api/v1/push", "", "/x/loki/api/v1/push", ""},
	} {
		s := sinktest.MustOpenURI(t, uriOf(server.URL+test.path, test.parameters))
		for range 2 {
			require.NoError(t, s.Write(t.Context(), batch))
		}
		require.NoError(t, s.(sinks.Prober).Probe(t.Context()), "as before Loki v3")
		all := server.Requests()
		first, again, probe := all[len(all)-3], all[len(all)-2], all[len(all)-1]
		require.Equal(t, first.Raw, again.Raw)
		require.Equal(t, []int64{at.Add(-time.Hour).UnixNano(), at.UnixNano(), at.UnixNano() + 1}, timestamps(t, first), "sorted")
		require.Empty(t, timestamps(t, probe))
		for _, r := range []slogtest.Request{first, probe} {
			require.Equal(t, http.MethodPost, r.Method)
			require.Equal(t, test.target, r.Path)
			require.Equal(t, test.tenant, r.Header.Get("X-Scope-OrgID"))
			require.Equal(t, "application/x-protobuf", r.Header.Get("Content-Type"))
			require.NotContains(t, r.Header, "Content-Encoding")
			require.NotContains(t, r.Header, "Idempotency-Key")
		}
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	batch := sinktest.NewLog("LOG", "").Batch(record(at, "a"), record(at, "b"))
	later := http.Header{"Retry-After": {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for _, test := range []struct {
		answer slogtest.Answer
		kind   verdict.Kind
		after  time.Duration
	}{
		{slogtest.Answer{Status: 200}, verdict.Hold, 0},
		{slogtest.Answer{Status: 260}, verdict.Hold, 0},
		{slogtest.Answer{Status: 302}, verdict.Hold, 0},
		{slogtest.Answer{Status: 401}, verdict.Hold, 0},
		{slogtest.Answer{Status: 403}, verdict.Hold, 0},
		{slogtest.Answer{Status: 404}, verdict.Hold, 0},
		{slogtest.Answer{Status: 405}, verdict.Hold, 0},
		{slogtest.Answer{Status: 407}, verdict.Hold, 0},
		{slogtest.Answer{Status: 400, Body: "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"}, verdict.Hold, 0},
		{slogtest.Answer{Status: 408}, verdict.Retry, 0},
		{slogtest.Answer{Status: 429}, verdict.Retry, 0},
		{slogtest.Answer{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, verdict.Retry, 7 * time.Second},
		{slogtest.Answer{Status: 503, Header: later}, verdict.Retry, time.Minute},
		{slogtest.Answer{Status: 500}, verdict.Retry, 0},
		{slogtest.Answer{Status: 502}, verdict.Retry, 0},
		{slogtest.Answer{Status: 504}, verdict.Retry, 0},
		{slogtest.Answer{Status: 413}, verdict.TooLarge, 0},
		{slogtest.Answer{Status: 422}, verdict.Permanent, 0},
		{slogtest.Answer{Trouble: slogtest.CutBefore}, verdict.Retry, 0},
		{slogtest.Answer{Status: 204, Trouble: slogtest.CutAfter}, verdict.Retry, 0},
		{slogtest.Answer{Trouble: slogtest.Malformed}, verdict.Retry, 0},
	} {
		server := newServer(t, test.answer)
		s := sinktest.MustOpenURI(t, uriOf(server.URL, ""))
		err := s.Write(t.Context(), batch)
		var items *sinks.BatchError
		require.False(t, errors.As(err, &items), "%v: the whole batch", test.answer)
		kind, after, _ := verdict.Of(err)
		require.Equal(t, test.kind, kind, "%v: %v", test.answer, err)
		require.Equal(t, test.after, after)
		require.NoError(t, s.Write(t.Context(), batch), "the same batch, later")
		if requests := server.Requests(); len(requests) == 2 {
			require.Equal(t, requests[0].Raw, requests[1].Raw)
		}
	}
}

// What came before a stream that fails is delivered, and what comes after it is
// not tried.
func TestStreamsThatFail(t *testing.T) {
	t.Parallel()
	batch := sinktest.NewLog("LOG", "").Batch(record(at, "a", "k", 1), record(at, "b", "k", 2), record(at, "c", "k", 1), record(at, "d", "k", 3))
	for status, kind := range map[int]verdict.Kind{429: verdict.Retry, 503: verdict.Retry, 260: verdict.Hold, 401: verdict.Hold} {
		server := newServer(t, slogtest.Answer{Status: 204}, slogtest.Answer{Status: status})
		s := sinktest.MustOpenURI(t, uriOf(server.URL, "label_keys=k"))
		err := s.Write(t.Context(), batch)
		items := err.(*sinks.BatchError).Items
		require.Len(t, server.Requests(), 2)
		require.Len(t, items, 2)
		require.Equal(t, kind, sinktest.KindOf(items[1]))
		require.Equal(t, kind, sinktest.KindOf(items[3]))
	}
	// A single record that is refused costs no others.
	server := newServer(t, slogtest.Answer{Status: 204}, slogtest.Answer{Status: 413})
	err := sinktest.MustOpenURI(t, uriOf(server.URL, "label_keys=k")).Write(t.Context(), batch)
	require.Len(t, server.Requests(), 3)
	require.Len(t, err.(*sinks.BatchError).Items, 1)
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(err.(*sinks.BatchError).Items[1]))
	// More of them are halved, which only a batch can be.
	server = newServer(t, slogtest.Answer{Status: 413})
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(sinktest.MustOpenURI(t, uriOf(server.URL, "label_keys=k")).Write(t.Context(), batch)))
	// So it is as soon as it has nothing else in it: what is delivered is not sent again.
	batch = sinktest.NewLog("LOG", "").Batch(record(at, "a", "k", 1), record(at, "b", "k", 2), record(at, "c", "k", 2), record(at, "d", "k", 3))
	server = newServer(t, slogtest.Answer{Status: 204}, slogtest.Answer{Status: 413}, slogtest.Answer{Status: 413})
	s := sinktest.MustOpenURI(t, uriOf(server.URL, "label_keys=k"))
	items := s.Write(t.Context(), batch).(*sinks.BatchError).Items
	require.Len(t, items, 3)
	for i := 1; i < len(batch); i++ {
		kind, after, told := verdict.Of(items[i])
		require.Equal(t, verdict.Retry, kind)
		require.Zero(t, after)
		require.True(t, told, "at once")
	}
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(s.Write(t.Context(), batch[1:])))
	require.Len(t, server.Requests(), 3)
}

// What is made of texts that come with a 400, of which nothing is sent again.
func TestPartlyRefused(t *testing.T) {
	t.Parallel()
	const stream = `{app="5 errors like: x has timestamp too old: ", service_name="x"}`
	var records []slog.Record
	for i := range 10 {
		records = append(records, record(at.Add(time.Duration(9-i)*time.Second), strings.Repeat("x", 10*i), "trace_id", fmt.Sprint(i)))
	}
	all := map[int]verdict.Kind{}
	for i := range records {
		all[i] = verdict.Permanent
	}
	const p, r = verdict.Permanent, verdict.Retry
	for _, test := range []struct {
		text string
		want map[int]verdict.Kind
	}{
		// Of the distributor. The oldest are the last.
		{`entry for stream '` + stream + `' has timestamp too old: 2026, oldest acceptable timestamp is: 2027`, map[int]verdict.Kind{9: p}},
		{`2 errors like: entry for stream '` + stream + `' has timestamp too old: 1; 1 errors like: entry for stream '` + stream + `' has timestamp too old: 2`, map[int]verdict.Kind{9: p, 8: p, 7: p}},
		{`1 errors like: entry for stream '` + stream + `' has timestamp too new: 1; 1 errors like: entry for stream '` + stream + `' has timestamp too old: 2`, map[int]verdict.Kind{0: p, 9: p}},
		{`2 errors like: entry for stream '` + stream + `' has timestamp too old: 1, oldest acceptable timestamp is: 9; 3 errors like: entry for stream '` + stream + `' has timestamp too old: 2, oldest acceptable timestamp is: 9`, map[int]verdict.Kind{9: p, 8: p, 7: p, 6: p, 5: p}},
		{`2 errors like: entry for stream '` + stream + `' has timestamp too new: 1; 2 errors like: entry for stream '` + stream + `' has timestamp too old: 2`, map[int]verdict.Kind{0: p, 1: p, 9: p, 8: p}},
		{`entry for stream '` + stream + `' has 16 label names; limit 15`, all},
		// A value that is quoted as it is says nothing.
		{`stream '` + stream + `' has label value too long: '", total ignored: 1 out of 10'`, all},
		{`stream '` + stream + `' has label value too long: '; 1 errors like: x has timestamp too old: '`, all},
		{`missing required labels team for user fake`, all},
		{`10 errors like: stream '` + stream + `' includes structured metadata, but this feature is disallowed. Please see`, all},
		// A number that does not fit, and texts that say nothing.
		{`3 errors like: max entry size '100000' bytes exceeded for stream '` + stream + `' while adding`, all},
		{`11 errors like: entry for stream '` + stream + `' has timestamp too old: 1`, all},
		{`1 errors like: entry for stream '` + stream + `' has timestamp too old: 1; 2 errors like: something that Loki did not say up to v3.7`, all},
		{`couldn't parse push request`, all},
		{``, all},
		// Of the ingester.
		{"entry with timestamp 2026-01-02 03:04:05.000000006 +0000 UTC ignored, reason: 'entry too far behind',\nuser 'fake', total ignored: 3 out of 10 for stream: " + stream, map[int]verdict.Kind{9: p, 8: p, 7: p}},
		{"entry with timestamp 2026-01-02 03:04:06.000000006 +0000 UTC ignored, reason: 'entry too far behind',\nuser 'fake', total ignored: 1 out of 9 for stream: " + stream, map[int]verdict.Kind{9: p, 8: p, 0: r, 1: r, 2: r, 3: r, 4: r, 5: r, 6: r, 7: r}},
		// Of those that the distributor has left over, the first; it does not matter whose refusals they are.
		{"total ignored: 3 out of 8 for stream: " + stream, map[int]verdict.Kind{9: p, 8: p, 7: p, 0: r, 1: r, 2: r, 3: r, 4: r, 5: r, 6: r}},
		// Of one of several streams that Loki has made of it, those that are named.
		{"entry with timestamp 2026-01-02 03:04:06.000000006 +0000 UTC ignored, reason: 'entry too far behind',\nuser 'fake', total ignored: 2 out of 5 for stream: {__stream_shard__=\"1\"}", map[int]verdict.Kind{8: p, 0: r, 1: r, 2: r, 3: r, 4: r, 5: r, 6: r, 7: r, 9: r}},
		{"entry with timestamp yesterday or the day before ignored, total ignored: 1 out of 5 for stream: {__stream_shard__=\"1\"}", all},
		{"total ignored: 1 out of 11", all},
		{"total ignored: 0 out of 10", all},
		{"total ignored: 99999999999999999999 out of 10", all},
	} {
		server := newServer(t, slogtest.Answer{Status: 400, Body: test.text})
		s, err := loki.New(server.URL, loki.Options{Labels: map[string]string{"app": "5 errors like: x has timestamp too old: "}, ServiceLabel: "none"})
		require.NoError(t, err)
		batch := sinktest.NewLog("LOG", "").Batch(records...)
		err = s.Write(t.Context(), batch)
		require.NoError(t, s.Close())
		require.Len(t, server.Requests(), 1)
		got := make(map[int]verdict.Kind)
		for i, err := range err.(*sinks.BatchError).Items {
			got[i] = sinktest.KindOf(err)
		}
		require.Equal(t, test.want, got, test.text)
	}
}

// Times are exact, whatever they are.
func TestTimes(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s := sinktest.MustOpenURI(t, uriOf(server.URL, ""))
	fits := []time.Time{time.Unix(0, math.MinInt64), time.Unix(-1, 0), time.Unix(-1, 1), time.Unix(0, 0), time.Unix(0, 1), at, time.Unix(9e9, 999_999_999)}
	var records []slog.Record
	for _, t := range fits {
		records = append(records, record(t, "x"))
	}
	records = append(records, record(time.Unix(0, math.MinInt64).Add(-1), "x"), record(time.Date(2262, 12, 1, 0, 0, 0, 0, time.UTC), "x"), record(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), "x"))
	err := s.Write(t.Context(), sinktest.NewLog("LOG", "").Batch(records...))
	require.Len(t, err.(*sinks.BatchError).Items, 3)
	for i := len(fits); i < len(records); i++ {
		require.Equal(t, verdict.Permanent, sinktest.KindOf(err.(*sinks.BatchError).Items[i]))
	}
	var want []int64
	for _, t := range fits {
		want = append(want, t.UnixNano())
	}
	require.Equal(t, want, timestamps(t, server.Requests()[0]))
}

// Timestamps are unique among as many equal records as one likes, taken by
// others, and remembered for those that are sent again.
func TestEqualRecordsAreMoved(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s := sinktest.MustOpenURI(t, uriOf(server.URL, ""))
	log := sinktest.NewLog("LOG", "")
	noTime := func(ns int) slog.Record { return record(at.Add(time.Duration(ns)), "equal") }
	var all []sinks.Event
	seen := make(map[int64]bool)
	for range 20 {
		var records []slog.Record
		for i := range 500 {
			records = append(records, noTime(i%3))
		}
		all = append(all, log.Batch(records...)...)
	}
	for i := 0; i < len(all); i += 500 {
		require.NoError(t, s.Write(t.Context(), all[i:i+500]))
	}
	for _, r := range server.Requests() {
		for _, ns := range timestamps(t, r) {
			seen[ns] = true
		}
	}
	// The lines differ in their times, so a timestamp may be there three times.
	require.GreaterOrEqual(t, len(seen), len(all)/3)
	n := len(server.Requests())
	require.NoError(t, s.Write(t.Context(), all[9000:9250]))
	require.NoError(t, s.Write(t.Context(), all[9250:9500]))
	again := server.Requests()[n:]
	require.ElementsMatch(t, timestamps(t, server.Requests()[18]), append(timestamps(t, again[0]), timestamps(t, again[1])...))

	// Events of tests are all of the same log and number.
	one, two := sinks.NewEvent(noTime(0)), sinks.NewEvent(noTime(0))
	n = len(server.Requests())
	for range 2 {
		require.NoError(t, s.Write(t.Context(), []sinks.Event{one, two, one}))
	}
	again = server.Requests()[n:]
	require.Equal(t, []int64{at.UnixNano(), at.UnixNano() + 1, at.UnixNano() + 2}, timestamps(t, again[0]))
	require.Equal(t, again[0].Raw, again[1].Raw)
}

// However large a batch is, what is sent again has the same timestamps.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s := sinktest.MustOpenURI(t, uriOf(server.URL, ""))
	records := slices.Repeat([]slog.Record{record(at, "equal"), record(time.Time{}, "timeless")}, 35_000)
	var send func(batch []sinks.Event)
	send = func(batch []sinks.Event) {
		for range 2 {
			err := s.Write(t.Context(), batch)
			if sinktest.KindOf(err) == verdict.TooLarge {
				send(batch[:len(batch)/2])
				send(batch[len(batch)/2:])
				return
			}
			require.NoError(t, err)
		}
	}
	send(sinktest.NewLog("LOG", "").Batch(records...))
	seen := make(map[int64]bool)
	for _, r := range server.Requests() {
		for _, ns := range timestamps(t, r) {
			seen[ns] = true
		}
	}
	require.Len(t, seen, len(records))
}

// The memory for the entries of streams is used again, but that of one batch
// does not add up with that of others whose streams have another order.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	s := sinktest.MustOpenURI(t, uriOf(server.URL, "label_keys=k")).(*loki.Sink)
	log := sinktest.NewLog("LOG", "")
	for small := range 60 {
		var records []slog.Record
		for i := range small {
			records = append(records, record(at, "x", "k", i))
		}
		records = append(records, slices.Repeat([]slog.Record{record(at, "x", "k", "large")}, 2000)...)
		require.NoError(t, s.Write(t.Context(), log.Batch(records...)))
	}
	require.LessOrEqual(t, loki.KeptEntries(s), 1<<15)
	require.GreaterOrEqual(t, loki.KeptEntries(s), 2000)
}

func TestMalformedURIs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2049)
	for uri, want := range map[string]string{
		"loki://":                                                  "there is no host",
		"loki://a:1,b:2":                                           "there is more than one host",
		"loki://h?labels=a.b=c":                                    "parameter labels: a name is no label",
		"loki://h?labels=1a=c":                                     "parameter labels: a name is no label",
		"loki://h?labels=__a=c":                                    "parameter labels: a name begins with two underscores",
		"loki://h?labels=a=":                                       "parameter labels: a value is empty",
		"loki://h?labels=a=%ff":                                    "parameter labels: a value is not UTF-8",
		"loki://h?labels=a=" + long:                                "parameter labels: a value has more than 2048 bytes",
		"loki://h?labels=a=1,b=2&label_keys=a":                     "parameter label_keys: labels has one of the names, too",
		"loki://h?label_keys=a.b,a_b":                              "parameter label_keys: two keys are the same",
		"loki://h?label_keys=" + letters(16):                       "parameter label_keys: there are more than 15 keys",
		"loki://h?labels=x=1&label_keys=" + letters(15):            "parameter labels: there are 16 labels",
		"loki://h?service_label=service&label_keys=" + letters(15): "parameter labels: there are 16 labels",
		"loki://h?service_label=a&label_keys=a":                    "parameter service_label: label_keys has that name, too",
		"loki://h?service_label=a.b":                               "parameter service_label: not the name of a label",
		"loki://h?metadata_keys=-":                                 "parameter metadata_keys: a key has neither letters nor digits",
		"loki://h?metadata_keys=log_id&record_id=1":                "parameter metadata_keys: log_id and log_seq",
		"loki://h?metadata_keys=" + letters(25):                    "parameter metadata_keys: there are more than 24 keys",
		"loki://h?tenant=a|b":                                      "parameter tenant: not a tenant",
		"loki://h?tenant=..":                                       "parameter tenant: not a tenant",
		"loki://h?tenant=":                                         "parameter tenant: it is empty",
		"loki://h?tenant=a&headers=x-scope-orgid=b":                "parameter tenant: headers has X-Scope-OrgID, too",
		"loki://h?lables=a=b":                                      "did you mean labels?",
		"loki://h?ca_file=/etc/hosts":                              "parameter ca_file: ",
		"loki+https://u@h?token_env=PATH":                          "parameter token_env: there are other credentials",
	} {
		_, err := sinktest.OpenURI(t, uri)
		require.ErrorContains(t, err, want, uri)
		require.NotContains(t, err.Error(), long)
	}
	for _, uri := range []string{"loki://h", "loki://[::1]", "loki+https://h", "loki://h?metadata_keys=&label_keys=", "loki://h?labels=service_name=x&label_keys=" + letters(15)} {
		sinktest.MustOpenURI(t, uri)
	}
}

func letters(n int) string {
	return strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyz"[:n], ""), ",")
}

func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := loki.New("https://h", loki.Options{
		Labels: map[string]string{"a": ""}, LabelKeys: []string{""}, ServiceLabel: "-", MetadataKeys: []string{"x", "x"}, Tenant: "a b",
		Token: "a b", Proxy: "x", CAFile: "/none/secret", Header: http.Header{"a b": {"secret"}},
	})
	for _, name := range []string{"labels", "label_keys", "service_label", "metadata_keys", "tenant", "token", "proxy", "ca_file", "headers"} {
		require.ErrorContains(t, err, " "+name+": ")
	}
	require.NotContains(t, err.Error(), "secret")
	for _, url := range []string{"ftp://h", "http://h?x=1"} {
		_, err = loki.New(url, loki.Options{})
		require.ErrorContains(t, err, "loki: open")
	}
}

// The port is that of Loki, or that of https.
func TestDefaultPorts(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{"loki://127.0.0.1": "127.0.0.1:3100", "loki://[::1]": "[::1]:3100", "loki+https://127.0.0.1": "https://127.0.0.1", "loki://127.0.0.1:1": "127.0.0.1:1"} {
		s := sinktest.MustOpenURI(t, uri+"?proxy=http://127.0.0.1:1")
		err := s.Write(t.Context(), sinktest.NewLog("LOG", "").Batch(record(at, "x")))
		require.ErrorContains(t, err, want+": no answer")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := slogtest.NewTLSServer(t)
	server.SetDefault(slogtest.Answer{Status: http.StatusNoContent})
	file := t.TempDir() + "/ca.pem"
	require.NoError(t, os.WriteFile(file, server.CertificatePEM, 0o600))
	uri := strings.Replace(server.URL, "https:", "loki+https:", 1)
	batch := sinktest.NewLog("LOG", "").Batch(record(at, "x"))
	require.Equal(t, verdict.Hold, sinktest.KindOf(sinktest.MustOpenURI(t, uri).Write(t.Context(), batch)), "a certificate that is not trusted")
	require.NoError(t, sinktest.MustOpenURI(t, uri+"?ca_file="+file).Write(t.Context(), batch))
}
