package postgres_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/event"
	"github.com/fapilog/fapilog/internal/frame"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a fan-out that says what goes wrong in the test's output.
func open(t testing.TB, uris ...string) *fapilog.Fanout {
	t.Helper()
	out, err := fapilog.New(t.Context(), fapilog.Config{Service: "shop", Sinks: uris, Fallback: t.Output(), ShutdownTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// opening returns the error of opening a URI.
func opening(t *testing.T, uri string) error {
	t.Helper()
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: t.Output()})
	if err == nil {
		require.NoError(t, out.Close())
	}
	return err
}

// openSink opens a URI without a fan-out.
func openSink(t testing.TB, text string) sinks.Sink {
	t.Helper()
	uri, err := registry.Parse(text)
	require.NoError(t, err)
	s, err := registry.Default().Open(t.Context(), uri)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.(io.Closer).Close()) })
	return s
}

func probe(t testing.TB, s sinks.Sink) error {
	t.Helper()
	return s.(sinks.Prober).Probe(t.Context())
}

// logN logs records with the attributes i = 0, 1, ..., n-1.
func logN(out *fapilog.Fanout, n int) {
	log := slog.New(fapilog.Handler(out, nil))
	for i := range n {
		log.Info("record", "i", i)
	}
}

// batchOf returns a batch of one log with the given records.
func batchOf(log string, records ...slog.Record) []sinks.Event {
	b := event.NewBatch(&event.Origin{Log: log})
	var events []sinks.Event
	for i, r := range records {
		events = append(events, sinks.Event(b.Add(frame.NewEncoder(nil).Append(nil, r), uint64(i+1))))
	}
	return events
}

// numbered returns n records, which are the same for the same n.
func numbered(n int) (records []slog.Record) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for i := range n {
		r := slog.NewRecord(noon.Add(time.Duration(i)*time.Second), slog.LevelInfo, fmt.Sprintf("record %d", i+1), 0)
		r.Add("i", i)
		records = append(records, r)
	}
	return records
}

// kindOf returns the verdict of an error.
func kindOf(err error) verdict.Kind {
	kind, _, _ := verdict.Of(err)
	return kind
}

// requireDelivered closes the fan-out and checks that the table has the n
// records of logN, each once, in order, and that the account says so.
func requireDelivered(t *testing.T, out *fapilog.Fanout, p *testserver.Postgres, table string, n int) {
	t.Helper()
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, n, st.Delivered)
	require.Zero(t, st.Dropped+st.Rejected+st.Pending)
	requireRows(t, p, table, n)
}

func requireRows(t *testing.T, p *testserver.Postgres, table string, n int) {
	t.Helper()
	require.Equal(t, fmt.Sprintf("%d %d %d %d", n, n, n-1, n), p.One(
		`SELECT format('%s %s %s %s', count(*), count(DISTINCT attrs->'i'), max((attrs->>'i')::int),
			count(*) FILTER (WHERE (attrs->>'i')::bigint = seq - 1)) FROM `+table))
}

// waitFor waits until the first sink of a fan-out is in a state.
func waitFor(t *testing.T, out *fapilog.Fanout, state fapilog.State) {
	t.Helper()
	testserver.Wait(t, fmt.Sprintf("the state %v", state), func() error {
		if st := out.Stats().Sinks[0]; st.State != state {
			return fmt.Errorf("it is %v: %w", st.State, st.LastError)
		}
		return nil
	})
}
