package postgres

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fapilog/fapilog/internal/secretfile"
	"github.com/fapilog/fapilog/sinks"
)

// The SQLSTATEs that the sink knows by name, from
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
const (
	featureNotSupported = "0A000"
	invalidPassword     = "28P01"
	noDatabase          = "3D000"
	noSchema            = "3F000"
	readOnly            = "25006"
	notNullViolation    = "23502"
	uniqueViolation     = "23505"
	checkViolation      = "23514"
	noPrivilege         = "42501"
	noColumn            = "42703"
	noTable             = "42P01"
	wrongObject         = "42809"
	duplicateObject     = "42710"
	duplicateTable      = "42P07"
	duplicateSchema     = "42P06"
	diskFull            = "53100"
	configurationLimit  = "53400"
	notInState          = "55000"
	noFile              = "58P01"
	notInserted         = "44000" // WITH CHECK OPTION of a view
)

// held are states, and classes of them, that only an operator can end.
var held = []string{
	"0A", "28", noDatabase, noSchema, readOnly, "42", diskFull, configurationLimit, notInState, noFile,
	"XX001", "XX002", // data or index corrupted
}

// refused are states, and classes of them, that speak of the data: of its
// values, of a constraint on them, of a trigger that has raised an error, of a
// limit that they exceed.
var refused = []string{"22", "23", notInserted, "54", "P0001", "P0004"}

// hints say what to do.
var hints = map[string]string{
	invalidPassword: "check user and password",
	noDatabase:      "create the database, or correct the path of the URI",
	noSchema:        "create the schema, or correct the parameter schema",
	readOnly:        "connect to the primary, for instance with target_session_attrs=read-write",
	noPrivilege:     "grant INSERT on the table and USAGE on its schema, and CREATE on the schema if the table is to be created",
	noTable:         "create the table, or set create=true",
	diskFull:        "make room on the server",
}

// tlsRefused is what pgx says if the server has no TLS, and sslmode wants it.
const tlsRefused = "server refused TLS connection"

// state returns the SQLSTATE of an error of the server, or "".
func state(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// judge gives an error the verdict that it means. What is not known passes by
// itself or does not, and is tried again.
func judge(err error) error {
	code := state(err)
	is := func(prefix string) bool { return strings.HasPrefix(code, prefix) }
	var wrong *tableError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return sinks.Hold(err)
	case code != "" && slices.ContainsFunc(refused, is):
		return sinks.Permanent(err)
	case code != "" && slices.ContainsFunc(held, is):
		return sinks.Hold(err)
	case code == "" && refusedTLS(err):
		return sinks.Hold(err)
	}
	return err
}

// refusedTLS reports that a connection failed because one side does not accept
// the other's certificate, or the server has no TLS.
func refusedTLS(err error) bool {
	if secretfile.Refused(err) || strings.Contains(err.Error(), tlsRefused) {
		return true
	}
	// With sslmode=verify-ca, pgx verifies certificates itself.
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || invalid
}

// A failure is an error in one line, with what to do about it.
type failure struct {
	text string
	err  error
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.err }

// fail returns an error that says what has failed, at which server, and why.
// Where the library shows how it connects, that is left out.
func (s *Sink) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		err = e.Unwrap()
	}
	text := "postgres: " + what + " " + s.where + ": " + strings.Join(attempts(err), "; ")
	hint := hints[state(err)]
	if state(err) == "" && strings.HasSuffix(text, tlsRefused) {
		hint = "switch it on there, or write sslmode=disable to go without"
	}
	if hint != "" {
		text += ": " + hint
	}
	return &failure{text, err}
}

// attempts returns what an error says of each attempt to connect, in a line each:
// once, and without those for which the server has no TLS if others followed, as
// sslmode=prefer has it.
func attempts(err error) []string {
	var lines []string
	for _, line := range strings.Split(err.Error(), "\n") {
		line = strings.TrimPrefix(line, "hostname resolving error: ") // before the first of several
		if line == context.DeadlineExceeded.Error() || line == context.Canceled.Error() {
			line = "no answer: " + line
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	refused := func(line string) bool { return strings.HasSuffix(line, tlsRefused) }
	if others := slices.DeleteFunc(slices.Clone(lines), refused); len(others) > 0 {
		return others
	}
	return lines
}
