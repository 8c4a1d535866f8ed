package loki_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// These tests are against a Loki that is configured as it comes, if they do not
// say otherwise.

// find returns the entries of the last days that a query finds.
func find(t *testing.T, l *testserver.Loki, query string) []testserver.LokiEntry {
	t.Helper()
	entries, err := l.Query("", query, time.Now().AddDate(0, 0, -20), time.Now().Add(time.Hour))
	require.NoError(t, err)
	return entries
}

// Entries that Loki refuses are the ones that are rejected, and are not sent
// again, nor are the others.
func TestLokiRefusesSomeEntries(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true, Limits: "  max_line_size: 1000\n  max_structured_metadata_size: 100\n"})
	gate := sinktest.NewGate(t, l.Address, nil)
	now := time.Now()
	fine := func(d time.Duration) slog.Record { return record(now.Add(d), "fine") }
	old := func(d time.Duration) slog.Record { return record(now.Add(d).AddDate(0, 0, -8), "old") }
	future := func(d time.Duration) slog.Record { return record(now.Add(d).Add(time.Hour), "future") }
	long := record(now, "long", "x", strings.Repeat("x", 1000))
	much := record(now, "much", "trace_id", strings.Repeat("x", 100))
	late := record(now.Add(-70*time.Minute), "late") // more than an hour behind another of its stream
	for i, test := range []struct {
		records []slog.Record
		refused map[int]bool
	}{
		{[]slog.Record{old(0), fine(1), old(1), fine(2), old(time.Second)}, map[int]bool{0: true, 2: true, 4: true}},
		{[]slog.Record{future(0), fine(1), future(time.Second), fine(2)}, map[int]bool{0: true, 2: true}},
		{[]slog.Record{fine(1), long, fine(2), much, future(1), old(1)}, map[int]bool{1: true, 3: true, 4: true, 5: true}},
		{[]slog.Record{old(0), old(1), fine(1), old(time.Second), old(time.Second + 1), old(time.Second + 2)}, map[int]bool{0: true, 1: true, 3: true, 4: true, 5: true}},
		{[]slog.Record{long}, map[int]bool{0: true}},
	} {
		stream := fmt.Sprintf("case-%d", i)
		s := sinktest.MustOpenURI(t, uriOf(gate.URL, "max_line_size=1MiB&labels=app="+stream))
		before := gate.Asked.Load()
		batch := sinktest.NewLog("LOG", "").Batch(test.records...)
		err := s.Write(t.Context(), batch)
		require.EqualValues(t, 1, gate.Asked.Load()-before)
		items := err.(*sinks.BatchError).Items
		require.Len(t, items, len(test.refused), "%v", err)
		for i := range test.refused {
			require.Equal(t, verdict.Permanent, sinktest.KindOf(items[i]), "record %d", i)
		}
		require.Len(t, find(t, l, `{app="`+stream+`"}`), len(test.records)-len(test.refused))
	}

	// What the ingester refuses, behind entries that the distributor does.
	s := sinktest.MustOpenURI(t, uriOf(gate.URL, "labels=app=behind"))
	log := sinktest.NewLog("LOG", "")
	require.NoError(t, s.Write(t.Context(), log.Batch(fine(0))))
	err := s.Write(t.Context(), log.Batch(late, fine(1)))
	require.Equal(t, verdict.Permanent, sinktest.KindOf(err.(*sinks.BatchError).Items[0]))
	require.Len(t, err.(*sinks.BatchError).Items, 1)
	batch := log.Batch(fine(2), late, old(0))
	err = s.Write(t.Context(), batch)
	items := err.(*sinks.BatchError).Items
	require.Equal(t, verdict.Permanent, sinktest.KindOf(items[1]), "%v", err)
	require.Equal(t, verdict.Permanent, sinktest.KindOf(items[2]), "older than one that was too old")
	require.Equal(t, verdict.Retry, sinktest.KindOf(items[0]), "Loki says nothing of this one: %v", items[0])
	require.NoError(t, s.Write(t.Context(), batch[:1]))
	require.Len(t, find(t, l, `{app="behind"}`), 3)
}

// Loki's answer to a request with several streams is about the last one alone.
// That is why each stream is a request.
func TestLokiKeepsQuietAboutStreams(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{})
	now := time.Now()
	name := fmt.Sprintf("quiet-%d", now.UnixNano())
	late := now.Add(-90 * time.Minute)
	push := func(body string) int {
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(must(http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Address+"/loki/api/v1/push", strings.NewReader(body))))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	stream := func(n int, at time.Time) string {
		return fmt.Sprintf(`{"stream":{"app":"%s-%d"},"values":[["%d","x"]]}`, name, n, at.UnixNano())
	}
	require.Equal(t, 204, pushJSON(push, stream(1, now), stream(2, now)))
	require.Equal(t, 204, pushJSON(push, stream(1, late), stream(2, now.Add(1))), "if this is 400, Loki has changed, and streams can share a request")
	require.Len(t, find(t, l, `{app=~"`+name+`-.*"}`), 3)

	// The sink finds out, whichever stream it is.
	s := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, "label_keys=n&labels=app="+name))
	log := sinktest.NewLog("LOG", "")
	require.NoError(t, s.Write(t.Context(), log.Batch(record(now, "x", "n", 1), record(now, "x", "n", 2))))
	err := s.Write(t.Context(), log.Batch(record(late, "late", "n", 1), record(now.Add(1), "x", "n", 2), record(late, "late", "n", 2)))
	items := err.(*sinks.BatchError).Items
	require.Len(t, items, 2)
	require.Equal(t, verdict.Permanent, sinktest.KindOf(items[0]))
	require.Equal(t, verdict.Permanent, sinktest.KindOf(items[2]))
	require.Len(t, find(t, l, `{app="`+name+`"}`), 3)
}

func pushJSON(push func(string) int, streams ...string) int {
	return push(`{"streams":[` + strings.Join(streams, ",") + `]}`)
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

// Records that are equal are as many in Loki, however they come, and those that
// are sent again are not more.
func TestEqualRecords(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{})
	now := time.Now()
	name := fmt.Sprintf("equal-%d", now.UnixNano())
	s := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, "label_keys=level&labels=app="+name))
	equal := record(now, "equal")
	log := sinktest.NewLog("LOG", "")
	first := log.Batch(equal, equal, record(now.Add(1), "other"), equal)
	second := log.Batch(equal, record(time.Time{}, "timeless"), record(time.Time{}, "timeless"), equal)
	for range 2 {
		require.NoError(t, s.Write(t.Context(), first))
		require.NoError(t, s.Write(t.Context(), first[1:]), "in parts, as after a 413")
		require.NoError(t, s.Write(t.Context(), first[3:]))
	}
	require.NoError(t, s.Write(t.Context(), second))
	require.NoError(t, s.Write(t.Context(), second[1:]))
	got := find(t, l, `{app="`+name+`"}`)
	lines := make(map[string]int)
	for _, e := range got {
		lines[e.Line]++
	}
	require.Equal(t, map[string]int{
		strings.TrimSpace(string(first[0].JSON())): 5, strings.TrimSpace(string(first[2].JSON())): 1, strings.TrimSpace(string(second[1].JSON())): 2,
	}, lines)
	for _, e := range got {
		if !strings.Contains(e.Line, "timeless") {
			require.WithinRange(t, e.Time, now.Add(0), now.Add(10), "moved by nanoseconds")
		}
	}
}

// What is sent again is found once, also when it is more than one of Loki's
// blocks.
func TestLargeBatchIsSentAgain(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true, Limits: testserver.LokiTakesAll})
	now := time.Now()
	records := make([]slog.Record, 5000)
	for i := range records {
		records[i] = record(now.Add(time.Duration(i)), strings.Repeat("x", 100), "i", i)
	}
	s := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, "labels=app=large"))
	batch := sinktest.NewLog("LOG", "").Batch(records...)
	for range 2 {
		require.NoError(t, s.Write(t.Context(), batch))
	}
	got := find(t, l, `{app="large"}`)
	require.Len(t, got, len(batch))
	for i, e := range got {
		require.Equal(t, strings.TrimSpace(string(batch[i].JSON())), e.Line)
	}
}

// Labels and metadata are what they should be, also with values that are hard to
// write.
func TestLabelsAndMetadata(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{})
	now := time.Now()
	name := fmt.Sprintf("labels-%d", now.UnixNano())
	s := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, `labels=app=`+name+`,quote="\,env=a%2Cb&label_keys=level,http.route,2nd&metadata_keys=trace_id,customer.id,nul&record_id=true`))
	hard := "a\x00b\xff\uFFFD\"\\\n\u2028{}é" + strings.Repeat("x", 3000)
	log := sinktest.NewLog("LOG", "shop")
	batch := log.Batch(
		record(now, "plain"),
		record(now.Add(1), "all", slog.Group("http", "route", hard), "2nd", 7, "trace_id", "4bf9", slog.Group("customer", "id", uint64(1<<63)), "nul", hard, "level", "not this"),
		slog.NewRecord(now.Add(2), slog.LevelError+3, "level", 0),
	)
	require.NoError(t, s.Write(t.Context(), batch))
	got := find(t, l, `{app="`+name+`"}`)
	require.Len(t, got, 3)
	clean := strings.ReplaceAll(strings.ToValidUTF8(hard, "?"), "\uFFFD", "?")[:2048]
	fixed := map[string]string{"app": name, "quote": `"\`, "env": "a,b", "service_name": "shop"}
	with := func(more map[string]string) map[string]string {
		for k, v := range fixed {
			more[k] = v
		}
		return more
	}
	require.Equal(t, with(map[string]string{"level": "info"}), got[0].Labels)
	require.Equal(t, with(map[string]string{"level": "info", "http_route": clean, "key_2nd": "7"}), got[1].Labels)
	require.Equal(t, with(map[string]string{"level": "error"}), got[2].Labels)
	require.Equal(t, map[string]string{"log_id": "LOG", "log_seq": "1"}, got[0].Metadata)
	meta := got[1].Metadata
	require.Equal(t, "4bf9", meta["trace_id"])
	require.Equal(t, "9223372036854775808", meta["customer_id"])
	require.Equal(t, clean, meta["nul"])
	for i, e := range got {
		require.Equal(t, strings.TrimSpace(string(batch[i].JSON())), e.Line)
		require.True(t, e.Time.Equal(batch[i].Time()))
	}

	// Without service and labels there is still a stream.
	bare := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, "service_label=none"))
	require.NoError(t, bare.Write(t.Context(), log.Batch(record(now, name))))
	require.Len(t, find(t, l, `{service_name="unknown_service"} |= "`+name+`"`), 1)
}

// A Loki that is killed and started again costs nothing, and what it had stored
// when the answer was lost is there once.
func TestKilledAndRestarted(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true})
	gate := sinktest.NewGate(t, l.Address, nil)
	out := sinktest.Open(t, uriOf(gate.URL, "batch=20&linger=0s&label_keys=level"))
	log := slog.New(fapilog.Handler(out, nil))
	const records = 300
	for i := range records {
		switch i {
		case 100:
			sinktest.Flush(t, out)
			gate.Set(gate.Lose)
		case 150:
			l.Kill()
			gate.Set(nil)
		case 200:
			l.Restart()
		}
		log.Info("record", "i", i)
		log.Warn("record", "i", i)
	}
	sinktest.Flush(t, out)
	st := out.Stats().Sinks[0]
	require.EqualValues(t, 2*records, st.Delivered)
	require.NotZero(t, st.Retries)
	for _, level := range []string{"info", "warn"} {
		got := find(t, l, `{service_name="shop", level="`+level+`"}`)
		require.Len(t, got, records)
		for i, e := range got {
			require.Contains(t, e.Line, fmt.Sprintf(`"i":%d}`, i))
		}
	}
}

// Rates that are exceeded are told from entries that are refused.
func TestLokiLimitsRates(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true, Limits: "  ingestion_rate_mb: 0.01\n  ingestion_burst_size_mb: 0.02\n"})
	s := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, ""))
	log := sinktest.NewLog("LOG", "")
	now := time.Now()
	large := log.Batch(record(now, "large", "x", strings.Repeat("x", 30<<10)))
	err := s.Write(t.Context(), large)
	require.Equal(t, verdict.Retry, sinktest.KindOf(err))
	require.ErrorContains(t, err, "429")
	require.NoError(t, s.Write(t.Context(), log.Batch(record(now, "small"))))
}

// While ingestion is blocked, Loki answers with a status that looks like success.
func TestLokiBlocksIngestion(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true, Limits: "  block_ingestion_until: 2200-01-01T00:00:00Z\n"})
	s := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, ""))
	err := s.Write(t.Context(), sinktest.NewLog("LOG", "").Batch(record(time.Now(), "x")))
	require.Equal(t, verdict.Hold, sinktest.KindOf(err))
	require.ErrorContains(t, err, "answered 260, which is not among the codes of success")
	require.Empty(t, find(t, l, `{service_name=~".+"}`))
}

// Whatever is wrong with credentials and paths is found at start-up, and kept
// waiting for later.
func TestMisconfiguration(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true, Auth: true})
	gate := sinktest.NewGate(t, l.Address, nil)
	start := func(uri string) error {
		out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: t.Output()})
		if err == nil {
			require.NoError(t, out.Close())
		}
		return err
	}
	require.ErrorContains(t, start(uriOf(gate.URL, "")), "answered 401 Unauthorized: no org id: give credentials that may write")
	require.ErrorContains(t, start(uriOf(gate.URL+"/prefix", "tenant=a")), "answered 404 Not Found: 404 page not found: there is no push API: the path")
	require.NoError(t, start(uriOf(gate.URL, "tenant=a")))
	require.NoError(t, start(uriOf(gate.URL+"/loki/api/v1/push", "headers=X-Scope-OrgID=a")))
	require.ErrorContains(t, start(uriOf(gate.URL, "soft_start=true")), "answered 401", "waives that Loki is down, and nothing else")
	require.Error(t, start(uriOf(gate.URL, "soft_start=true&tenant=%2F")))
	entries, err := l.Query("a", `{service_name=~".+"}`, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, entries, "a probe writes nothing")

	// A password that is wrong for a while, as when a token is being replaced.
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("old"), 0o600))
	checked := func(good string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+good {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			gate.Pass(w, r)
		}
	}
	gate.Set(checked("new"))
	require.ErrorContains(t, start(uriOf(gate.URL, "tenant=a&token_file="+token)), "401 Unauthorized")
	gate.Set(checked("old"))
	out := sinktest.Open(t, uriOf(gate.URL, "tenant=a&token_file="+token))
	gate.Set(checked("new"))
	log := slog.New(fapilog.Handler(out, nil))
	before := gate.Asked.Load()
	log.Info("kept")
	testserver.Wait(t, "a refusal", func() error {
		if gate.Asked.Load() == before {
			return fmt.Errorf("nothing was sent")
		}
		return nil
	})
	require.NoError(t, os.WriteFile(token, []byte("the-new-one"), 0o600))
	gate.Set(checked("the-new-one"))
	sinktest.Flush(t, out)
	entries, err = l.Query("a", `{service_name="shop"}`, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, entries, 1)

	l.Kill()
	gate.Set(nil)
	require.ErrorContains(t, start(uriOf("http://"+l.Address+"/secret", "tenant=a")), "dial tcp")
	require.NoError(t, start(uriOf("http://"+l.Address, "tenant=a&soft_start=true")))
}

// A line that is too long is rejected by itself before it is sent. What Loki is
// able to take can be sent, in requests that its components can pass on.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true, Limits: testserver.LokiTakesAll + "  max_line_size: 3MB\n"})
	now := time.Now()
	log := sinktest.NewLog("LOG", "")
	large := func(i, size int) slog.Record { return record(now.Add(time.Duration(i)), strings.Repeat("x", size)) }
	s := sinktest.MustOpenURI(t, uriOf("http://"+l.Address, ""))
	err := s.Write(t.Context(), log.Batch(large(1, 100), large(2, 1<<20), large(3, 200<<10)))
	require.Equal(t, verdict.Permanent, sinktest.KindOf(err.(*sinks.BatchError).Items[1]))
	require.Len(t, err.(*sinks.BatchError).Items, 1)
	require.Len(t, find(t, l, `{service_name=~".+"}`), 2)

	s = sinktest.MustOpenURI(t, uriOf("http://"+l.Address, "max_line_size=0"))
	batch := log.Batch(large(4, 2<<20), large(5, 2<<20))
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(s.Write(t.Context(), batch)))
	for _, e := range batch {
		require.NoError(t, s.Write(t.Context(), []sinks.Event{e}))
	}
	require.Len(t, find(t, l, `{service_name=~".+"} | line_format "x"`), 4, "short, because answers have limits, too")
	err = s.Write(t.Context(), log.Batch(large(6, 4<<20)))
	require.Equal(t, verdict.TooLarge, sinktest.KindOf(err.(*sinks.BatchError).Items[0]))
}
