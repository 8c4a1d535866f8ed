package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/webhook"
	"github.com/fapilog/fapilog/slogtest"
	_ "github.com/fapilog/fapilog/zstd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func event(msg string, args ...any) sinks.Event {
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, msg, 0)
	r.Add(args...)
	return sinks.NewEvent(r)
}

// open opens a fan-out with short timeouts, which says what goes wrong in the
// test's output.
func open(t *testing.T, uri string) *fapilog.Fanout {
	t.Helper()
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: t.Output(), ShutdownTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// logN logs records with the attributes i = 0, 1, ..., n-1 and x.
func logN(out *fapilog.Fanout, n int, x string) {
	log := slog.New(fapilog.Handler(out, nil))
	for i := range n {
		log.Info("record", "i", i, "x", x)
	}
}

// requireAll checks that n records of logN have arrived, in order, once.
func requireAll(t *testing.T, records []map[string]any, n int) {
	t.Helper()
	require.Len(t, records, n)
	for i, r := range records {
		require.EqualValues(t, slogNumber(i), r["i"])
	}
}

func slogNumber(i int) any {
	records, err := slogtest.ParseJSON([]byte(string(event("", "i", i).JSON())))
	if err != nil {
		panic(err)
	}
	return records[0]["i"]
}

func TestRequests(t *testing.T) {
	t.Parallel()
	one, two := event("one", "a", 1), event("two")
	lines := string(one.JSON()) + string(two.JSON())
	array := "[" + strings.TrimSpace(string(one.JSON())) + "," + strings.TrimSpace(string(two.JSON())) + "]"
	server := slogtest.NewServer(t)
	for _, test := range []struct {
		uri, method, target, body string
		header                    map[string]string
	}{
		{"", "POST", "/", lines, map[string]string{"Content-Type": "application/x-ndjson", "User-Agent": "fapilog", "Idempotency-Key": "", "Authorization": "", "Content-Encoding": ""}},
		{"/a%2Fb/?format=array&method=put&query=key%3Dabc%26x%3D%2520%26+%23", "PUT", "/a%2Fb/?key=abc&x=%20&%20%23", array, map[string]string{"Content-Type": "application/json"}},
		{"/?compress=gzip", "POST", "/", lines, map[string]string{"Content-Encoding": "gzip"}},
		{"/?compress=zstd&format=array", "POST", "/", array, map[string]string{"Content-Encoding": "zstd"}},
		{"/?idempotency_header=x-request-id&headers=x-a=1,user-agent=mine,content-type=text/plain", "POST", "/", lines, map[string]string{
			"X-Request-Id": "", "X-A": "1", "User-Agent": "mine", "Content-Type": "text/plain",
		}},
	} {
		s, err := sinktest.OpenURI(t, server.URL+test.uri)
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, s.Write(t.Context(), []sinks.Event{one, two}))
		}
		requests := server.Requests()
		first, r := requests[len(requests)-2], requests[len(requests)-1]
		require.Equal(t, test.method, r.Method)
		require.Equal(t, test.target, r.Path)
		require.Equal(t, first.Raw, r.Raw)
		body := string(r.Body)
		if r.Header.Get("Content-Encoding") == "zstd" {
			body = unzstd(t, r.Raw)
		}
		require.Equal(t, test.body, body)
		for name, value := range test.header {
			switch key := one.ID().String() + "-" + strings.TrimPrefix(two.ID().String(), two.ID().Log+":"); {
			case name == "X-Request-Id", name == "Idempotency-Key":
				require.Regexp(t, "^"+key+":[A-Z2-7]{8}$", r.Header.Get(name))
				require.Equal(t, first.Header.Get(name), r.Header.Get(name))
			default:
				require.Equal(t, value, r.Header.Get(name), name)
			}
		}
	}
	s, err := sinktest.OpenURI(t, server.URL+"?idempotency_header=none")
	require.NoError(t, err)
	require.NoError(t, s.Write(t.Context(), []sinks.Event{one}))
	requests := server.Requests()
	require.NotContains(t, requests[len(requests)-1].Header, "Idempotency-Key")
	require.NotContains(t, requests[len(requests)-1].Header, "None")
}

// Two sinks of one program may send different batches, with the same first and
// last record, to one receiver, which remembers keys.
func TestKeysOfTwoSinks(t *testing.T) {
	t.Parallel()
	server := slogtest.NewServer(t)
	out, err := fapilog.New(t.Context(), fapilog.Config{
		Sinks:    []string{server.URL + "?linger=1h", server.URL + "?linger=1h&level=warn"},
		Fallback: t.Output(), ShutdownTimeout: time.Minute,
	})
	require.NoError(t, err)
	log := slog.New(fapilog.Handler(out, nil))
	log.Warn("one")
	log.Info("two")
	log.Warn("three")
	require.NoError(t, out.Close())
	require.Len(t, server.Requests(), 2)
	records, err := received(server)
	require.NoError(t, err)
	require.Len(t, records, 3+2)
}

func unzstd(t *testing.T, packed []byte) string {
	t.Helper()
	r, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1))
	require.NoError(t, err)
	defer r.Close()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(text)
}

func TestMalformedURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://":                                       "there is no host",
		"https://a:1,b:2":                                "there is more than one host",
		"https://h?key=abc":                              "; the query of the URL is written query=key%3Dvalue",
		"https://h?fromat=array":                         "did you mean format?",
		"https://h?format=json":                          "parameter format: not one of ndjson, array",
		"https://h?method=GET":                           "parameter method: not one of POST, PUT",
		"https://h?success=":                             "parameter success: not a list of status codes",
		"https://h?success=200,2xx":                      "parameter success: not a list of status codes",
		"https://h?success=100":                          "parameter success: not a list of status codes",
		"https://h?idempotency_header=":                  "parameter idempotency_header: not the name",
		"https://h?idempotency_header=a:b":               "parameter idempotency_header: not the name",
		"https://h?idempotency_header=content-type":      "parameter idempotency_header: that header has another meaning",
		"https://h?idempotency_header=trailer":           "parameter idempotency_header: that header has another meaning",
		"https://h?idempotency_header=expect":            "parameter idempotency_header: that header has another meaning",
		"https://h?compress=lzma":                        "parameter compress: not one of none, gzip, zstd",
		"https://h?idempotency_header=X-A&headers=x-a=1": "parameter idempotency_header: headers has it, too",
		"http://h?ca_file=/etc/hosts":                    "parameter ca_file: ",
		"https://u@h?token_env=PATH":                     "parameter token_env: there are other credentials",
		"https://u:p@h?headers=Authorization=x":          "parameter headers: there are other credentials",
	} {
		_, err := sinktest.OpenURI(t, uri)
		require.ErrorContains(t, err, want, uri)
	}
}

func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := webhook.New("https://h", webhook.Options{
		Format: "xml", Method: "GET", Compress: "lzma", Success: []int{1}, IdempotencyHeader: " ", Token: "a b", Proxy: "x", CAFile: "/none/secret",
		Header: http.Header{"a b": {"secret"}},
	})
	for _, name := range []string{"format", "method", "compress", "success", "idempotency_header", "token", "proxy", "ca_file", "headers"} {
		require.ErrorContains(t, err, " "+name+": ")
	}
	require.Equal(t, 8, strings.Count(err.Error(), "\n"))
	require.NotContains(t, err.Error(), "secret")
	_, err = webhook.New("ftp://h", webhook.Options{})
	require.ErrorContains(t, err, "webhook: open: url: ")
}

// Which codes mean success is for the receiver to say.
func TestSuccess(t *testing.T) {
	t.Parallel()
	server := slogtest.NewServer(t)
	for parameter, codes := range map[string]map[int]bool{
		"":                 {200: true, 201: true, 202: true, 204: true, 203: false, 206: false, 207: false, 260: false},
		"?success=204,409": {204: true, 409: true, 200: false, 201: false},
	} {
		s, err := sinktest.OpenURI(t, server.URL+parameter)
		require.NoError(t, err)
		for code, ok := range codes {
			server.SetDefault(slogtest.Answer{Status: code})
			err := s.Write(t.Context(), []sinks.Event{event("x")})
			require.Equal(t, ok, err == nil, "%d: %v", code, err)
		}
	}
	// Nor does it matter what the body is, or whether it arrives.
	s, err := sinktest.OpenURI(t, server.URL)
	require.NoError(t, err)
	for _, trouble := range []slogtest.Trouble{slogtest.Truncate, slogtest.Endless} {
		server.SetDefault(slogtest.Answer{Body: "junk", Trouble: trouble})
		require.NoError(t, s.Write(t.Context(), []sinks.Event{event("x")}))
	}
}

// After an answer that was lost, the same bytes are sent with the same key.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	for _, parameters := range []string{"", "&compress=gzip", "&format=array&idempotency_header=X-Other"} {
		server := slogtest.NewServer(t, slogtest.Answer{}, slogtest.Answer{Trouble: slogtest.CutAfter}, slogtest.Answer{Status: 503}, slogtest.Answer{Trouble: slogtest.Malformed})
		out := open(t, server.URL+"?batch=10"+parameters)
		logN(out, 20, "x")
		require.NoError(t, out.Close())
		sent := make(map[string][]byte)
		requests := server.Requests()
		require.Greater(t, len(requests), 3)
		for _, r := range requests {
			key := r.Header.Get("Idempotency-Key") + r.Header.Get("X-Other")
			require.NotEmpty(t, key)
			if before, again := sent[key]; again {
				require.Equal(t, before, r.Raw)
			}
			sent[key] = r.Raw
		}
		require.Len(t, sent, 2)
		st := out.Stats().Sinks[0]
		require.EqualValues(t, 20, st.Delivered)
		if strings.Contains(parameters, "array") {
			continue // received knows the usual header
		}
		records, err := received(server)
		require.NoError(t, err)
		requireAll(t, records, 20)
	}
}

// Records that are refused are found one by one, and cost no others.
func TestBatchesAreDivided(t *testing.T) {
	t.Parallel()
	for status, refuse := range map[int]func(body []byte) bool{
		http.StatusRequestEntityTooLarge: func(body []byte) bool { return len(body) > 1000 },
		http.StatusBadRequest:            func(body []byte) bool { return bytes.Contains(body, []byte("poison")) },
		http.StatusUnprocessableEntity:   func(body []byte) bool { return bytes.Contains(body, []byte("poison")) },
	} {
		got := newStrict(t, status, refuse)
		out := open(t, got.URL+"?linger=50ms")
		log := slog.New(fapilog.Handler(out, nil))
		for i := range 40 {
			if i == 17 {
				log.Info("poison", "x", strings.Repeat("x", 1000))
			}
			log.Info("record", "i", i)
		}
		require.NoError(t, out.Close())
		records, err := slogtest.ParseJSON(got.body())
		require.NoError(t, err)
		requireAll(t, records, 40)
		st := out.Stats().Sinks[0]
		require.EqualValues(t, 40, st.Delivered)
		require.EqualValues(t, 1, st.Rejected)
	}
}

// A receiver that refuses everything from the start does not understand the
// requests: that costs neither the data nor a storm of requests.
func TestReceiverThatNeverAcceptsAnything(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusUnprocessableEntity} {
		var asked atomic.Int64
		var repaired atomic.Bool
		got := newStrict(t, status, func([]byte) bool {
			asked.Add(1)
			return !repaired.Load()
		})
		out := open(t, got.URL)
		const count = 5000
		logN(out, count, "x")
		testserver.Wait(t, "the sink to be held", func() error {
			if st := out.Stats().Sinks[0]; st.State != fapilog.StateHeld {
				return errors.New(string(st.State))
			}
			return nil
		})
		st := out.Stats().Sinks[0]
		require.EqualValues(t, 10, st.Rejected)
		require.ErrorContains(t, st.LastError, "nothing has been accepted so far: are format= and the path right?")
		require.Less(t, asked.Load(), int64(200)) // halving a batch takes up to 13, and there may be several
		repaired.Store(true)
		require.NoError(t, out.Close())
		st = out.Stats().Sinks[0]
		require.EqualValues(t, 10, st.Rejected)
		require.EqualValues(t, count-10, st.Delivered)
	}
}

// What is refused says nothing about the configuration if anything was accepted
// before, or is accepted after a few.
func TestBadRecordsAtTheBeginning(t *testing.T) {
	t.Parallel()
	server := slogtest.NewServer(t)
	for _, before := range []int{0, 1, 9, 10} {
		s, err := webhook.New(server.URL, webhook.Options{})
		require.NoError(t, err)
		defer s.Close()
		write := func(records, status int) error {
			server.SetDefault(slogtest.Answer{Status: status})
			return s.Write(t.Context(), slices.Repeat([]sinks.Event{event("x")}, records))
		}
		requireKind := func(want verdict.Kind, err error) {
			t.Helper()
			kind, _, _ := verdict.Of(err)
			require.Equal(t, want, kind)
		}
		const hint = "nothing has been accepted so far"
		for range before {
			err := write(2, 400) // halves are no records
			requireKind(verdict.Permanent, err)
			require.ErrorContains(t, err, hint)
			err = write(1, 422)
			requireKind(verdict.Permanent, err)
			require.ErrorContains(t, err, hint)
			err = write(1, 503) // something else
			requireKind(verdict.Retry, err)
			require.NotContains(t, err.Error(), hint)
		}
		if before == 10 {
			for range 3 {
				err := write(1, 400)
				requireKind(verdict.Hold, err)
				require.ErrorContains(t, err, hint)
				requireKind(verdict.Permanent, write(2, 400))
			}
		}
		require.NoError(t, write(1, 200))
		for range 20 {
			err := write(1, 400)
			requireKind(verdict.Permanent, err)
			require.NotContains(t, err.Error(), hint)
		}
	}
}

// A token that is replaced while the sink is held costs nothing.
func TestTokenThatIsReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, []byte("old\n"), 0o600))
	server := slogtest.NewServer(t)
	server.SetDefault(slogtest.Answer{Status: 401})
	out := open(t, server.URL+"?token_file="+path)
	logN(out, 5, "x")
	_, err := server.Await(t.Context(), 1)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path+".new", []byte("new\n"), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	server.SetDefault(slogtest.Answer{Status: 204})
	require.NoError(t, out.Close())
	records, err := received(server)
	require.NoError(t, err)
	requireAll(t, records, 5)
	requests := server.Requests()
	require.Equal(t, "Bearer old", requests[0].Header.Get("Authorization"))
	require.Equal(t, "Bearer new", requests[len(requests)-1].Header.Get("Authorization"))
}

// Nobody listens, at start-up and later.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	url := "http://" + testserver.Address(testserver.Port(t))
	_, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{url + "/secret-path"}, Fallback: t.Output()})
	require.ErrorContains(t, err, "webhook: probe "+url+": no connection: dial tcp")
	require.NotContains(t, err.Error(), "secret")
	s, err := webhook.New(url+"/secret-path", webhook.Options{})
	require.NoError(t, err)
	err = s.Write(context.Background(), []sinks.Event{event("x")})
	require.ErrorContains(t, err, "webhook: POST "+url+": no answer: dial tcp")
	require.NoError(t, s.Close())
	require.ErrorContains(t, s.Write(t.Context(), []sinks.Event{event("x")}), "the sink is closed")
}

// A receiver that takes a request and does not answer costs the time that a call
// has, and may have the records.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	server := slogtest.NewServer(t, slogtest.Answer{Trouble: slogtest.Stall})
	s, err := sinktest.OpenURI(t, server.URL)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	batch := []sinks.Event{event("x")}
	err = s.Write(ctx, batch)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Regexp(t, `^webhook: POST `+server.URL+`: no answer within [0-9.]+.?s$`, err.Error())
	kind, _, told := verdict.Of(err)
	require.Equal(t, verdict.Retry, kind)
	require.False(t, told)
	require.NoError(t, s.Write(t.Context(), batch))
	requests := server.Requests()
	require.Len(t, requests, 2)
	require.Equal(t, requests[0].Raw, requests[1].Raw)
	require.Equal(t, requests[0].Header["Idempotency-Key"], requests[1].Header["Idempotency-Key"])
}

// Records cost no allocations, only requests do.
func TestRecordsDoNotAllocate(t *testing.T) {
	server := newStrict(t, 0, func([]byte) bool { return false })
	s, err := webhook.New(server.URL, webhook.Options{})
	require.NoError(t, err)
	defer s.Close()
	few, many := []sinks.Event{event("x")}, make([]sinks.Event, 2000)
	for i := range many {
		many[i] = event("x", "i", i)
	}
	allocs := func(batch []sinks.Event) float64 {
		write := func() {
			server.forget()
			if err := s.Write(context.Background(), batch); err != nil {
				t.Fatal(err)
			}
		}
		write()
		return testing.AllocsPerRun(20, write) // those of the server included
	}
	require.Less(t, allocs(many), allocs(few)+200)
}
