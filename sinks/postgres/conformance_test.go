package postgres_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/postgres"
	"github.com/fapilog/fapilog/slogtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	server := testserver.StartPostgres(t)
	user := server.User("app")
	var tables atomic.Int64
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		p := newProxy(t, server.Address)
		table := fmt.Sprintf("Logs of %d", tables.Add(1))
		sink, err := postgres.New(server.URIAt(p.Address, user, "sslmode=disable"), postgres.Options{Table: table})
		require.NoError(t, err)
		require.NoError(t, sink.Probe(t.Context()))
		name := `public."` + table + `"`
		sql := func(sql string) func() {
			return func() { server.Exec(strings.NewReplacer("TABLE", "TABLE "+name, "USER", user).Replace(sql)) }
		}
		huge := slog.NewRecord(time.Now(), slog.LevelInfo, "a number that PostgreSQL has no place for", 0)
		huge.Add("number", json.Number("1e999999"))
		return slogtest.Subject{
			Sink:       sink,
			Idempotent: true,
			Secrets:    []string{server.Password},
			Refused:    []slog.Record{huge},
			Records:    func() ([]map[string]any, error) { return recordsOf(server, name) },
			Faults: []slogtest.Fault{
				{Name: "unreachable", Begin: p.refuse, End: p.mend, Want: slogtest.Retry},
				{Name: "no answer", Begin: p.stall, End: p.mend, Want: slogtest.Retry, Hangs: true},
				{Name: "answer lost", Begin: p.loseAnswers, End: p.mend, Want: slogtest.Retry, Delivers: true},
				{Name: "no permission", Begin: sql("REVOKE ALL ON TABLE FROM USER"), End: sql("GRANT ALL ON TABLE TO USER"), Want: slogtest.Hold},
				{Name: "column missing", Begin: sql("ALTER TABLE RENAME level TO severity"), End: sql("ALTER TABLE RENAME severity TO level"), Want: slogtest.Hold},
				{Name: "column of another type", Begin: sql("ALTER TABLE ALTER attrs TYPE json"), End: sql("ALTER TABLE ALTER attrs TYPE jsonb"), Want: slogtest.Hold},
				{Name: "refused by a constraint", Begin: sql("ALTER TABLE ADD CONSTRAINT c CHECK (false) NOT VALID"), End: sql("ALTER TABLE DROP CONSTRAINT c"), Want: slogtest.Permanent},
			},
		}
	})
}

// recordsOf reads a table back.
func recordsOf(server *testserver.Postgres, table string) (records []map[string]any, err error) {
	// The time as it is, not rounded, and one row per record.
	rows, err := server.Strings(`SELECT jsonb_strip_nulls(jsonb_build_object('time', time, 'level', level, 'msg', message))::text || attrs::text FROM ` + table + ` ORDER BY log_id, seq`)
	for _, row := range rows {
		record := make(map[string]any)
		for d, i := json.NewDecoder(strings.NewReader(row)), 0; i < 2; i++ {
			d.UseNumber()
			object := make(map[string]any)
			if err := d.Decode(&object); err != nil {
				return nil, err
			}
			for k, v := range object {
				if _, builtin := record[k]; !builtin {
					record[k] = v
				}
			}
		}
		records = append(records, record)
	}
	return records, err
}

func TestURI(t *testing.T) {
	server := testserver.StartPostgres(t)
	slogtest.TestURI(t, server.URI(server.User("app"), "sslmode=prefer"),
		"table=", "schema="+strings.Repeat("x", 64), "pool=0", "pool=101", "sslmode=secretmode", "connect_timeout=secret-time", "pool_max_conn_lifetime=secret-life", "target_session_attrs=secret-attrs")
}
