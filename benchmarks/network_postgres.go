package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/postgres"
	"github.com/jackc/pgx/v5"
)

// The names that the goals refer to.
const (
	namePostgres = "fapilog postgres sink"
	nameCopy     = "raw: CopyFrom of pgx, rendered before"
)

var toPostgres = destination{
	name:  "PostgreSQL",
	goals: []networkGoal{{name: namePostgres, against: nameCopy, times: 0.7}},
	start: startPostgres,
}

// postgresColumns are those that the sink writes.
var postgresColumns = []string{"log_id", "seq", "time", "level", "message", "service", "attrs"}

func startPostgres(t testing.TB, _ int) (*field, error) {
	// As PostgreSQL comes, but for what it would do by itself in the middle of
	// somebody's round.
	server := testserver.StartPostgres(t, "fsync=on", "max_wal_size=1GB", "autovacuum=off")
	user := server.User("app")
	size := new(postgres.Sink).Batching().Records
	p := &postgresTables{t: t, server: server, uri: server.URI(user, "")}
	return &field{
		title: fmt.Sprintf("%d records a transaction, into tables with the columns and the key of the sink's, fsync on", size),
		contenders: []contender{
			{name: namePostgres, later: true, open: p.sink},
			{name: nameCopy, later: true, open: p.copier("copied", "LIKE logs INCLUDING ALL", size)},
			{name: "the same without a key", later: true, open: p.copier("keyless", "LIKE logs INCLUDING ALL EXCLUDING INDEXES", size)},
		},
	}, nil
}

// postgresTables are those of the contenders. They are emptied before each
// round, after their rows were counted.
type postgresTables struct {
	t      testing.TB
	server *testserver.Postgres
	uri    string
}

func (p *postgresTables) watch(table string, s *subject) *subject {
	var sum uint64
	count := func() {
		var n uint64
		if _, err := fmt.Sscan(p.server.One("SELECT count(*)::text FROM "+table), &n); err != nil {
			p.t.Fatal(err)
		}
		sum += n
	}
	s.hold = func() error {
		count()
		// So that nobody pays for what somebody else has left to be written.
		p.server.Exec("TRUNCATE " + table)
		p.server.Exec("CHECKPOINT")
		return nil
	}
	s.delivered = func() uint64 { count(); return sum }
	return s
}

// sink is fapilog. It makes the table logs, which those of the others are like.
func (p *postgresTables) sink(io.Writer) (*subject, error) {
	s, err := openSink(p.uri + "?table=logs")
	if err != nil {
		return nil, err
	}
	return p.watch("logs", s), nil
}

// copier is what a program would do that has its records as rows: CopyFrom of
// pgx, one batch after the other.
func (p *postgresTables) copier(table, like string, size int) func(io.Writer) (*subject, error) {
	return func(io.Writer) (*subject, error) {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, p.uri)
		if err != nil {
			return nil, err
		}
		if _, err := conn.Exec(ctx, "CREATE TABLE "+table+" ("+like+")"); err != nil {
			return nil, errors.Join(err, conn.Close(ctx))
		}
		attrs := rendered(networkRecords, size, slog.TimeKey, slog.LevelKey, slog.MessageKey)
		seq := int64(0)
		b := &batcher{size: size, send: func(n int) error {
			_, err := conn.CopyFrom(ctx, pgx.Identifier{table}, postgresColumns, pgx.CopyFromSlice(n, func(i int) ([]any, error) {
				seq++
				return []any{"01J9ZQ3V5T8X2M4N6P7R9S0ABC", seq, time.Now(), "INFO", "request served", nil, attrs[i]}, nil
			}))
			return err
		}}
		return p.watch(table, b.subject(func() error { return conn.Close(ctx) })), nil
	}
}
