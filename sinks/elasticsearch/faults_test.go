package elasticsearch_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
)

// requireOnce checks that the records 0 to n-1 are in an index, each once and in
// the order in which they were logged, or in any, if some were tried again.
func requireOnce(t *testing.T, e *testserver.Elasticsearch, index string, n int) {
	t.Helper()
	var got []string
	for _, d := range mustHave(t, e, index, n) {
		got = append(got, fmt.Sprint(d.Attributes["i"]))
	}
	for i := range n {
		require.Equal(t, fmt.Sprint(i), got[i])
	}
}

// What the server has stored when its answer is lost, or half of it, is not
// stored again.
func TestLostAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		gate, index := sinktest.NewGate(t, e.Address, isBulk), e.Index()
		s := sinktest.MustOpenURI(t, uriOf(gate.Address, index, "compress=gzip"))
		batch := sinktest.NewLog("LOG", "").Batch(numbered(10)...)
		for _, do := range []http.HandlerFunc{gate.Lose, gate.Half, sinktest.Answer(200, "", "", `{"items":[]}`)} {
			gate.Set(do)
			require.Equal(t, verdict.Retry, sinktest.KindOf(s.Write(t.Context(), batch)))
			gate.Set(nil)
			require.NoError(t, s.Write(t.Context(), batch), "all are there")
			require.NoError(t, s.Write(t.Context(), batch[5:]))
		}
		requireOnce(t, e, index, 10)
	})
}

// An index that cannot be written to is waited for.
func TestBlocks(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		index := e.Index()
		s := sinktest.MustOpenURI(t, uriOf(e.Address, index, ""))
		require.NoError(t, sinktest.Probe(t, s))
		batch := sinktest.NewLog("LOG", "").Batch(numbered(3)...)
		settings := func(body string) func() { return func() { e.Do(http.MethodPut, "/"+index+"/_settings", body) } }
		post := func(what string) func() { return func() { e.Do(http.MethodPost, "/"+index+what, "") } }
		for _, fault := range []struct {
			begin, end func()
			want       string
		}{
			{settings(`{"index.blocks.write":true}`), settings(`{"index.blocks.write":null}`), "answered 403 for the record: cluster_block_exception"},
			{settings(`{"index.blocks.read_only":true}`), settings(`{"index.blocks.read_only":null}`), "answered 403"},
			{settings(`{"index.blocks.read_only_allow_delete":true}`), settings(`{"index.blocks.read_only_allow_delete":null}`), "make room if the disk is full"},
			{post("/_close"), post("/_open"), "answered 400 for the record: index_closed_exception: closed"},
		} {
			fault.begin()
			err := s.Write(t.Context(), batch)
			fault.end()
			require.ErrorContains(t, err, fault.want)
			for _, err := range itemsOf(t, err) {
				require.Equal(t, verdict.Hold, sinktest.KindOf(err), fault.want)
			}
			require.Len(t, itemsOf(t, err), 3)
		}
		require.NoError(t, s.Write(t.Context(), batch))
		requireOnce(t, e, index, 3)
	})
}

// Records whose fields the server refuses are stored as texts, and only those.
func TestConflicts(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		gate, index := sinktest.NewGate(t, e.Address, isBulk), e.Index()
		s := sinktest.MustOpenURI(t, uriOf(gate.Address, index, ""))
		ctx, warned := warnings(t)
		log := sinktest.NewLog("LOG", "shop")
		require.NoError(t, s.Write(ctx, log.Batch(record("types", "n", 1, "f", 0.5, "s", "text", "b", true, slog.Group("g", "x", 1)))))
		require.Empty(t, *warned)
		deep := any(1)
		for range 2000 {
			deep = []any{deep}
		}
		batch := log.Batch(
			record("fits", "n", 2, "f", 1.5, "s", "another", "b", false, slog.Group("g", "x", 2)),
			record("text for an object", "g", "text", "trace_id", "4bf9", "err", "refused"),
			record("number for an object", "g", 1),
			record("a and a.b", "a", 1, "a.b", 2),
			record("empty key", "", 1),
			record("dots", ".", 1),
			record("deep", "deep", deep),
			record("fits, too", "n", int64(1)<<62, "s", "x"),
			record("both", slog.Group("g", "x", 1), "g", 2),
			slog.NewRecord(at.AddDate(20000, 0, 0), slog.LevelInfo, "year", 0),
		)
		before := gate.Asked.Load()
		require.NoError(t, s.Write(ctx, batch))
		require.EqualValues(t, 2, gate.Asked.Load()-before)
		fields := []int{0, 7}
		all := mustHave(t, e, index, 11)[1:]
		for i, d := range all {
			require.Equal(t, batch[i].Message(), d.Message)
			require.Equal(t, "shop", d.Service.Name)
			if slices.Contains(fields, i) {
				require.NotEmpty(t, d.Attributes)
				require.Empty(t, d.Tags)
				continue
			}
			require.Empty(t, d.Attributes)
			require.Equal(t, []string{"attributes_as_text"}, d.Tags)
			require.Equal(t, strings.TrimSuffix(string(batch[i].JSON()), "\n"), d.Event.Original)
		}
		require.Equal(t, "4bf9", all[1].Trace.ID)
		require.Equal(t, "refused", all[1].Error.Message)
		require.Equal(t, 9999, all[9].Timestamp.Year())
		texts := strings.Join(*warned, "\n")
		require.Contains(t, texts, "object mapping for [attributes.g] tried to parse field [g] as object, but found a concrete value")
		require.Contains(t, texts, "nested deeper than 20")
		said := len(*warned)
		require.NoError(t, s.Write(ctx, log.Batch(record("again", "g", "another text"))))
		require.Len(t, *warned, said, "once for each reason")

		// What does not fit, and can be stored all the same.
		require.NoError(t, s.Write(ctx, log.Batch(record("ignored", "n", "text", "f", "text", "s", 1), record("large", "n", uint64(1<<63)))))
		all = mustHave(t, e, index, 14)[12:]
		require.Equal(t, "text", all[0].Attributes["n"])
		require.Equal(t, "9223372036854775808", fmt.Sprint(all[1].Attributes["n"]))
		require.Len(t, *warned, said)
	})
}

// Numbers that no type has a place for are stored all the same.
func TestHugeNumbers(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		index := e.Index()
		s := sinktest.MustOpenURI(t, uriOf(e.Address, index, ""))
		numbers := []json.Number{"1e999999", "1e-999999", "1e-400", "-0", json.Number(strings.Repeat("9", 5000))}
		for i := range numbers {
			require.NoError(t, s.Write(t.Context(), sinktest.NewLog("LOG", "").Batch(record("number", fmt.Sprint("first", i), numbers[i]))))
			index = e.Index()
			s = sinktest.MustOpenURI(t, uriOf(e.Address, index, ""))
			require.NoError(t, s.Write(t.Context(), sinktest.NewLog("LOG", "").Batch(record("integer", "n", 1, "f", 0.5), record("number", "n", numbers[i], "f", numbers[i]))))
			for _, d := range mustHave(t, e, index, 2)[1:] {
				require.Contains(t, fmt.Sprint(d.Attributes, d.Event.Original), string(numbers[i]))
			}
		}
	})
}

// With a mapping of one's own, what it is not made for is kept as a text if there
// is a place for that, and rejected otherwise.
func TestStrictMappings(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		text := `{"type":"keyword","ignore_above":1024}`
		fields := `"@timestamp":{"type":"date"},"message":{"type":"text"},"log":{"properties":{"level":` + text + `}},"ecs":{"properties":{"version":` + text + `}},
			"attributes":{"properties":{"known":{"type":"long"}}}`
		places := `,"tags":` + text + `,"event":{"properties":{"sequence":{"type":"long"},"original":{"type":"keyword","index":false,"doc_values":false}}}`
		sequence := `,"event":{"properties":{"sequence":{"type":"long"}}}`
		records := func() []slog.Record {
			return []slog.Record{record("known", "known", 1), record("unknown", "unknown", 1), record("known", "known", 2)}
		}
		index := e.Index()
		e.Do(http.MethodPut, "/"+index+"-places", `{"mappings":{"dynamic":"strict","properties":{`+fields+places+`}}}`)
		require.NoError(t, sinktest.MustOpenURI(t, uriOf(e.Address, index+"-places", "")).Write(t.Context(), sinktest.NewLog("LOG", "").Batch(records()...)))
		require.Contains(t, mustHave(t, e, index+"-places", 3)[1].Event.Original, `"unknown":1`)

		e.Do(http.MethodPut, "/"+index, `{"mappings":{"dynamic":"strict","properties":{`+fields+sequence+`}}}`)
		err := sinktest.MustOpenURI(t, uriOf(e.Address, index, "")).Write(t.Context(), sinktest.NewLog("LOG", "").Batch(records()...))
		require.Len(t, itemsOf(t, err), 1)
		require.Equal(t, verdict.Permanent, sinktest.KindOf(itemsOf(t, err)[1]))
		require.ErrorContains(t, err, "answered 400 for the record: strict_dynamic_mapping_exception: ")
		mustHave(t, e, index, 2)

		// The account. The service is one more field.
		e.Do(http.MethodPut, "/"+index+"-account", `{"mappings":{"dynamic":"strict","properties":{`+fields+sequence+`,"service":{"properties":{"name":`+text+`}}}}}`)
		out := sinktest.Open(t, uriOf(e.Address, index+"-account", ""))
		for _, r := range records() {
			require.NoError(t, fapilog.Handler(out, nil).Handle(t.Context(), r))
		}
		require.ErrorContains(t, out.Flush(t.Context()), "1 record lost (0 dropped, 1 rejected)")
		require.EqualValues(t, 2, out.Stats().Sinks[0].Delivered)
		mustHave(t, e, index+"-account", 2)
	})
}

// More fields than an index may have are kept as a text.
func TestTooManyFields(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		index := e.Index()
		s := sinktest.MustOpenURI(t, uriOf(e.Address, index, ""))
		require.NoError(t, sinktest.Probe(t, s))
		e.Do(http.MethodPut, "/"+index+"/_settings", `{"index.mapping.total_fields.limit":30}`)
		many := record("many")
		for i := range 50 {
			many.Add(fmt.Sprint("key", i), i)
		}
		ctx, warned := warnings(t)
		require.NoError(t, s.Write(ctx, sinktest.NewLog("LOG", "").Batch(record("few", "i", 0), many)))
		all := mustHave(t, e, index, 2)
		require.Empty(t, all[0].Tags)
		require.Contains(t, all[1].Event.Original, `"key49":49`)
		require.Len(t, *warned, 1)
		require.Contains(t, (*warned)[0], "Limit of total fields [30] has been exceeded")
	})
}
