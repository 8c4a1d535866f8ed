package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/internal/sinktest"
	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks/postgres"
)

// Whatever the server says has the verdict that is documented. A trigger says
// it: that is the server's own answer to the sink's own statement.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	s := sinktest.MustOpenURI(t, p.URI(p.User("app"), ""))
	require.NoError(t, sinktest.Probe(t, s))
	batch := sinktest.NewLog("log", "").Batch(numbered(3)...)
	for want, codes := range map[verdict.Kind]string{
		verdict.Retry:     "08000 08006 40001 40P01 53000 53200 53300 55006 55P03 57000 57014 57P01 57P02 57P03 58000 58030 25P02 26000 XX000 F0000",
		verdict.Hold:      "28000 28P01 3D000 3F000 42P01 42703 42501 42601 42804 42P10 53100 53400 25006 55000 58P01 XX001 XX002",
		verdict.Permanent: "22000 22001 22003 22007 22021 22P02 22P05 23000 23502 23503 23514 23P01 44000 54000 54001 P0001 P0004",
	} {
		for _, code := range strings.Fields(codes) {
			p.Exec(fmt.Sprintf(`CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
				$$BEGIN RAISE EXCEPTION 'secret of %[1]s' USING ERRCODE = '%[1]s', DETAIL = 'the row'; END$$;
				CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON logs EXECUTE FUNCTION fail()`, code))
			err := s.Write(t.Context(), batch)
			require.ErrorContains(t, err, "postgres: write to "+"postgres://"+p.Address+": ERROR: secret of "+code, code)
			require.NotContains(t, err.Error(), "the row")
			require.Equal(t, want, sinktest.KindOf(err), code)
			found, ok := errors.AsType[*pgconn.PgError](err)
			require.True(t, ok)
			require.Equal(t, code, found.Code)
		}
	}
	p.Exec("DROP TRIGGER fail ON logs")
	require.NoError(t, s.Write(t.Context(), batch))
	requireRows(t, p, "logs", 3)
}

func TestServerThatIsKilled(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testserver.Postgres){"killed": (*testserver.Postgres).Kill, "stopped": (*testserver.Postgres).Stop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testserver.StartPostgres(t)
			out := sinktest.Open(t, p.URI(p.User("app"), "batch=100&linger=1ms"))
			const count = 20_000
			done := make(chan struct{})
			go func() {
				defer close(done)
				sinktest.LogN(out, count)
			}()
			testserver.Wait(t, "the first batch", func() error {
				if out.Stats().Sinks[0].Delivered == 0 {
					return errors.New("nothing is delivered")
				}
				return nil
			})
			end(p)
			p.Restart()
			<-done
			requireDelivered(t, out, p, "logs", count)
			require.NotZero(t, out.Stats().Sinks[0].Retries)
		})
	}
}

// The transaction is committed, and the answer does not arrive: by COPY, and by
// INSERT, which a table with row-level security needs.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	require.NoError(t, opening(t, p.URI(user, "table=secured")))
	p.Exec("ALTER TABLE secured OWNER TO admin; ALTER TABLE secured ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON secured USING (true); GRANT INSERT ON secured TO " + user)
	for _, table := range []string{"logs", "secured"} {
		proxy := newProxy(t, p.Address)
		out := sinktest.Open(t, p.URIAt(proxy.Address, user, "sslmode=disable&batch=100&linger=1ms&table="+table))
		proxy.loseAnswers()
		sinktest.LogN(out, 1000)
		testserver.Wait(t, "the first batch", func() error {
			if p.One("SELECT count(*)::text FROM "+table) == "0" {
				return errors.New("it is not there")
			}
			return nil
		})
		proxy.mend()
		requireDelivered(t, out, p, table, 1000)
		require.NotZero(t, out.Stats().Sinks[0].Retries)
	}
}

// A password that is being changed costs nothing, whoever is the first to know
// the new one.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	uri := p.URI(user, "")
	require.NoError(t, opening(t, uri))
	p.Exec("ALTER ROLE " + user + " PASSWORD 'another'")
	err := opening(t, uri)
	require.ErrorContains(t, err, "password authentication failed")
	require.ErrorContains(t, err, "(SQLSTATE 28P01): check user and password")
	require.NotContains(t, err.Error(), p.Password)

	p.Exec("ALTER ROLE " + user + " PASSWORD '" + p.Password + "'")
	out := sinktest.Open(t, uri)
	disconnect := func() {
		p.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fapilog' AND datname = current_database()")
	}
	p.Exec("ALTER ROLE " + user + " PASSWORD 'another'")
	disconnect()
	sinktest.LogN(out, 10)
	sinktest.WaitFor(t, out, fapilog.StateHeld)
	p.Exec("ALTER ROLE " + user + " PASSWORD '" + p.Password + "'")
	requireDelivered(t, out, p, "logs", 10)

	// A file with passwords is read for each connection.
	file := filepath.Join(t.TempDir(), "passwords")
	require.NoError(t, os.WriteFile(file, []byte("*:*:*:*:"+p.Password+"\n"), 0o600))
	out = sinktest.Open(t, fmt.Sprintf("postgres://%s@%s/%s?passfile=%s&table=by_file", user, p.Address, p.Database, file))
	require.NoError(t, os.WriteFile(file, []byte("*:*:*:*:wrong\n"), 0o600))
	disconnect()
	sinktest.LogN(out, 10)
	sinktest.WaitFor(t, out, fapilog.StateHeld)
	require.NoError(t, os.WriteFile(file, []byte("*:*:*:*:"+p.Password+"\n"), 0o600))
	requireDelivered(t, out, p, "by_file", 10)
}

// A table that is dropped is created again, unless that is not wanted.
func TestTableThatIsDropped(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	s := sinktest.MustOpenURI(t, p.URI(user, ""))
	require.NoError(t, sinktest.Probe(t, s))
	p.Exec("DROP TABLE logs")
	err := s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...))
	require.ErrorContains(t, err, "SQLSTATE 42P01")
	require.Equal(t, verdict.Hold, sinktest.KindOf(err))
	require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...)))
	requireRows(t, p, "logs", 3)

	out := sinktest.Open(t, p.URI(user, "create=false"))
	p.Exec("DROP TABLE logs")
	sinktest.LogN(out, 10)
	sinktest.WaitFor(t, out, fapilog.StateHeld)
	require.ErrorContains(t, out.Stats().Sinks[0].LastError, "create the table, or set create=true")
	require.NoError(t, opening(t, p.URI(user, "")))
	requireDelivered(t, out, p, "logs", 10)
}

// A database that has become read-only is left for another server with its name:
// a connection that is read-only remains so.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	out := sinktest.Open(t, p.URI(user, "pool=1"))
	p.Exec("ALTER DATABASE " + p.Database + " SET default_transaction_read_only = on")
	p.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fapilog' AND datname = current_database()")
	sinktest.LogN(out, 10)
	sinktest.WaitFor(t, out, fapilog.StateHeld)
	require.ErrorContains(t, out.Stats().Sinks[0].LastError, "(SQLSTATE 25006): connect to the primary")
	require.ErrorContains(t, opening(t, p.URI(user, "")), "read-only")
	conn, err := p.Connect("postgres")
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "ALTER DATABASE "+p.Database+" SET default_transaction_read_only = off")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	requireDelivered(t, out, p, "logs", 10)
}

// A full disk is waited for. The disk is that of the table alone.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	dir := p.Dir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted, which takes root on Linux: %s", out)
	}
	t.Cleanup(func() {
		p.Stop()
		require.NoError(t, exec.Command("umount", dir).Run())
	})
	p.Own(dir)
	user := p.User("app")
	p.Exec("CREATE TABLESPACE small LOCATION '" + dir + "'")
	require.NoError(t, opening(t, p.URI(user, "")))
	p.Exec("ALTER TABLE logs SET TABLESPACE small")
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 1900<<10), 0o600))
	out := sinktest.Open(t, p.URI(user, ""))
	sinktest.LogN(out, 5000)
	sinktest.WaitFor(t, out, fapilog.StateHeld)
	require.ErrorContains(t, out.Stats().Sinks[0].LastError, "(SQLSTATE 53100): make room on the server")
	require.NoError(t, exec.Command("mount", "-o", "remount,size=64m", dir).Run())
	requireDelivered(t, out, p, "logs", 5000)
}

// A connection that the server ends while nobody uses it costs nothing; one that
// it ends in the middle of a batch, an attempt.
func TestTerminatedConnections(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	s := sinktest.MustOpenURI(t, p.URI(p.User("app"), ""))
	require.NoError(t, sinktest.Probe(t, s))
	admin, err := p.Connect(p.Database)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	exec := func(sql string) {
		_, err := admin.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec("BEGIN")
	exec("LOCK TABLE logs")
	result := make(chan error, 1)
	go func() { result <- s.Write(context.Background(), sinktest.NewLog("log", "").Batch(numbered(3)...)) }()
	testserver.Wait(t, "the sink to wait for the lock", func() error {
		if p.One("SELECT count(*)::text FROM pg_locks WHERE NOT granted") == "0" {
			return errors.New("it does not")
		}
		return nil
	})
	exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
	err = <-result
	require.ErrorContains(t, err, "SQLSTATE 57P01")
	require.Equal(t, verdict.Retry, sinktest.KindOf(err))
	exec("ROLLBACK")
	require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...)))
	requireRows(t, p, "logs", 3)
}

// A connection that is being made to a server that has vanished, which nothing
// tells the sink of, is given up: it does not keep the place of the next one for
// ever. It is so whatever is configured.
func TestServerThatVanishes(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]time.Duration{"": 5 * time.Second, "?connect_timeout=0": 5 * time.Second, "?connect_timeout=60": time.Minute} {
		got, err := postgres.ConnectTimeout("postgres://host/logs" + parameters)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	p := testserver.StartPostgres(t)
	proxy := newProxy(t, p.Address)
	s := sinktest.MustOpenURI(t, p.URIAt(proxy.Address, p.User("app"), "sslmode=disable&pool=1&connect_timeout=1"))
	proxy.set(silent)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Write(ctx, sinktest.NewLog("log", "").Batch(numbered(3)...)) }()
	testserver.Wait(t, "a connection that nobody answers", func() error {
		if proxy.unanswered() == 0 {
			return errors.New("there is none")
		}
		return nil
	})
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
	proxy.mend()
	require.NoError(t, s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...)))
	requireRows(t, p, "logs", 3)
}

// A server that has stopped answering does not keep the sink from being closed in
// the time that it has when that of the shutdown is over.
func TestShutdownWhileNobodyAnswers(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	for name, begin := range map[string]func(*proxy){"connected": (*proxy).freeze, "connecting": (*proxy).stall} {
		proxy := newProxy(t, p.Address)
		out, err := fapilog.New(t.Context(), fapilog.Config{
			Sinks: []string{p.URIAt(proxy.Address, user, "sslmode=disable")}, Fallback: t.Output(), ShutdownTimeout: 300 * time.Millisecond,
		})
		require.NoError(t, err)
		begin(proxy)
		sinktest.LogN(out, 10)
		err = out.Close()
		require.ErrorContains(t, err, "10 records undelivered", name)
		require.NotContains(t, err.Error(), "does not return", name)
		require.Equal(t, fapilog.StateClosed, out.Stats().Sinks[0].State, name)
	}
}

// Locks, timeouts and limits pass.
func TestWhatPasses(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	require.NoError(t, opening(t, p.URI(user, "")))
	admin, err := p.Connect(p.Database)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	_, err = admin.Exec(t.Context(), "BEGIN; LOCK TABLE logs")
	require.NoError(t, err)
	batch := sinktest.NewLog("log", "").Batch(numbered(3)...)
	for parameters, code := range map[string]string{
		"lock_timeout=10": "55P03", "statement_timeout=10": "57014", "options=-c%20lock_timeout%3D10": "55P03",
	} {
		err := sinktest.MustOpenURI(t, p.URI(user, parameters)).Write(t.Context(), batch)
		require.ErrorContains(t, err, "SQLSTATE "+code)
		require.Equal(t, verdict.Retry, sinktest.KindOf(err), code)
	}
	_, err = admin.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)

	p.Exec("ALTER ROLE " + user + " CONNECTION LIMIT 0")
	s := sinktest.MustOpenURI(t, p.URI(user, ""))
	err = s.Write(t.Context(), batch)
	require.ErrorContains(t, err, "SQLSTATE 53300")
	require.Equal(t, verdict.Retry, sinktest.KindOf(err))
	p.Exec("ALTER ROLE " + user + " CONNECTION LIMIT -1")
	require.NoError(t, s.Write(t.Context(), batch))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.Write(ctx, batch)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, verdict.Retry, sinktest.KindOf(err))
	require.NoError(t, s.(io.Closer).Close())
	require.ErrorContains(t, s.Write(t.Context(), batch), "closed pool")
}

// What is wrong at start-up is said, with what to do about it, and without a
// secret. Only that the server cannot be reached is waived by soft_start.
func TestMisconfiguration(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	uri := p.URI(user, "")
	p.Exec("CREATE TABLE narrow (log_id text, seq int, time timestamptz, level text, message text, service text, attrs jsonb); GRANT INSERT ON narrow TO " + user)
	p.Exec("CREATE TABLE short (log_id text); GRANT INSERT ON short TO " + user)
	p.Exec("CREATE TABLE alien (log_id text, seq bigint, time timestamptz, level text, message text, service text, attrs jsonb)")
	p.Exec("CREATE SCHEMA closed; REVOKE CREATE ON DATABASE " + p.Database + " FROM " + user)
	gone := newProxy(t, p.Address)
	gone.refuse()
	mute := newProxy(t, p.Address)
	mute.set(silent)
	for _, test := range []struct {
		uri, want string
		soft      bool
	}{
		{p.URIAt(testserver.Address(testserver.Port(t)), user, ""), "connection refused", true},
		{p.URIAt(mute.Address, user, "connect_timeout=60&timeout=50ms"), "postgres: probe postgres://" + mute.Address + ": no answer: ", true},
		{p.URIAt(gone.Address, user, ""), "postgres: probe postgres://" + gone.Address + ": ", true},
		{strings.Replace(uri, p.Password, "wrong-password", 1), "check user and password", false},
		{strings.Replace(uri, p.Address+"/"+p.Database, p.Address+"/no_such_database", 1), "create the database, or correct the path of the URI", false},
		{p.URI(user, "create=false"), `there is no table "logs": create it, or set create=true`, false},
		{p.URI(user, "create=false&schema=A%20b&table=C%22d"), `there is no table "A b"."C""d"`, false},
		{p.URI(user, "schema=new"), `create the table "new"."logs": ERROR: permission denied for database`, false},
		{p.URI(user, "schema=closed"), `permission denied for schema closed (SQLSTATE 42501): grant`, false},
		{p.URI(user, "table=narrow"), `the column seq of the table "narrow" is of the type int4: make it bigint`, false},
		{p.URI(user, "table=short"), `the table "short" has no column seq: add it, with the type bigint`, false},
		{p.URI(user, "table=alien"), `no permission to insert into the column log_id of the table "alien": grant INSERT`, false},
		{p.URI(user, "sslmode=require"), "server refused TLS connection: switch it on there, or write sslmode=disable", false},
		{p.URI(user, "options=-c%20no_such_setting%3D1"), "42704", false},
		{p.URI(user, "tabel=x"), "parameter tabel: unknown: did you mean table?", false},
		{p.URI(user, "sslmod=require"), "parameter sslmod: unknown: did you mean sslmode?", false},
		{p.URI(user, "sslmode=sometimes"), "parameter sslmode: not one of disable, allow, prefer, require, verify-ca, verify-full", false},
		{p.URI(user, "sslrootcert=/none/authority.pem"), "parameter sslrootcert: ", false},
		{p.URI(user, "sslcert=/none/client.pem&sslkey=/none/client.key"), "parameter sslkey: failed to configure TLS (unable to read sslkey", false},
		{p.URI(user, "sslcert=/none/client.pem"), "parameter sslcert: failed to configure TLS (both", false},
		{p.URI(user, "pool=3&pool_max_conns=3"), "parameter pool: pool_max_conns is there, too", false},
		{p.URI(user, "table=%FF"), "parameter table: not a name", false},
		{p.URI(user, "client_encoding=LATIN1"), "parameter client_encoding: client_encoding is not UTF8, which is what is sent: leave it out", false},
		{"postgres:logs", "two slashes are missing: write postgres://host/database", false},
	} {
		err := opening(t, test.uri)
		require.ErrorContains(t, err, test.want)
		require.NotContains(t, err.Error(), "assw0rd")
		require.Equal(t, strings.Contains(test.uri, "sslmode=require"), strings.Contains(err.Error(), "TLS connection"), "%v", err)
		require.NotContains(t, err.Error(), "wrong-password")
		if !strings.Contains(test.uri, "?") {
			test.uri += "?"
		}
		err = opening(t, test.uri+"&soft_start=true")
		require.Equal(t, test.soft, err == nil, "%s: %v", test.want, err)
	}
	_, err := postgres.New("postgres://u:secret@h:port/db", postgres.Options{Table: strings.Repeat("x", 64), Schema: "\x00", Pool: 101})
	for _, what := range []string{"table", "schema", "pool", "connection string"} {
		require.ErrorContains(t, err, "postgres: open: "+what+": ")
	}
	require.NotContains(t, err.Error(), "secret")
}

// A table that takes no record, or no record of today, is the operator's matter:
// no record is rejected for it.
func TestTableToBlame(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	batch := sinktest.NewLog("log", "").Batch(numbered(3)...)
	for want, sql := range map[string][2]string{
		`the table "logs" wants a value in the column "tenant", for which there is none: drop NOT NULL, or set a default`: {
			"ALTER TABLE logs ADD tenant text NOT NULL", "ALTER TABLE logs ALTER tenant SET DEFAULT 'x'",
		},
		`the table "logs" wants a value in the column "service", for which there is none`: {
			"ALTER TABLE logs ALTER service SET NOT NULL", "ALTER TABLE logs ALTER service DROP NOT NULL",
		},
		`the table "logs" has no partition that a record fits in: create it, or a default one`: {
			`DROP TABLE logs; CREATE TABLE logs (log_id text, seq bigint, time timestamptz, level text, message text, service text, attrs jsonb, PRIMARY KEY (log_id, seq, time))
				PARTITION BY RANGE (time); GRANT ALL ON logs TO ` + user,
			"CREATE TABLE part PARTITION OF logs DEFAULT",
		},
	} {
		s := sinktest.MustOpenURI(t, p.URI(user, ""))
		require.NoError(t, sinktest.Probe(t, s))
		p.Exec(sql[0])
		err := s.Write(t.Context(), batch)
		require.ErrorContains(t, err, want)
		require.Equal(t, verdict.Hold, sinktest.KindOf(err))
		p.Exec(sql[1])
		require.NoError(t, s.Write(t.Context(), batch))
		requireRows(t, p, "logs", 3)
		p.Exec("DROP TABLE logs")
	}

	// What a trigger cannot write elsewhere is a matter of the record.
	s := sinktest.MustOpenURI(t, p.URI(user, ""))
	require.NoError(t, sinktest.Probe(t, s))
	p.Exec(`CREATE TABLE audit (service text NOT NULL, tenant text NOT NULL DEFAULT 'x') PARTITION BY LIST (service); GRANT ALL ON audit TO PUBLIC;
		CREATE TABLE audit_shop PARTITION OF audit FOR VALUES IN ('shop');
		CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
		CREATE TRIGGER audit BEFORE INSERT ON logs FOR EACH ROW EXECUTE FUNCTION audit()`)
	for _, values := range []string{"('shop', NULL)", "(NULL, 'x')", "('none', 'x')"} {
		p.Exec("CREATE OR REPLACE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit VALUES " + values + "; RETURN NEW; END$$")
		err := s.Write(t.Context(), sinktest.NewLog("log", "").Batch(numbered(3)...))
		require.Equal(t, verdict.Permanent, sinktest.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "SQLSTATE 235")
	}
}

// A record that is refused takes no other with it.
func TestRefusedRecords(t *testing.T) {
	t.Parallel()
	p := testserver.StartPostgres(t)
	user := p.User("app")
	out := sinktest.Open(t, p.URI(user, "linger=50ms"))
	p.Exec("ALTER TABLE logs ADD CHECK (message <> 'poison')")
	log := slog.New(fapilog.Handler(out, nil))
	for i := range 40 {
		if i == 17 {
			log.Info("poison", "x", time.Now())
		}
		log.Info("record", "i", i)
	}
	require.NoError(t, out.Close())
	st := out.Stats().Sinks[0]
	require.EqualValues(t, 40, st.Delivered)
	require.EqualValues(t, 1, st.Rejected)
	require.Equal(t, "40 39", p.One("SELECT count(DISTINCT attrs->'i') || ' ' || max((attrs->>'i')::int) FROM logs"))
}
