package elasticsearch_test

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/slogtest"
)

// docsOf returns the documents that the sink makes of records.
func docsOf(t *testing.T, records ...slog.Record) (docs []string) {
	t.Helper()
	server := newServer(t)
	require.NoError(t, sinktest.MustOpenURI(t, serverURI(server, "", "")).Write(t.Context(), sinktest.NewLog("LOG", "shop").Batch(records...)))
	for i, line := range strings.Split(strings.TrimSpace(string(bulks(server)[0].Body)), "\n") {
		if i%2 == 1 {
			docs = append(docs, line)
		}
	}
	return docs
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	const head = `{"@timestamp":"2026-01-02T03:04:05.000000006Z","log":{"level":"info"},"message":"m","service":{"name":"shop"},`
	const ecs = `"ecs":{"version":"8.11.0"}`
	east := slog.NewRecord(at.In(time.FixedZone("", 5*3600+30*60+15)), slog.LevelInfo, "m", 0)
	for name, test := range map[string]struct {
		record slog.Record
		want   string
	}{
		"no attributes":          {record("m"), head + ecs + `,"event":{"sequence":1}}`},
		"an offset with seconds": {east, head + ecs + `,"event":{"sequence":1}}`},
		"all kinds": {
			record("m", "s", "a\"\n", "i", -1, "u", uint64(math.MaxUint64), "f", 0.5, "whole", 2.0, "large", 1e21, "b", true, "d", time.Second, "t", at,
				slog.Group("g", "x", 1, slog.Group("h", "y", 2)), "nil", nil, "bytes", []byte("ab"), "list", []any{1, "a"}, "nan", math.NaN(), "inf", math.Inf(-1)),
			head + ecs + `,"attributes":{"s":"a\"\n","i":-1,"u":18446744073709551615,"f":0.5,"whole":2.0,"large":1e+21,"b":true,"d":1000000000,"t":"2026-01-02T03:04:05.000000006Z",` +
				`"g":{"x":1,"h":{"y":2}},"nil":null,"bytes":"YWI=","list":[1,"a"],"nan":"NaN","inf":"-Inf"},"event":{"sequence":1}}`,
		},
		"known attributes": {
			record("m", "trace_id", "t", "span.id", "s", "err", errors.New("refused")),
			head + `"trace":{"id":"t"},"span":{"id":"s"},"error":{"message":"refused"},` + ecs + `,"attributes":{"trace_id":"t","span.id":"s","err":"refused"},"event":{"sequence":1}}`,
		},
		"not as known": {
			record("m", "trace_id", 1, "span_id", true, slog.Group("error", "code", 1)),
			head + ecs + `,"attributes":{"trace_id":1,"span_id":true,"error":{"code":1}},"event":{"sequence":1}}`,
		},
		"equal keys": {
			record("m", "a", 1, "b", 2, "a", "x", slog.Group("a", "c", 3, "c", 4)),
			head + ecs + `,"attributes":{"a":[1,"x",{"c":[3,4]}],"b":2},"event":{"sequence":1}}`,
		},
		"20 deep": {
			record("m", "x", nested(19)),
			head + ecs + `,"attributes":{"x":` + strings.Repeat("[", 19) + "1" + strings.Repeat("]", 19) + `},"event":{"sequence":1}}`,
		},
		"21 deep": {
			record("m", "x", nested(20)),
			head + ecs + `,"event":{"sequence":1,"original":"{\"time\":\"2026-01-02T03:04:05.000000006Z\",\"level\":\"INFO\",\"msg\":\"m\",\"x\":` +
				strings.Repeat("[", 20) + "1" + strings.Repeat("]", 20) + `}"},"tags":["attributes_as_text"]}`,
		},
		"brackets in texts": {
			record("m", "x", []string{strings.Repeat(`["\`, 100)}),
			head + ecs + `,"attributes":{"x":["` + strings.Repeat(`[\"\\`, 100) + `"]},"event":{"sequence":1}}`,
		},
	} {
		docs := docsOf(t, test.record)
		require.Equal(t, test.want, docs[0], name)
	}

	// Many attributes are looked through in another way.
	many, all := record("m"), ""
	for i := range 100 {
		many.Add(fmt.Sprint(i), i)
		all += fmt.Sprintf(`"%d":%[1]d,`, i)
	}
	require.Equal(t, head+ecs+`,"attributes":{`+strings.TrimSuffix(all, ",")+`},"event":{"sequence":1}}`, docsOf(t, many)[0])
	many.Add("7", "again")
	require.Contains(t, docsOf(t, many)[0], `"6":6,"7":[7,"again"],"8":8`)
	many.Add("99", "again", "7", slog.GroupValue(slog.Int("a", 1), slog.Int("a", 2)))
	require.Contains(t, docsOf(t, many)[0], `"6":6,"7":[7,"again",{"a":[1,2]}],"8":8`)
	require.Contains(t, docsOf(t, many)[0], `"98":98,"99":[99,"again"]},"event"`)

	// Comparing each with each takes a hundred times as long here.
	var pairs []any
	var want strings.Builder
	for i := range 100_000 {
		pairs = append(pairs, slog.Int(fmt.Sprint(i/2), i))
		if i%2 == 1 {
			fmt.Fprintf(&want, `"%d":[%d,%d],`, i/2, i-1, i)
		}
	}
	require.True(t, head+ecs+`,"attributes":{`+strings.TrimSuffix(want.String(), ",")+`},"event":{"sequence":1}}` == docsOf(t, record("m", pairs...))[0])

	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warn", slog.LevelError: "error",
		slog.LevelInfo + 1: "info+1", slog.LevelDebug - 4: "debug-4", slog.LevelError + 10: "error+10",
	} {
		require.Contains(t, docsOf(t, slog.NewRecord(at, level, "m", 0))[0], `"log":{"level":"`+want+`"}`)
	}
}

func nested(depth int) any {
	v := any(1)
	for range depth {
		v = []any{v}
	}
	return v
}

// Where a record was logged is there, and a record without a time has that of the
// first attempt, in whatever parts the batch is sent.
func TestSourceAndTime(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{serverURI(server, "", "")}})
	require.NoError(t, err)
	slog.New(fapilog.Handler(out, &slog.HandlerOptions{AddSource: true})).Info("here")
	require.NoError(t, out.Close())
	require.Regexp(t, `"log":\{"level":"info","origin":\{"function":"github.com/fapilog/fapilog/sinks/elasticsearch_test.TestSourceAndTime","file":\{"name":".*document_test.go","line":\d+\}\}\}`, string(bulks(server)[0].Body))

	server = newServer(t, slogtest.Answer{Status: http.StatusServiceUnavailable}, slogtest.Answer{Status: http.StatusServiceUnavailable})
	s := sinktest.MustOpenURI(t, serverURI(server, "logs-{yyyy.MM.dd.HH}", ""))
	log := sinktest.NewLog("LOG", "")
	batch := log.Batch(slog.Record{Message: "a"}, record("b"), slog.Record{Message: "c"})
	require.Error(t, s.Write(t.Context(), batch))
	require.Error(t, s.Write(t.Context(), batch))
	require.NoError(t, s.Write(t.Context(), batch[:1]))
	require.NoError(t, s.Write(t.Context(), batch[1:]))
	all := bulks(server)
	require.Equal(t, string(all[0].Body), string(all[1].Body))
	require.Equal(t, string(all[0].Body), string(all[2].Body)+string(all[3].Body))
	require.Equal(t, 2, strings.Count(string(all[0].Body), `"tags":["time_of_delivery"]`))
	require.Contains(t, string(all[0].Body), `{"create":{"_index":"logs-2026.01.02.03","_id":"LOG:2"}}`)
	require.NotContains(t, string(all[0].Body), `"_index":"logs-0001`)
}

// A document is found by its fields, in both servers.
func TestFields(t *testing.T) {
	onBoth(t, func(t *testing.T, e *testserver.Elasticsearch) {
		index := e.Index()
		s := sinktest.MustOpenURI(t, uriOf(e.Address, index, ""))
		require.NoError(t, s.Write(t.Context(), sinktest.NewLog("LOG", "shop").Batch(
			record("order received", "order", 4711, "trace_id", "4bf9", "took", 20*time.Millisecond),
			slog.NewRecord(at.Add(time.Second), slog.LevelError, "payment refused", 0),
			record("whole numbers first", "ratio", 1.0), record("and fractions then", "ratio", 1.5),
			record("text", "when", "2026-01-02", "long", strings.Repeat("x", 40_000)),
		)))
		e.Do(http.MethodPost, "/"+index+"/_refresh", "")
		for query, want := range map[string]int{
			"log.level:error":                         1,
			"service.name:shop":                       5,
			"message:received":                        1,
			"trace.id:4bf9 AND attributes.order:4711": 1,
			"attributes.took:[1000000 TO 100000000]":  1,
			"attributes.ratio:[1.2 TO 1.7]":           1,
			"attributes.when:2026-01-02":              1,
			"event.sequence:[2 TO 3]":                 2,
			"tags:attributes_as_text":                 0,
		} {
			text := string(e.Do(http.MethodGet, "/"+index+"/_count?q="+strings.ReplaceAll(query, " ", "%20"), ""))
			require.Contains(t, text, fmt.Sprintf(`"count":%d,`, want), query)
		}
		mapping := string(e.Do(http.MethodGet, "/"+index+"/_mapping", ""))
		require.Contains(t, mapping, `"when":{"type":"keyword","ignore_above":1024}`)
		require.Contains(t, mapping, `"ratio":{"type":"double"}`)
	})
}
