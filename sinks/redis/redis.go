// Package redis sends records to Redis, and to servers that speak its protocol,
// such as Valkey: to a stream, a list, or a channel of its publish/subscribe.
//
// # URI
//
//	redis://localhost:6379
//	rediss://user:p%40ss@redis.example.com:6380/2?stream=shop&maxlen=1000000
//	redis://localhost?list=logs&maxlen=0
//	redis://localhost?channel=logs
//
// rediss is TLS. The port is 6379 if there is none, the path the number of a
// database, 0 if there is none. The parameters are the sink's own:
//
//	stream     key of a stream (default logs)
//	list       key of a list, instead of a stream
//	channel    channel to publish to, instead of a stream
//	maxlen     how many records the stream or list keeps, 0 for all (default 100000)
//	ca_file    PEM file with the authorities to trust instead of the system's
//	cert_file  PEM file with a client certificate; with key_file
//	key_file   PEM file with the key; both are read again when they have changed
//
// An entry of a stream (XADD) has these fields:
//
//	id       <log id>:<sequence number>, which is the same however often a record is sent
//	level    the level, as INFO
//	record   the record as slog.JSONHandler prints it, without the newline
//	service  the name of the service, if one is configured
//
// The ID of the entry itself is the server's. The elements of a list (RPUSH, so
// that LPOP has the oldest) and the messages of a channel (PUBLISH) are records
// as slog.JSONHandler prints them, without the newline.
//
// The stream or list is created by the first record. A stream is cut with
// MAXLEN ~, which leaves up to 100 records more (a node of it: see
// stream-node-max-entries), a list with LTRIM at the end of each batch. What is
// cut off is lost, whether it was read or not: maxlen=0 keeps everything, and
// fills the server's memory if nobody takes it out.
//
// A user of an ACL needs the commands XADD; RPUSH and, with a maxlen, LTRIM; or
// PUBLISH, and for another database than 0, SELECT:
//
//	ACL SETUSER shop on >password ~logs +xadd
//
// There is one connection. Clusters and sentinels are not supported: of a
// cluster, the node that has the key can be named, as long as it stays there.
//
// # Delivery
//
// At least once, in order. A batch is a pipeline of one command for each record,
// and each answer counts for its own record: those that were answered before a
// connection broke are not sent again. If an answer was lost, its record may be
// there, and is sent again: a stream has it twice then, with the same id. In a
// list or a channel the two are alike and cannot be told from two equal records.
//
// If the server refuses some records for now and takes later ones, as it can
// when it is at the limit of its memory, the former come after the latter.
//
// Delivered means that the server has answered. What it has on its disk when it
// crashes is up to its configuration (appendfsync). A message to a channel goes
// to those who listen at the time, who may be none.
//
// At start-up, and before a held batch is tried again, the sink asks the server,
// without writing anything, whether the credentials are accepted, the key is of
// the right type and, for a stream, XADD would be accepted.
//
// # Errors
//
//	no answer                        the records without one are sent again
//	OOM, LOADING, BUSY, READONLY,    sent again
//	  MASTERDOWN, CLUSTERDOWN,
//	  TRYAGAIN, ASK, NOREPLICAS,
//	  too many connections
//	WRONGTYPE, NOAUTH, WRONGPASS,    data is kept until an operator acts (sinks.Hold)
//	  NOPERM, MISCONF, MOVED, DENIED,
//	  any other error
//	a certificate is refused,        kept
//	  by either side
//	a record is too large for the    rejected
//	  server (proto-max-bulk-len)
//	LTRIM fails                      delivered all the same; it is a warning
package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/fapilog/fapilog/internal/secretfile"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() {
	registry.Register("redis", Open)
	registry.Register("rediss", Open)
}

// The defaults.
const (
	// DefaultStream is the key of the stream that records are added to.
	DefaultStream = "logs"
	// DefaultMaxLen is how many records a stream or list keeps. With records of
	// 300 bytes these take about 40 MB of the server's memory.
	DefaultMaxLen = 100_000

	defaultPort = "6379"
)

// The default batches: with larger ones, the throughput does not grow any more.
const (
	batchRecords = 1000
	batchBytes   = 256 << 10
	batchLinger  = 20 * time.Millisecond
)

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	Username string // default "default"; needs a Password
	Password string
	DB       int // the number of the database

	// Where the records go: at most one of them. Default: the Stream "logs".
	Stream  string // key of a stream
	List    string // key of a list
	Channel string // name of a channel

	// MaxLen is how many records the stream or list keeps; default
	// DefaultMaxLen. If it is negative, all.
	MaxLen int

	TLS      bool   // speak TLS
	CAFile   string // PEM file with the authorities to trust instead of the system's
	CertFile string // PEM file with a client certificate, read again when it has changed
	KeyFile  string // PEM file with its key, read again when it has changed
}

// Open makes the sink of a URI with the scheme redis or rediss. It is registered
// for both. It reads the files that the URI names, and connects to nothing.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	password, _ := uri.Password()
	o := Options{
		Username: uri.User(),
		Password: password,
		Stream:   uri.Public("stream", DefaultStream),
		List:     uri.Public("list", ""),
		Channel:  uri.Public("channel", ""),
		MaxLen:   uri.Int("maxlen", DefaultMaxLen, 0, 1<<31-1),
		TLS:      uri.Scheme == "rediss",
		CAFile:   uri.Text("ca_file", ""),
		CertFile: uri.Text("cert_file", ""),
		KeyFile:  uri.Text("key_file", ""),
	}
	if o.MaxLen == 0 {
		o.MaxLen = -1
	}
	for _, name := range []string{"stream", "list", "channel", "ca_file", "cert_file", "key_file"} {
		if uri.Has(name) && uri.Text(name, "") == "" {
			uri.Reject(name, "it is empty")
		}
	}
	if !uri.Has("stream") {
		o.Stream = ""
	}
	var path error
	o.DB, path = database(uri.PublicPath())
	_, problems := o.check(uri.Host)
	for _, p := range problems {
		if p.Name != "" {
			uri.Reject(p.Name, p.Reason)
		}
	}
	if uri.Has("maxlen") && o.Channel != "" {
		uri.Reject("maxlen", "a channel keeps nothing: leave it out")
	}
	if err := uri.Check(); err != nil {
		return nil, err
	}
	if path != nil {
		return nil, fmt.Errorf("redis: open %s: %w", place(o.TLS, uri.Host), path)
	}
	s, err := New(uri.Host, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// database returns the number that is the path.
func database(path string) (int, error) {
	number := strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if number == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return 0, errors.New("the path is not the number of a database: write redis://host:6379/0, and the key as stream=, list= or channel=")
	}
	return int(n), nil
}

// split returns an address with its port, and its host.
func split(address string) (full, host string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
		return net.JoinHostPort(host, defaultPort), host
	}
	return address, host
}

// check reports all that is wrong with the options, and reads the files: config
// is nil without TLS. A problem without a name is not about one parameter.
func (o *Options) check(address string) (config *tls.Config, problems []*secretfile.Problem) {
	add := func(name, reason string) {
		problems = append(problems, &secretfile.Problem{Name: name, Reason: reason})
	}
	_, host := split(address)
	switch {
	case !isAddress(address):
		add("", "the address is not of the form host:port")
	case host == "":
		add("", "there is no host: write redis://host:6379")
	case strings.Contains(address, ","):
		add("", "there is more than one host: clusters and sentinels are not supported")
	case o.Username != "" && o.Password == "":
		add("", "there is a user without a password: write redis://user:password@host")
	case o.DB < 0:
		add("", "the number of the database is negative")
	}
	var targets []string
	for _, t := range [][2]string{{"stream", o.Stream}, {"list", o.List}, {"channel", o.Channel}} {
		if t[1] != "" {
			targets = append(targets, t[0])
		}
	}
	if len(targets) > 1 {
		add(targets[len(targets)-1], "there is "+targets[0]+" as well: leave all but one out")
	}
	files := secretfile.TLS{CA: o.CAFile, Cert: o.CertFile, Key: o.KeyFile}
	if !o.TLS {
		for _, file := range [][2]string{{"ca_file", o.CAFile}, {"cert_file", o.CertFile}, {"key_file", o.KeyFile}} {
			if file[1] != "" {
				add(file[0], "there is no TLS in redis: write rediss")
			}
		}
		return nil, problems
	}
	config, wrong := files.Config()
	config.ServerName = host
	return config, append(problems, wrong...)
}

// place returns what is shown of the destination.
func place(secure bool, address string) string {
	scheme := "redis://"
	if secure {
		scheme = "rediss://"
	}
	if !isAddress(address) {
		return scheme // it may be a URI with a password
	}
	return scheme + address
}

func isAddress(s string) bool { return !strings.ContainsAny(s, "@/?#% ") }

// A Sink sends records to a Redis server. Its methods may be called as those of
// [sinks.Sink].
type Sink struct {
	client  *redis.Client
	link    *link
	where   string        // scheme://host
	secrets *registry.URI // which knows how to find them in a text
	target  target

	ids   []byte        // memory of the ids of a batch
	slots []*slot       // one for each record of the largest batch so far
	cmds  []redis.Cmder // those of slots, and trim
	trim  *redis.StringCmd
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Prober  = (*Sink)(nil)
	_ sinks.Batcher = (*Sink)(nil)
	_ io.Closer     = (*Sink)(nil)
)

// New makes a sink that sends to the server at address, which is host:port, or
// a host for the port 6379. It reads the files that the options name, and
// connects to nothing. The error reports all that is wrong.
func New(address string, o Options) (*Sink, error) {
	where := place(o.TLS, address)
	config, problems := o.check(address)
	if len(problems) > 0 {
		var errs []error
		for _, p := range problems {
			if p.Name == "" {
				errs = append(errs, fmt.Errorf("redis: open %s: %s", where, p.Reason))
			} else {
				errs = append(errs, fmt.Errorf("redis: open %s: %w", where, p))
			}
		}
		return nil, errors.Join(errs...)
	}
	secrets, err := registry.Parse("redis://" + userinfo(o.Username, o.Password) + "@host")
	if err != nil {
		return nil, fmt.Errorf("redis: open %s: the user or password has a character that none can have", where)
	}
	full, _ := split(address)
	s := &Sink{link: newLink(full, config), where: where, secrets: secrets, target: newTarget(o)}
	s.client = redis.NewClient(s.link.options(o))
	if s.target.trims() {
		s.trim = redis.NewStringCmd(context.Background(), "ltrim", s.target.key, -s.target.maxLen, -1)
	}
	return s, nil
}

// Batching returns the default batches. They linger longer than those of other
// sinks, because a batch is a round trip.
func (s *Sink) Batching() sinks.Batching {
	return sinks.Batching{Records: batchRecords, Bytes: batchBytes, Linger: batchLinger}
}

// Write sends a batch.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	defer s.release(len(batch))
	s.prepare(batch)
	cmds := s.cmds[:len(batch):len(batch)]
	if s.trim != nil {
		cmds = append(cmds, reset(s.trim))
	}
	return s.judge(ctx, cmds[:len(batch)], s.exec(ctx, cmds))
}

// exec sends commands in one go, and waits for the answers.
func (s *Sink) exec(ctx context.Context, cmds []redis.Cmder) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	end := s.link.begin(ctx)
	defer end()
	pipe := s.client.Pipeline()
	_ = pipe.(*redis.Pipeline).BatchProcess(ctx, cmds...) // which only queues them
	_, err := pipe.Exec(ctx)
	if broken := s.link.failed(); broken != nil {
		return broken // says more
	}
	return err
}

// Probe finds out whether the server can be reached, accepts the credentials,
// and would accept records. It writes nothing.
func (s *Sink) Probe(ctx context.Context) error {
	cmds := s.target.probes()
	err := s.exec(ctx, cmds)
	for _, cmd := range cmds {
		c := cmd.(*redis.StringCmd)
		_, refused := errors.AsType[redis.Error](c.Err())
		switch {
		case answered(c):
			if wrong := s.target.wrongType(c); wrong != nil {
				return s.verdict(wrong)
			}
		case !refused: // the connection or the handshake has failed
			return s.verdict(cmp.Or(err, c.Err(), errNoAnswer))
		case !s.target.harmless(c):
			return s.verdict(c.Err())
		}
	}
	return nil
}

// Close closes the connection, also that of a call that is running. It may be
// called twice.
func (s *Sink) Close() error {
	s.link.close()
	if err := s.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return s.error(err)
	}
	return nil
}

// error returns an error of the library or the server in the form that may be
// shown.
func (s *Sink) error(err error) error {
	return s.secrets.RedactError(describe(s.target.verb+" "+s.target.name+" at "+s.where, err))
}

// describe returns an error in one line, with what to do.
func describe(what string, err error) error {
	text := oneLine(err.Error())
	hint := hints[code(err)]
	switch {
	case strings.Contains(text, "DB index is out of range"):
		hint = "correct the number in the path of the URI, or raise databases in the server's configuration"
	case strings.Contains(text, "Protocol error: unauthenticated "): // before it can say NOAUTH, a command is too long for it
		hint = hints["NOAUTH"]
	}
	if hint != "" {
		text += ": " + hint
	}
	return &described{"redis: " + what + ": " + text, err}
}

// A described error has another text than its cause.
type described struct {
	text  string
	cause error
}

func (e *described) Error() string { return e.text }
func (e *described) Unwrap() error { return e.cause }

// maxQuote is how much of an answer is shown, in characters.
const maxQuote = 300

// oneLine replaces everything that is not printable by blanks, of which there
// is one at a time.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, " "), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if runes := []rune(s); len(runes) > maxQuote {
		s = string(runes[:maxQuote]) + "..."
	}
	return s
}

// grow makes slots for n records of a service, or of none.
func (s *Sink) grow(n int, service bool) {
	if len(s.slots) > 0 && s.slots[0].hasService != service {
		s.slots, s.cmds = nil, nil // entries look different from now on
	}
	s.slots, s.cmds = slices.Grow(s.slots, max(n-len(s.slots), 0)), slices.Grow(s.cmds, max(n-len(s.cmds), 0)+1)
	for len(s.slots) < n {
		slot := s.target.newSlot(service)
		s.slots, s.cmds = append(s.slots, slot), append(s.cmds, slot.cmd)
	}
}

// prepare puts the batch into slots.
func (s *Sink) prepare(batch []sinks.Event) {
	s.grow(len(batch), batch[0].Service() != "")
	s.ids = s.ids[:0]
	for i, e := range batch {
		slot := s.slots[i]
		id, from := e.ID(), len(s.ids)
		s.ids = append(s.ids, id.Log...)
		s.ids = append(s.ids, ':')
		s.ids = strconv.AppendUint(s.ids, id.Seq, 10)
		line := e.JSON()
		slot.id, slot.level, slot.service = s.ids[from:], e.Level().String(), e.Service()
		slot.record = line[:len(line)-1] // the newline
		reset(slot.cmd)
	}
}

// release lets go of the memory of a batch.
func (s *Sink) release(n int) {
	for _, slot := range s.slots[:n] {
		slot.id, slot.record, slot.level, slot.service = nil, nil, "", ""
	}
}
