// Package postgres writes records to a table of a PostgreSQL database: each batch
// is one COPY.
//
// # URI
//
//	postgres://app:secret@db:5432/logs?sslmode=verify-full
//	postgresql://app@db1,db2:5433/shop?target_session_attrs=read-write&schema=ops&table=shop_logs&create=false
//	postgres:///logs?host=/var/run/postgresql
//
// The URI is that of [PostgreSQL's client library], as pgx reads it: several
// hosts, sockets, the file with passwords, environment variables such as PGUSER
// for what is not there. The path is the database. These parameters are the
// sink's own:
//
//	table   name of the table (default logs)
//	schema  schema of the table (default the first of search_path that has it)
//	create  whether a missing table is created (default true)
//	pool    most connections (default 2)
//
// The others are passed on: those of pgx for connections (sslmode, sslrootcert,
// connect_timeout, target_session_attrs, passfile, ...) and for pools
// (pool_max_conn_lifetime, ...), and settings of the server (application_name,
// search_path, statement_timeout, synchronous_commit, role, ...). Settings that
// are not known here go into options: options=-c%20my.setting%3Dvalue. Without
// sslmode=verify-full, as with all such clients, the server's certificate is not
// verified.
//
// Names are used as they are written, upper case and blanks included.
//
// The sink uses one connection at a time. The second one is for the time in
// which the first is being closed because it was cut off. The application_name
// is fapilog, unless there is another, and the client_encoding always UTF8. Files
// that the URI names (passfile, sslcert, ...) are read again for each new
// connection. The connect_timeout, for each host, is 5 s, unless there is another.
//
// Where nothing else is configured, a batch has up to 5000 records and 1 MiB,
// and waits 200 ms to fill up.
//
// # Table
//
//	log_id   text         the log: random, one for each start of the program
//	seq      bigint       the record's number in it: 1, 2, 3, ...
//	time     timestamptz  in microseconds; NULL if the record has none
//	level    text         DEBUG, INFO, WARN, ERROR, INFO+1, ...
//	message  text
//	service  text         NULL if none is configured
//	attrs    jsonb        an object; durations are in nanoseconds, source is in it
//
// The key is (log_id, seq), and there is a BRIN index on time. A table that is
// not created by the sink must have these columns with these types (varchar will
// do for text), may have others that have defaults, and should have a unique
// index on log_id and seq, which may have time, level, message and service in it,
// too. It may be partitioned; for times that nobody has foreseen there should be a
// default partition.
//
// # Delivery
//
// Each record once. If the answer to a batch was lost, the batch is sent again,
// and rows that are there already are skipped: COPY is refused for the key then,
// and INSERT ... ON CONFLICT DO NOTHING is used. It is also used for tables that
// COPY cannot write to: with row-level security, and views. Nothing is prepared
// on the server for longer than a request, so that poolers such as PgBouncer can
// be in between, in transaction mode, too.
//
// PostgreSQL has no place for a few things that are logged:
//
//   - NUL and bytes that are not UTF-8 become U+FFFD, as do halves of surrogate
//     pairs in JSON.
//   - Of attributes with the same key, jsonb keeps the last.
//   - A time before 4714 BC or after the year 294275 is -infinity or infinity.
//   - Times are cut off to microseconds, and the zone is not kept; in attributes
//     they are text, and whole.
//
// At start-up, and before a held batch is tried again, the sink connects, checks
// that it may write, and checks or creates the table.
//
// # Errors
//
//	no connection, or it is lost         tried again
//	too many connections, starting up,   tried again
//	  shutting down, deadlock, lock not
//	  available, statement timeout
//	password, certificate or database    data is kept until an operator acts (sinks.Hold)
//	  refused; TLS refused
//	table, column or partition missing,  kept; a table that is missing is created
//	  column of another type or with       again before the next attempt, unless
//	  NOT NULL and never a value, no       create=false
//	  permission
//	read-only, disk full                 kept; read-only with new connections
//	invalid data (class 22), not null,   sent in two halves, until the refused records
//	  check and other constraints          stand alone, which are rejected
//	  (class 23), limits (class 54),
//	  an error raised by a trigger
//	other errors of class 42, 0A000,     kept
//	  53400, 55000
//	any other error                      tried again
//
// Errors show of the URI only the scheme and the hosts, and the server's message
// without its details, which quote data.
//
// [PostgreSQL's client library]: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() {
	registry.Register("postgres", Open)
	registry.Register("postgresql", Open)
}

// The defaults.
const (
	DefaultTable           = "logs"
	DefaultPool            = 2
	DefaultApplicationName = "fapilog"
)

// The default batches: a transaction costs as much as a thousand records.
const (
	batchRecords = 5000
	batchBytes   = 1 << 20
	batchLinger  = 200 * time.Millisecond
)

const (
	maxName = 63 // bytes of a name in PostgreSQL, which cuts off what is longer
	maxPool = 100

	closeWithin = time.Second
)

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	Table    string // name of the table, as it is: neither quoted nor folded; default DefaultTable
	Schema   string // its schema, alike; default the first in search_path that has the table
	NoCreate bool   // a missing table is an error, and is not created
	Pool     int    // most connections, from 1 to 100; default DefaultPool
}

// Open makes the sink of a URI with the scheme postgres or postgresql. It is
// registered for both. It reads the files that the URI names, and connects to
// nothing.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	uri.PublicPath() // the database, which errors of the server name
	library := uri.Take(libraryParameters...)
	o := Options{
		Table:    uri.Public("table", DefaultTable),
		Schema:   uri.Public("schema", ""),
		NoCreate: !uri.Bool("create", true),
		Pool:     uri.Int("pool", DefaultPool, 1, maxPool),
	}
	for _, p := range []struct{ name, value string }{{"table", o.Table}, {"schema", o.Schema}} {
		if uri.Has(p.name) {
			if err := checkName(p.value); err != nil {
				uri.Reject(p.name, err.Error())
			}
		}
	}
	if uri.Has("pool") && library.Has("pool_max_conns") {
		uri.Reject("pool", "pool_max_conns is there, too: write one of them")
	} else if library.Has("pool_max_conns") {
		o.Pool = asConnString
	}
	conn, err := connString(library)
	if err != nil {
		return nil, errors.Join(err, uri.Check())
	}
	if _, err := parse(conn); err != nil {
		rejectLibrary(uri, library)
	}
	if err := uri.Check(); err != nil {
		return nil, err
	}
	s, err := newSink(conn, uri.String(), o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// asConnString is the size of a pool that the connection string says.
const asConnString = -1

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case len(name) > maxName:
		return fmt.Errorf("longer than the %d bytes that a name has in PostgreSQL", maxName)
	case name != clean(name):
		return errors.New("not a name: it has bytes in it that are not UTF-8, or NUL")
	}
	return nil
}

// A Sink writes records to a table.
type Sink struct {
	pool   *pgxpool.Pool
	where  string // scheme://host, for messages
	schema string // quoted, or ""
	table  string // quoted, with its schema
	create bool
	mode   pgx.QueryExecMode

	copySQL, insertSQL string

	connections connections
	unanswered  atomic.Bool // the newest call has ended because its context did

	// Of the goroutine that calls Write and Probe.
	ready  bool // the table was there
	noCopy bool // it is of a kind that COPY cannot write to
	rows   *rows
	body   []byte // of COPY
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Prober  = (*Sink)(nil)
	_ sinks.Batcher = (*Sink)(nil)
	_ io.Closer     = (*Sink)(nil)
)

// New makes a sink for the database that conn names, a URI or a list of
// key=value as pgx and libpq take it, without the parameters of [Options]. It
// reads the files that conn names, and connects to nothing. The error reports
// all that is wrong with the options, and does not show conn.
func New(conn string, o Options) (*Sink, error) { return newSink(conn, "", o) }

// newSink makes a sink that is called where in messages, if that is not empty.
func newSink(conn, where string, o Options) (*Sink, error) {
	if o.Table == "" {
		o.Table = DefaultTable
	}
	if o.Pool == 0 {
		o.Pool = DefaultPool
	}
	var errs []error
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("postgres: open: %s: %w", name, err))
		}
	}
	check("table", checkName(o.Table))
	if o.Schema != "" {
		check("schema", checkName(o.Schema))
	}
	if o.Pool != asConnString && (o.Pool < 1 || o.Pool > maxPool) {
		check("pool", fmt.Errorf("not from 1 to %d", maxPool))
	}
	cfg, err := parse(conn)
	check("connection string", err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := &Sink{rows: newRows(), where: where, create: !o.NoCreate, mode: execMode(cfg), table: quote(o.Table)}
	if where == "" {
		s.where = address(cfg)
	}
	if o.Schema != "" {
		s.schema = quote(o.Schema)
		s.table = s.schema + "." + s.table
	}
	var names, values []string
	for _, c := range columns {
		names = append(names, quote(c.name))
		values = append(values, "r."+quote(c.name)+c.cast)
	}
	list := strings.Join(names, ", ")
	s.copySQL = fmt.Sprintf("COPY %s (%s) FROM STDIN WITH (FORMAT binary)", s.table, list)
	s.insertSQL = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM unnest($1, $2, $3, $4, $5, $6, $7) AS r (%s) ON CONFLICT DO NOTHING",
		s.table, list, strings.Join(values, ", "), list)

	if o.Pool != asConnString {
		cfg.MaxConns = int32(o.Pool)
	}
	cfg.BeforeConnect = s.connect(conn)
	if s.pool, err = pgxpool.NewWithConfig(context.Background(), cfg); err != nil {
		return nil, s.fail("open", err)
	}
	return s, nil
}

// Batching returns the default batches, which are larger than those of other
// sinks.
func (s *Sink) Batching() sinks.Batching {
	return sinks.Batching{Records: batchRecords, Bytes: batchBytes, Linger: batchLinger}
}

// Probe connects, and checks that records can be written to the table. It
// creates the table if it is missing, unless that is not wanted. It warns if the
// table has no key.
func (s *Sink) Probe(ctx context.Context) error {
	return s.answer("probe", s.probe(ctx))
}

func (s *Sink) probe(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var mode string
	if err := conn.QueryRow(ctx, "SHOW transaction_read_only", s.mode).Scan(&mode); err != nil {
		return err
	}
	if mode == "on" {
		return &pgconn.PgError{Severity: "ERROR", Code: readOnly, Message: "the server or the database is read-only"}
	}
	s.ready = false
	if err := s.prepare(ctx, conn.Conn()); err != nil {
		return err
	}
	s.ready, s.noCopy = true, false
	return s.warnWithoutKey(ctx, conn.Conn())
}

// Write writes a batch in one transaction.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	s.rows.fill(batch)
	defer s.rows.release()
	return s.answer("write to", s.write(ctx))
}

// answer makes an error for the caller.
func (s *Sink) answer(what string, err error) error {
	s.unanswered.Store(errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
	switch state(err) {
	case readOnly:
		// It may have become a standby, and another server have its name now.
		s.pool.Reset()
	case noTable, noSchema:
		s.ready = false
	}
	return judge(s.fail(what, err))
}

func (s *Sink) write(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if !s.ready {
		if err := s.prepare(ctx, conn.Conn()); err != nil {
			return err
		}
		s.ready = true
	}
	if !s.noCopy {
		err = s.copy(ctx, conn.Conn())
		switch state(err) {
		case uniqueViolation:
		case featureNotSupported, wrongObject:
			s.noCopy = true
		default:
			return s.blame(ctx, conn.Conn(), err)
		}
	}
	return s.blame(ctx, conn.Conn(), s.insert(ctx, conn.Conn()))
}

// copy writes the rows, or none of them.
func (s *Sink) copy(ctx context.Context, conn *pgx.Conn) error {
	s.body = s.rows.appendCopy(s.body[:0])
	_, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(s.body), s.copySQL)
	const keep = 8 << 20
	if err != nil || cap(s.body) > keep {
		s.body = nil // which, after an error, is still read from, maybe
	}
	return err
}

// insert writes the rows that are not there yet, or none of them.
func (s *Sink) insert(ctx context.Context, conn *pgx.Conn) error {
	values := make([][]byte, len(columns))
	types, formats := make([]uint32, len(columns)), make([]int16, len(columns))
	for i, array := range s.rows.arrays() {
		var err error
		types[i], formats[i] = columns[i].oid, pgx.BinaryFormatCode
		if values[i], err = conn.TypeMap().Encode(types[i], formats[i], array, nil); err != nil {
			return fmt.Errorf("encode the column %s: %w", columns[i].name, err)
		}
	}
	return conn.PgConn().ExecParams(ctx, s.insertSQL, values, types, formats, nil).Read().Err
}

// blame looks, when the server refuses data, whether the table is to blame: no
// record is to be rejected for that. What a trigger does to another table is not
// the table's.
func (s *Sink) blame(ctx context.Context, conn *pgx.Conn, err error) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
	case strings.HasPrefix(refused.Code, "22"): // a column may have been given another type
		// If that cannot be found out, the batch is tried again.
		return cmp.Or(s.check(ctx, conn), err)
	case refused.Code == notNullViolation && lacksValue(refused.ColumnName):
		return cmp.Or(s.checkNull(ctx, conn, refused.ColumnName), err)
	case refused.Code == checkViolation && refused.ConstraintName == "" && strings.HasSuffix(s.table, quote(refused.TableName)):
		return &tableError{fmt.Sprintf("the table %s has no partition that a record fits in: create it, or a default one", s.table), false}
	}
	return err
}

// lacksValue reports whether a column is one that no record may have a value for.
func lacksValue(name string) bool {
	return name == "service" || name != "" && !slices.ContainsFunc(columns, func(c column) bool { return c.name == name })
}

// Close closes the connections. A server that does not answer is left to itself
// after a second, or at once if the newest batch has got no answer: at the end of
// a shutdown, there is less than a second left.
func (s *Sink) Close() error {
	if s.unanswered.Load() {
		s.connections.cutAll()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	defer context.AfterFunc(ctx, s.connections.cutAll)()
	s.pool.Close()
	return nil
}
