package postgres_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opening returns the error of opening a URI.
func opening(t *testing.T, uri string) error {
	t.Helper()
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{uri}, Fallback: t.Output()})
	if err == nil {
		require.NoError(t, out.Close())
	}
	return err
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
