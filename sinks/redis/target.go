package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// A target is what records are sent to: a stream, a list or a channel.
type target struct {
	verb   string // the command for a record
	key    string
	name   string // key as it is shown
	kind   string // the type of the key; "" for a channel, which is no key
	maxLen int64  // 0: all
}

func newTarget(o Options) target {
	t := target{maxLen: int64(o.MaxLen)}
	switch {
	case o.MaxLen == 0:
		t.maxLen = DefaultMaxLen
	case o.MaxLen < 0:
		t.maxLen = 0
	}
	switch {
	case o.List != "":
		t.verb, t.kind, t.key = "RPUSH", "list", o.List
	case o.Channel != "":
		t.verb, t.key, t.maxLen = "PUBLISH", o.Channel, 0
	case o.Stream != "":
		t.verb, t.kind, t.key = "XADD", "stream", o.Stream
	default:
		t.verb, t.kind, t.key = "XADD", "stream", DefaultStream
	}
	if t.name = t.key; oneLine(t.key) != t.key {
		t.name = fmt.Sprintf("%q", t.key)
	}
	return t
}

// trims reports whether a batch ends with an LTRIM.
func (t target) trims() bool { return t.kind == "list" && t.maxLen > 0 }

// A slot has the command for one record. It is used again for each batch: the
// arguments point into it.
type slot struct {
	id         field
	record     field
	level      string
	service    string
	hasService bool
	cmd        *redis.StringCmd
}

// A field is text in the memory of a batch, which is written as it is. A pointer
// to it becomes an argument without an allocation, which a slice does not.
type field []byte

func (f *field) MarshalBinary() ([]byte, error) { return *f, nil }

// newSlot makes a slot for records of a service, or of none.
func (t target) newSlot(service bool) *slot {
	s := &slot{hasService: service}
	args := []any{strings.ToLower(t.verb), t.key}
	if t.kind != "stream" {
		s.cmd = redis.NewStringCmd(context.Background(), append(args, &s.record)...)
		return s
	}
	if t.maxLen > 0 {
		args = append(args, "maxlen", "~", t.maxLen)
	}
	args = append(args, "*", "id", &s.id, "level", &s.level, "record", &s.record)
	if service {
		args = append(args, "service", &s.service)
	}
	s.cmd = redis.NewStringCmd(context.Background(), args...)
	return s
}

// reset makes a command as good as new.
func reset(c *redis.StringCmd) *redis.StringCmd {
	c.SetErr(nil)
	c.SetVal("")
	return c
}

// answered reports that the server has done what the command says. All commands
// of this package are answered with something that is not empty: an ID, a
// number, a word. The error says less: when a connection breaks, the library
// gives one to the commands that were answered before, too.
func answered(c *redis.StringCmd) bool { return c.Val() != "" }

// probes returns commands that say whether records would be accepted, and write
// nothing.
func (t target) probes() []redis.Cmder {
	var cmds []redis.Cmder
	add := func(args ...any) { cmds = append(cmds, redis.NewStringCmd(context.Background(), args...)) }
	switch t.kind {
	case "stream":
		add("type", t.key)
		// A field without a value is an error that is found when everything but
		// the stream has been checked: authentication, permissions, memory,
		// whether the server is a replica. If it is the only one, all is well.
		add("xadd", t.key, "*", "id", "level", "record")
	case "list":
		add("type", t.key)
		add("ping")
	default:
		add("ping")
	}
	return cmds
}

// harmless reports that the error of a probe says nothing against writing.
func (t target) harmless(c *redis.StringCmd) bool {
	switch c.Name() {
	case "xadd":
		return strings.HasPrefix(c.Err().Error(), "ERR wrong number of arguments")
	default: // the user may not be allowed to ask, and need not be
		return code(c.Err()) == "NOPERM"
	}
}

// wrongType returns an error if the answer to a probe is that the key has a
// type that records cannot be added to.
func (t target) wrongType(c *redis.StringCmd) error {
	if c.Name() != "type" || slices.Contains([]string{"none", t.kind}, c.Val()) {
		return nil
	}
	return serverError("WRONGTYPE the key is of type " + c.Val())
}
