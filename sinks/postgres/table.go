package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/fapilog/fapilog/sinks"
)

// A tableError says that the table is missing, or is not one that records can be
// written to. It is found out by asking the server, which had no error.
type tableError struct {
	text    string
	missing bool
}

func (e *tableError) Error() string { return e.text }

// The parameter is the quoted name of the table.
const (
	// The type and its name in the catalog differ: bigint is int8.
	columnsQuery = `
		SELECT a.attname::text, t.typname::text, pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'INSERT'), a.attnotnull
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = pg_catalog.to_regclass($1::text) AND a.attnum > 0 AND NOT a.attisdropped`

	// A unique index on both columns, and maybe on others that are the same when a
	// record is sent again: that of a partitioned table has to have what it is
	// partitioned by.
	keyQuery = `
		SELECT EXISTS (
			SELECT FROM pg_catalog.pg_index i
			WHERE i.indrelid = pg_catalog.to_regclass($1::text) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND (
				SELECT count(*) = i.indnkeyatts AND count(*) FILTER (WHERE a.attname IN ('log_id', 'seq')) = 2
				FROM pg_catalog.pg_attribute a
				WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
					AND a.attname IN ('log_id', 'seq', 'time', 'level', 'message', 'service')))`

	schemaQuery = `SELECT pg_catalog.to_regnamespace($1::text) IS NOT NULL`
)

// columnsOf returns the columns of the table, none if there is no table.
func (s *Sink) columnsOf(ctx context.Context, conn *pgx.Conn) (map[string]columnFound, error) {
	result, err := conn.Query(ctx, columnsQuery, s.mode, s.table)
	if err != nil {
		return nil, err
	}
	found := make(map[string]columnFound)
	var (
		name string
		c    columnFound
	)
	_, err = pgx.ForEachRow(result, []any{&name, &c.typ, &c.insert, &c.notNull}, func() error {
		found[name] = c
		return nil
	})
	return found, err
}

type columnFound struct {
	typ     string
	insert  bool
	notNull bool
}

// check returns a *tableError if records cannot be written to the table.
func (s *Sink) check(ctx context.Context, conn *pgx.Conn) error {
	found, err := s.columnsOf(ctx, conn)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return &tableError{fmt.Sprintf("there is no table %s: create it, or set create=true", s.table), true}
	}
	for _, c := range columns {
		switch is := found[c.name]; {
		case is.typ == "":
			return &tableError{fmt.Sprintf("the table %s has no column %s: add it, with the type %s", s.table, c.name, sqlType(c)), false}
		case !slices.Contains(c.types, is.typ):
			return &tableError{fmt.Sprintf("the column %s of the table %s is of the type %s: make it %s", c.name, s.table, is.typ, sqlType(c)), false}
		case !is.insert:
			return &tableError{fmt.Sprintf("no permission to insert into the column %s of the table %s: grant INSERT", c.name, s.table), false}
		}
	}
	return nil
}

// checkNull returns a *tableError if the table has a column that wants a value.
func (s *Sink) checkNull(ctx context.Context, conn *pgx.Conn, column string) error {
	found, err := s.columnsOf(ctx, conn)
	if err == nil && found[column].notNull {
		err = &tableError{fmt.Sprintf("the table %s wants a value in the column %s, for which there is none: drop NOT NULL, or set a default", s.table, quote(column)), false}
	}
	return err
}

// sqlType returns how the type of a column is written in SQL.
func sqlType(c column) string {
	if c.types[0] == "int8" {
		return "bigint"
	}
	return c.types[0]
}

// prepare checks the table, and creates it if it is missing and may be created.
func (s *Sink) prepare(ctx context.Context, conn *pgx.Conn) error {
	err := s.check(ctx, conn)
	wrong, ok := err.(*tableError)
	if !ok || !wrong.missing || !s.create {
		return err
	}
	err = s.createTable(ctx, conn)
	switch state(err) {
	case uniqueViolation, duplicateObject, duplicateTable, duplicateSchema:
		// Somebody else has created it at the same time. Which of these it is
		// depends on how far the two had come.
		err = nil
	}
	if err != nil {
		return fmt.Errorf("create the table %s: %w", s.table, err)
	}
	return s.check(ctx, conn)
}

// createTable creates the table with its index, and the schema if that is
// missing, too, or nothing of it: several statements in one query are one
// transaction.
func (s *Sink) createTable(ctx context.Context, conn *pgx.Conn) error {
	var sql strings.Builder
	if s.schema != "" {
		var there bool
		if err := conn.QueryRow(ctx, schemaQuery, s.mode, s.schema).Scan(&there); err != nil {
			return err
		}
		if !there {
			fmt.Fprintf(&sql, "CREATE SCHEMA %s;\n", s.schema)
		}
	}
	fmt.Fprintf(&sql, "CREATE TABLE %s (", s.table)
	for _, c := range columns {
		fmt.Fprintf(&sql, "%s %s, ", quote(c.name), sqlType(c))
	}
	// Logs come in the order of their time, more or less: an index of ranges is
	// a thousandth of the size of another one, and costs next to nothing to keep.
	fmt.Fprintf(&sql, `PRIMARY KEY ("log_id", "seq")); CREATE INDEX ON %s USING brin ("time")`, s.table)
	_, err := conn.PgConn().Exec(ctx, sql.String()).ReadAll()
	return err
}

// warnWithoutKey warns if nothing keeps a record from being there twice.
func (s *Sink) warnWithoutKey(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, keyQuery, s.mode, s.table).Scan(&there); err != nil {
		return err
	}
	if !there {
		sinks.Warn(ctx, fmt.Errorf("postgres: the table %s has no unique index on log_id and seq: records that are sent again may be there twice", s.table))
	}
	return nil
}

// quote returns a name as it is written in SQL, whatever is in it.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
