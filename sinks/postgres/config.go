package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fapilog/fapilog/registry"
)

// libraryParameters are the parameters that are pgx's, or settings of the
// server: they are passed on as they are. pgx takes every name for a setting that
// it does not know, a misspelt one, too. So the settings are listed that one may
// want for logging; options takes the others.
var libraryParameters = []string{
	// https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#ParseConfig
	"host", "port", "user", "password", "dbname", "database", "passfile", "service", "servicefile", "connect_timeout",
	"ssl", "sslmode", "sslkey", "sslcert", "sslcertmode", "sslrootcert", "sslpassword", "sslsni", "sslnegotiation",
	"krbspn", "krbsrvname", "target_session_attrs", "min_protocol_version", "max_protocol_version", "channel_binding", "require_auth",
	// https://pkg.go.dev/github.com/jackc/pgx/v5#ParseConfig
	"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
	// https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool#ParseConfig
	"pool_max_conns", "pool_min_conns", "pool_min_idle_conns", "pool_max_conn_lifetime", "pool_max_conn_lifetime_jitter",
	"pool_max_conn_idle_time", "pool_health_check_period", "pool_ping_timeout",
	// https://www.postgresql.org/docs/current/runtime-config-client.html and others
	"application_name", "options", "client_encoding", "search_path", "role", "TimeZone", "timezone", "synchronous_commit",
	"statement_timeout", "lock_timeout", "transaction_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout",
	"default_transaction_isolation", "default_transaction_read_only", "default_tablespace", "row_security", "work_mem",
	"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout",
	"client_min_messages", "log_min_messages", "log_statement", "log_min_duration_statement",
}

// connString returns the URI as pgx reads it, without the parameters that are
// the sink's own.
func connString(library *registry.URI) (string, error) {
	rest := library.Raw()[len(library.Scheme):]
	if rest == "" || strings.HasPrefix(rest, "?") {
		rest = "://" + rest // everything from the environment
	}
	if !strings.HasPrefix(rest, "://") {
		return "", fmt.Errorf("postgres: open %s: two slashes are missing: write %s://host/database", library, library.Scheme)
	}
	return library.Scheme + rest, nil
}

// companions are the parameters without which others are refused for that alone.
var companions = map[string][]string{
	"sslcert": {"sslkey", "sslpassword"},
	"sslkey":  {"sslcert", "sslpassword"},
}

// rejectLibrary reports the parameters that pgx refuses, each by itself or with
// its companions.
func rejectLibrary(uri, library *registry.URI) {
	for _, name := range libraryParameters {
		if !library.Has(name) {
			continue
		}
		one := library.Take(append([]string{name}, companions[name]...)...)
		text, err := connString(one)
		if err != nil {
			return
		}
		if _, err := parse(text); err != nil {
			reason := uri.Redact(err.Error())
			if strings.Contains(reason, "sslmode is invalid") {
				reason = "not one of disable, allow, prefer, require, verify-ca, verify-full"
			}
			uri.Reject(name, reason)
		}
	}
}

// parse returns what pgx makes of a connection string, and what the sink needs
// beyond it. Its errors do not show the string.
func parse(conn string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(conn)
	if err != nil {
		text := err.Error() // cannot parse `...`: why
		if i := strings.LastIndex(text, "`: "); i >= 0 {
			text = text[i+len("`: "):]
		}
		return nil, errors.New(text)
	}
	if cfg.ConnConfig.ConnectTimeout <= 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	parameters := cfg.ConnConfig.RuntimeParams
	if parameters["application_name"] == "" {
		parameters["application_name"] = DefaultApplicationName
	}
	// If it is not said, it is that of the database. The sink sends UTF-8, which
	// would be taken for the other one, and be converted.
	switch encoding := parameters["client_encoding"]; strings.ToUpper(strings.ReplaceAll(encoding, "-", "")) {
	case "", "UTF8":
		parameters["client_encoding"] = "UTF8"
	default:
		return nil, errors.New("client_encoding is not UTF8, which is what is sent: leave it out")
	}
	return cfg, nil
}

// connectTimeout bounds the making of a connection to one host, if nothing else is
// configured. The pool goes on with that when a call has ended, and keeps a place
// for it: without a limit, a server that has vanished would have the place for
// ever. It is less than the time of a call, so that a call gets to the next host.
const connectTimeout = 5 * time.Second

// execMode returns how queries with parameters are sent: without a prepared
// statement that is to be there for the next query, because a pooler such as
// PgBouncer may have given the connection to somebody else by then. The simple
// protocol is for poolers that know nothing else.
func execMode(cfg *pgxpool.Config) pgx.QueryExecMode {
	if mode := cfg.ConnConfig.DefaultQueryExecMode; mode == pgx.QueryExecModeSimpleProtocol {
		return mode
	}
	return pgx.QueryExecModeExec
}

// connect returns a function that is called before each connection is made, to
// make it with what the connection string means then: the files that it names
// may have changed.
func (s *Sink) connect(conn string) func(context.Context, *pgx.ConnConfig) error {
	return func(_ context.Context, c *pgx.ConnConfig) error {
		fresh, err := parse(conn)
		if err != nil {
			return fmt.Errorf("read the connection string again: %w", err)
		}
		*c = *fresh.ConnConfig
		c.DialFunc = s.connections.dialer(c.DialFunc)
		return nil
	}
}

// address returns the hosts of a configuration as a URI has them.
func address(cfg *pgxpool.Config) string {
	hosts := make(map[string]int)
	add := func(host string, port uint16) {
		if strings.HasPrefix(host, "/") {
			return // a directory of this machine, with a socket in it
		}
		host = net.JoinHostPort(host, strconv.Itoa(int(port)))
		if _, there := hosts[host]; !there {
			hosts[host] = len(hosts)
		}
	}
	add(cfg.ConnConfig.Host, cfg.ConnConfig.Port)
	for _, f := range cfg.ConnConfig.Fallbacks {
		add(f.Host, f.Port)
	}
	ordered := slices.SortedFunc(maps.Keys(hosts), func(a, b string) int { return hosts[a] - hosts[b] })
	return "postgres://" + strings.Join(ordered, ",")
}
