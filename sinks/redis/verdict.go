package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/fapilog/fapilog/internal/secretfile"
	"github.com/fapilog/fapilog/sinks"
)

// The codes that the errors of a server begin with, of which it is known that
// they pass by themselves (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors,
// and server.c, "shared.").
var passing = []string{
	"OOM",         // over maxmemory, and nothing may be evicted
	"LOADING",     // it has just been started
	"BUSY",        // a script runs
	"READONLY",    // a replica, after a failover
	"MASTERDOWN",  // a replica without its master
	"CLUSTERDOWN", // slots are without a node
	"TRYAGAIN",    // a slot is being moved
	"ASK",         // the key has been moved already
	"NOREPLICAS",  // fewer than min-replicas-to-write
}

// hints say what to do, by the code of an error.
var hints = map[string]string{
	"WRONGTYPE": "choose another key, or delete this one",
	"NOAUTH":    "the server wants a password: write redis://user:password@host",
	"WRONGPASS": "correct the user and password in the URI, or those of the server",
	"NOPERM":    "allow the user the command and the key, as with ACL SETUSER user ~key +xadd",
	"MOVED":     "the server is a node of a cluster that does not have the key: clusters are not supported",
	"READONLY":  "the server is a replica: write to its master",
	"DENIED":    "the server refuses connections from other machines",
	"MISCONF":   "the server cannot save to its disk: free some, or see its log",
	"OOM":       "the server has reached maxmemory: raise it, or lower maxlen",
}

// code returns the code of an error of the server, or "".
func code(err error) string {
	if _, ok := errors.AsType[redis.Error](err); !ok {
		return ""
	}
	text := err.Error()
	// What the library puts in front of an error of the handshake.
	text = strings.TrimPrefix(text, "failed to authenticate: ")
	code, _, _ := strings.Cut(text, " ")
	return code
}

// tooLarge are the texts of errors that speak of the record. After the first
// two, the server closes the connection.
var tooLarge = []string{
	"invalid bulk length",
	"invalid multibulk length",
	"string exceeds maximum allowed size",
	"Elements are too large to be stored",
}

// verdict returns an error of a command, or of the connection, with its verdict.
// What is unknown keeps the data until an operator has looked.
func (s *Sink) verdict(err error) error {
	shown := s.error(err)
	c := code(err)
	contains := func(text string) bool { return strings.Contains(err.Error(), text) }
	switch {
	case c == "" && secretfile.Refused(err):
		return sinks.Hold(shown)
	case c == "":
		return shown // no answer
	case slices.Contains(passing, c), contains("max number of clients"):
		return shown
	case slices.ContainsFunc(tooLarge, contains):
		return sinks.TooLarge(shown)
	default:
		return sinks.Hold(shown)
	}
}

// judge returns the verdict on a batch. err is that of the exchange as a whole.
func (s *Sink) judge(ctx context.Context, cmds []redis.Cmder, err error) error {
	s.warnTrim(ctx)
	var (
		items    map[int]error
		done     int
		last     error // of the commands, and
		verdict  error // on it: they are often all the same
		commands bool  // the server has refused some
	)
	for i, cmd := range cmds {
		c := cmd.(*redis.StringCmd)
		if answered(c) {
			done++
			continue
		}
		own := c.Err()
		if _, ok := errors.AsType[redis.Error](own); ok {
			commands = true
		} else if err != nil {
			own = err
		}
		if own == nil {
			own = errors.New("no answer")
		}
		if last == nil || last.Error() != own.Error() {
			last, verdict = own, s.verdict(own)
		}
		if items == nil {
			items = make(map[int]error, len(cmds)-i)
		}
		items[i] = verdict
	}
	switch {
	case items == nil:
		return nil
	case done == 0 && !commands:
		return verdict // nothing was answered
	default:
		return &sinks.BatchError{Items: items}
	}
}

// warnTrim says that a list could not be cut.
func (s *Sink) warnTrim(ctx context.Context) {
	if s.trim == nil {
		return
	}
	if _, refused := errors.AsType[redis.Error](s.trim.Err()); refused {
		err := describe("LTRIM "+s.target.name+" at "+s.where, s.trim.Err())
		sinks.Warn(ctx, s.secrets.RedactError(fmt.Errorf("%w: the list grows", err)))
	}
}
