package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/postgres"
)

// A raw is a value with JSON of its own.
type raw string

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func TestRows(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	out := sinktest.Open(t, p.URI(p.User("app"), ""))
	h := fapilog.Handler(out, &slog.HandlerOptions{AddSource: true, Level: slog.LevelDebug - 4})
	at := time.Date(2026, time.February, 3, 4, 5, 6, 123456789, time.FixedZone("", 2*3600))
	log := func(at time.Time, level slog.Level, message string, attrs ...any) {
		r := slog.NewRecord(at, level, message, 0)
		r.Add(attrs...)
		require.NoError(t, h.Handle(t.Context(), r))
	}
	log(at, slog.LevelInfo, "plain", "a", 1, slog.Group("g", "b", "two", slog.Group("h", "c", int64(9007199254740993))), "d.e", true)
	log(time.Time{}, slog.LevelDebug-4, "no\x00time\xff")
	log(time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC), slog.LevelWarn, "early")
	log(time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC), slog.LevelError, "late")
	log(time.Date(1815, 12, 10, 0, 0, 0, 999, time.UTC), slog.LevelInfo+1, "once upon a time")
	log(at, slog.LevelInfo, "duplicates", "k", 1, "k", "2", slog.Group("k", "x", 3), "k", []int{4})
	log(at, slog.LevelInfo, "JSON", "v", raw(`{"nul\u0000":"\ud800\ud800\udc00\u00e9\\u0000\n\udfff","n":1e2,"\ud83d\ude00":"`+"\xff"+`"}`))
	log(at, slog.LevelInfo, "text", "v", "\x00\xff\xed\xa0\x80\"\\\x01\x7f\u2028\U0001f600", "k\x00", time.Duration(-1), "b", []byte{0, 1}, "nb", []byte(nil), "e", errors.New("e\x00"), "n", nil, "u", uint64(1<<63), "f", 0.1)
	slog.New(h).Info("source")
	log(at, slog.LevelInfo, strings.Repeat("megabyte", 1<<17))
	require.NoError(t, out.Close())
	require.EqualValues(t, 10, out.Stats().Sinks[0].Delivered)
	require.Zero(t, out.Stats().Sinks[0].Retries)

	for i, want := range []string{
		`2026-02-03 02:05:06.123456+00|INFO|plain|shop|{"a": 1, "g": {"b": "two", "h": {"c": 9007199254740993}}, "d.e": true}`,
		"|DEBUG-4|no\ufffdtime\ufffd|shop|{}",
		`-infinity|WARN|early|shop|{}`,
		`infinity|ERROR|late|shop|{}`,
		`1815-12-10 00:00:00+00|INFO+1|once upon a time|shop|{}`,
		`2026-02-03 02:05:06.123456+00|INFO|duplicates|shop|{"k": [4]}`,
		"2026-02-03 02:05:06.123456+00|INFO|JSON|shop|" + `{"v": {"n": 100, "` + "\U0001f600" + `": "` + "\ufffd" + `", "nul` + "\ufffd" + `": "` + "\ufffd\U00010000é" + `\\u0000\n` + "\ufffd" + `"}}`,
		"2026-02-03 02:05:06.123456+00|INFO|text|shop|" + `{"b": "AAE=", "e": "e` + "\ufffd" + `", "f": 0.1, "n": null, "u": 9223372036854775808, "v": "` +
			"\ufffd\ufffd\ufffd\ufffd\ufffd" + `\"\\\u0001` + "\x7f\u2028\U0001f600" + `", "nb": null, "k` + "\ufffd" + `": -1}`,
	} {
		require.Equal(t, want, p.One(fmt.Sprintf(`SELECT format('%%s|%%s|%%s|%%s|%%s', time, level, message, service, attrs) FROM logs WHERE seq = %d`, i+1)))
	}
	require.Regexp(t, `^\{"source": \{"file": ".*server_test\.go", "line": \d+, "function": ".*TestRows"\}\}$`, p.One("SELECT attrs::text FROM logs WHERE message = 'source'"))
	require.Equal(t, "1048576", p.One("SELECT max(length(message))::text FROM logs"))
	require.Equal(t, "26 1", p.One("SELECT max(length(log_id)) || ' ' || count(DISTINCT log_id) FROM logs"))
	require.Equal(t, "PRIMARY KEY (log_id, seq)", p.One("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'logs'::regclass AND contype = 'p'"))
}

// Without a service there is none, and every value is what the JSON line has.
func TestAttributesAreThoseOfTheLine(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	s := sinktest.MustOpenURI(t, p.URI(p.User("app"), ""))
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, "m", 0)
	r.Add("s", "<&>'\"\t", "i", -1, "u", uint64(1), "f", 1e21, "tiny", 5e-324, "b", false, "d", time.Second, "t", time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		"any", map[string]any{"x": []any{1, nil}}, "err", errors.New("e"), "nil", nil, "bytes", []byte("b"), slog.Group("g", slog.Group("h", "i", 1)), "text", raw(`"é\n"`))
	batch := sinktest.NewLog("log", "").Batch(r)
	require.NoError(t, s.Write(t.Context(), batch))
	var line, attrs map[string]any
	require.NoError(t, json.Unmarshal(batch[0].JSON(), &line))
	require.NoError(t, json.Unmarshal([]byte(p.One("SELECT attrs::text FROM logs WHERE service IS NULL AND time IS NULL")), &attrs))
	delete(line, slog.LevelKey)
	delete(line, slog.MessageKey)
	require.Equal(t, line, attrs)
}

// What a sink finds: tables of all kinds that COPY, or only INSERT, can write to.
func TestTables(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	const list = "log_id text, seq bigint, time timestamptz, level text, message text, service text, attrs jsonb"
	for name, sql := range map[string]string{
		"narrow text":  `CREATE TABLE TT (log_id varchar(26), seq bigint, time timestamptz, level varchar(9), message varchar, service varchar, attrs jsonb, id bigserial, UNIQUE (seq, log_id)); GRANT USAGE ON SEQUENCE "narrow text_id_seq" TO USER`,
		"partitioned":  `CREATE TABLE TT (` + list + `, PRIMARY KEY (log_id, seq, time)) PARTITION BY RANGE (time); CREATE TABLE part PARTITION OF TT DEFAULT`,
		"secured":      `CREATE TABLE TT (` + list + `, PRIMARY KEY (log_id, seq)); ALTER TABLE TT ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON TT USING (true)`,
		"view":         `CREATE TABLE behind (` + list + `, PRIMARY KEY (log_id, seq)); CREATE VIEW TT AS SELECT * FROM behind`,
		"odd\"; DROP'": `CREATE TABLE TT (` + list + `, PRIMARY KEY (log_id, seq))`,
	} {
		table := pgx.Identifier{name}.Sanitize()
		// Nothing but to insert.
		p.Exec(strings.NewReplacer("TT", table, "USER", user).Replace(sql + "; GRANT INSERT ON TT TO USER"))
		s := sinktest.MustOpenURI(t, p.URI(user, "create=false&table="+url.QueryEscape(name)))
		require.NoError(t, sinktest.Probe(t, s), name)
		for range 2 {
			require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(10)...)), name)
		}
		require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(15)...)), name)
		requireRows(t, p, table, 15)
	}
}

// A table without a key is used, with a warning.
func TestTableWithoutKey(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	require.NoError(t, opening(t, p.URI(user, "")))
	p.Exec("ALTER TABLE logs DROP CONSTRAINT logs_pkey")
	var said strings.Builder
	out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{p.URI(user, "")}, Fallback: &said})
	require.NoError(t, err)
	sinktest.LogN(out, 3)
	requireDelivered(t, out, p, "logs", 3)
	require.Contains(t, said.String(), `the table "logs" has no unique index on log_id and seq`)

	// A key keeps a record from being there twice only if it is on nothing that
	// differs when the record is sent again.
	p.Exec("DROP TABLE logs")
	for key, enough := range map[string]bool{
		"PRIMARY KEY (seq, log_id)":                          true,
		"UNIQUE (log_id, seq) INCLUDE (id)":                  true,
		"UNIQUE (time, log_id, seq)":                         true,
		"UNIQUE (log_id, seq, id)":                           false,
		"UNIQUE (id) INCLUDE (log_id, seq)":                  false,
		"UNIQUE (log_id, seq) DEFERRABLE INITIALLY DEFERRED": false,
	} {
		p.Exec("CREATE TABLE logs (log_id text, seq bigint, time timestamptz, level text, message text, service text, attrs jsonb, id bigserial, " + key + "); GRANT ALL ON ALL TABLES IN SCHEMA public TO " + user)
		var said strings.Builder
		out, err := fapilog.New(t.Context(), fapilog.Config{Sinks: []string{p.URI(user, "")}, Fallback: &said})
		require.NoError(t, err)
		require.NoError(t, out.Close())
		require.Equal(t, enough, !strings.Contains(said.String(), "has no unique index on log_id and seq"), key)
		p.Exec("DROP TABLE logs")
	}
}

// Several programs start at the same time, and there is no table yet.
func TestTableIsCreatedOnce(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	var all []sinks.Sink
	for range 8 {
		all = append(all, sinktest.MustOpenURI(t, p.URI(user, "schema=My%20logs&table=Of%20today")))
	}
	var wg sync.WaitGroup
	for i, s := range all {
		wg.Go(func() {
			if err := sinktest.Probe(t, s); err != nil {
				t.Error(err)
			}
			if err := s.Write(t.Context(), sinktest.NewLog(fmt.Sprint("log", i), "").Batch(numbered(1)...)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, "8", p.One(`SELECT count(*)::text FROM "My logs"."Of today"`))
	require.Equal(t, "brin", p.One(`SELECT amname::text FROM pg_class c JOIN pg_am a ON a.oid = relam JOIN pg_index ON indexrelid = c.oid
		WHERE indrelid = '"My logs"."Of today"'::regclass AND NOT indisunique`))
}

// Through PgBouncer in transaction mode, two sinks share one connection to the
// server.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	address := testserver.StartPgBouncer(t, p, user)
	p.Exec("CREATE TABLE secured (log_id text, seq bigint, time timestamptz, level text, message text, service text, attrs jsonb, PRIMARY KEY (log_id, seq)); " +
		"ALTER TABLE secured ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON secured USING (true); GRANT INSERT ON secured TO " + user)
	for _, parameters := range []string{"", "&default_query_exec_mode=simple_protocol"} {
		name := fmt.Sprintf("logs%d", len(parameters))
		outs := map[string]*fapilog.Fanout{
			name:      sinktest.Open(t, p.URIAt(address, user, "batch=100&linger=1ms&table="+name+parameters)),
			"secured": sinktest.Open(t, p.URIAt(address, user, "batch=100&linger=1ms&table=secured"+parameters)),
		}
		for range 10 {
			for _, out := range outs {
				sinktest.LogN(out, 100)
				require.NoError(t, out.Flush(t.Context()))
			}
		}
		for table, out := range outs {
			require.NoError(t, out.Close())
			st := out.Stats().Sinks[0]
			require.EqualValues(t, 1000, st.Delivered)
			require.Zero(t, st.Retries, "%v", st.LastError)
			require.Equal(t, "1000", p.One("SELECT count(*)::text FROM "+table))
		}
		p.Exec("TRUNCATE secured")
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, strangers := testserver.NewAuthority(t, "ca"), testserver.NewAuthority(t, "strangers")
	cert, key := ca.Issue("server")
	p := testserver.StartPostgres(t, "ssl=off", "ssl_cert_file=server.pem", "ssl_key_file=server.key")
	dir := p.DataDir()
	for name, from := range map[string]string{"server.pem": cert, "server.key": key} {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	p.Own(dir)
	user := p.User("app")
	s := sinktest.MustOpenURI(t, p.URI(user, "sslmode=verify-full&sslrootcert="+ca.File))
	err := sinktest.Probe(t, s)
	require.ErrorContains(t, err, "server refused TLS connection")
	require.Equal(t, verdict.Hold, sinktest.KindOf(err))
	p.Set("ssl", "on")
	require.NoError(t, sinktest.Probe(t, s))
	require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...)))
	require.Equal(t, "true", p.One("SELECT bool_and(ssl)::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'fapilog'"))

	authority := filepath.Join(t.TempDir(), "authority.pem")
	copyFile := func(from string) {
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(authority, text, 0o600))
	}
	for _, mode := range []string{"verify-ca", "verify-full"} {
		copyFile(strangers.File)
		s := sinktest.MustOpenURI(t, p.URI(user, "sslmode="+mode+"&sslrootcert="+authority))
		err := s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...))
		require.ErrorContains(t, err, "certificate", mode)
		require.Equal(t, verdict.Hold, sinktest.KindOf(err), mode)
		copyFile(ca.File) // which is read again
		require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...)), mode)
	}
	requireRows(t, p, "logs", 3)
}

// Everything that such a URI can say is heeded.
func TestWhatIsPassedOn(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	p.Exec("CREATE SCHEMA first; GRANT ALL ON SCHEMA first TO " + user)
	gone := testserver.Address(testserver.Port(t))
	for _, test := range []struct{ uri, query, want string }{
		{p.URIAt(gone+","+p.Address, user, ""), "current_setting('application_name') || client_encoding", "fapilogUTF8"},
		{p.URI(user, "target_session_attrs=read-write&application_name=shop&client_encoding=utf-8"), "application_name || client_encoding", "shopUTF8"},
		{p.URI(user, "search_path=first&synchronous_commit=off"), "search_path || synchronous_commit", "firstoff"},
		{p.URI(user, "options=-c%20statement_timeout%3D12345&schema=first"), "statement_timeout", "12345ms"},
		{strings.Replace(p.URI(user, "pool_max_conns=1&pool_max_conn_lifetime=1h"), "postgres://", "postgresql://", 1), "application_name", "fapilog"},
		{fmt.Sprintf("postgres:///%s?host=127.0.0.1&port=%s&user=%s&password=%s", p.Database, strings.TrimPrefix(p.Address, "127.0.0.1:"), user, p.Password), "application_name", "fapilog"},
	} {
		// A trigger sees the settings of the sink's connection.
		s := sinktest.MustOpenURI(t, test.uri)
		require.NoError(t, sinktest.Probe(t, s), test.uri)
		schema := "public"
		if strings.Contains(test.uri, "first") {
			schema = "first"
		}
		var expr []string
		for _, name := range strings.Split(strings.NewReplacer("current_setting('", "", "')", "").Replace(test.query), " || ") {
			expr = append(expr, "current_setting('"+name+"')")
		}
		p.Exec(fmt.Sprintf(`CREATE OR REPLACE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.message = %s; RETURN NEW; END$$;
			CREATE OR REPLACE TRIGGER tell BEFORE INSERT ON %s.logs FOR EACH ROW EXECUTE FUNCTION public.tell(); TRUNCATE %[2]s.logs`, strings.Join(expr, " || "), schema))
		require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(1)...)))
		got := p.One("SELECT message FROM " + schema + ".logs")
		require.Equal(t, strings.TrimSuffix(test.want, "ms"), strings.TrimSuffix(strings.ReplaceAll(got, `"`, ""), "ms"))
	}
}

// A program that has values instead of a URI.
func TestNew(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	host, port, _ := strings.Cut(p.Address, ":")
	s, err := postgres.New(fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s", host, port, p.User("app"), p.Password, p.Database), postgres.Options{Schema: "ops", NoCreate: true})
	require.NoError(t, err)
	require.EqualError(t, sinktest.Probe(t, s), "postgres: probe postgres://"+p.Address+`: there is no table "ops"."logs": create it, or set create=true`)
	require.Equal(t, sinks.Batching{Records: 5000, Bytes: 1 << 20, Linger: 200 * time.Millisecond}, s.Batching())
	require.NoError(t, io.Closer(s).Close())
}

// Records cost little more than the one allocation of their iterator, whatever
// is in them.
func TestAllocations(t *testing.T) {
	p := testserver.StartPostgres(t)
	s := sinktest.MustOpenURI(t, p.URI(p.User("app"), ""))
	require.NoError(t, sinktest.Probe(t, s))
	allocs := func(n int) float64 {
		batches := make([][]sinks.Event, 11)
		for i := range batches {
			batches[i] = sinktest.NewLog(fmt.Sprint("log", n, "-", i), "").Batch(numbered(n)...)
		}
		i := 0
		return testing.AllocsPerRun(10, func() {
			if err := s.Write(t.Context(), batches[i]); err != nil {
				t.Error(err)
			}
			i++
		})
	}
	few := allocs(10)
	require.Less(t, allocs(2010), few+2000*1.5)
}
