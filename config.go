package fapilog

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/fapilog/fapilog/internal/descriptor"
	"github.com/fapilog/fapilog/internal/worker"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// The defaults of [Config] and [Target].
const (
	DefaultBuffer          = 64 << 20 // bytes
	DefaultShutdownTimeout = 5 * time.Second
	DefaultBatch           = 1024      // records
	DefaultBatchBytes      = 256 << 10 // bytes
	DefaultLinger          = 5 * time.Millisecond
	DefaultTimeout         = 10 * time.Second
	DefaultBlockTimeout    = time.Second
)

// minBuffer is the smallest buffer, in bytes.
const minBuffer = 1 << 10

// Config configures a fan-out. Its zero value is usable: one sink, stdout://.
type Config struct {
	// Service is the name of the service that logs. Sinks see it.
	Service string

	// Sinks are URIs, Targets are sinks that have been built already. Both may
	// be used at once. If there are none of either, the sink is stdout://.
	Sinks   []string
	Targets []Target

	// Level is the level of handlers that have none of their own. Nil means
	// [slog.LevelInfo].
	Level slog.Leveler

	// Buffer bounds the memory for records that some sink has not taken yet,
	// in bytes. Zero means [DefaultBuffer]; the least is 1 KiB. A record larger
	// than half of it is refused.
	Buffer int64

	// ShutdownTimeout bounds Close. Zero means [DefaultShutdownTimeout].
	ShutdownTimeout time.Duration

	// Fallback is where the fan-out says what goes wrong with sinks: a line
	// when one fails, recovers, or loses records, at most every 10 seconds for
	// each, unless it needs an operator. Nil means standard error, [io.Discard]
	// silences it.
	Fallback io.Writer

	// Registry resolves the schemes of Sinks. Nil means [registry.Default].
	Registry *registry.Registry

	origin      string // what Sinks are called in errors
	fromEnv     bool   // Sinks are a list that was split
	segmentSize int    // of the journal, for tests
	backoff     *worker.Backoff
}

// A Target is a sink that has been built already, with the parameters that
// every sink has. The zero value of each field but Sink means its default.
type Target struct {
	// Name names the sink in messages and statistics. It must be unique. By
	// default it is the scheme of the URI, or "sink", followed by "-2" and so on
	// for all but the first.
	Name string

	// Sink is where the records go. The fan-out closes it, if it is an
	// [io.Closer], also if opening another sink fails. [sinks.FromHandler]
	// makes a sink of an [slog.Handler].
	Sink sinks.Sink

	// Level is the lowest level that the sink gets. By default it gets all, unless
	// it is a [sinks.DefaultLeveler].
	Level slog.Leveler

	// Match selects records by their message and attributes: terms separated by
	// commas that must all hold, each of the form key=pattern, key!=pattern,
	// key or !key, as in "http.status=5*,path!=/healthz". See
	// docs/configuration.md. By default the sink gets all.
	Match string

	// Disabled leaves the sink out.
	Disabled bool

	// Batch and BatchBytes bound what one Write gets, in records
	// ([DefaultBatch]) and in bytes of their size in the buffer
	// ([DefaultBatchBytes]). A larger record is a batch of its own. Sinks may
	// have other defaults for these and for Linger (see [sinks.Batcher]).
	Batch      int
	BatchBytes int

	// Linger is how long to wait for a batch to fill up ([DefaultLinger]). If it
	// is negative, there is no wait.
	Linger time.Duration

	// Timeout bounds each call of the sink: its construction, Probe and Write
	// ([DefaultTimeout]).
	Timeout time.Duration

	// RetryMaxAge is how long a batch is tried before it is dropped. By default
	// it is tried until the shutdown; meanwhile, newer records wait in the
	// buffer.
	RetryMaxAge time.Duration

	// Overflow says what happens when the buffer is full because the sink is
	// behind ([DropOldest]).
	Overflow Overflow

	// BlockTimeout bounds how long a record waits for room in the buffer, if
	// Overflow is [Block] ([DefaultBlockTimeout]).
	BlockTimeout time.Duration

	// SoftStart lets the fan-out open although the sink's destination cannot be
	// reached yet. What waiting does not mend, such as a wrong password (see
	// [sinks.Hold]), is an error all the same.
	SoftStart bool
}

// Overflow says what happens when the buffer is full because a sink is behind.
type Overflow string

const (
	// DropOldest drops the oldest records, for that sink alone.
	DropOldest Overflow = "drop_oldest"
	// Block makes logging wait until the sink has caught up, up to a limit,
	// and then drops as DropOldest does.
	Block Overflow = "block"
)

// ConfigFromEnv reads the configuration from the environment:
//
//	FAPILOG_SINKS             URIs, separated by commas; default stdout://
//	FAPILOG_SERVICE           the name of the service
//	FAPILOG_SINKS_<SERVICE>   wins over FAPILOG_SINKS for that service; its name in
//	                          upper case, with '_' for all but letters and digits
//	FAPILOG_LEVEL             debug, info, warn, error, or as in info+2
//	FAPILOG_BUFFER            size of the buffer, as in 64MiB
//	FAPILOG_SHUTDOWN_TIMEOUT  limit of Close, as in 5s
//
// A variable that is empty counts as one that is not set. The error reports
// everything that is malformed.
func ConfigFromEnv() (Config, error) {
	var errs []error
	bad := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("fapilog: read %s: %w", name, err))
		}
	}
	cfg := Config{Service: os.Getenv("FAPILOG_SERVICE"), origin: "FAPILOG_SINKS", fromEnv: true}
	list := os.Getenv(cfg.origin)
	if name := "FAPILOG_SINKS_" + envName(cfg.Service); cfg.Service != "" && os.Getenv(name) != "" {
		cfg.origin, list = name, os.Getenv(name)
	}
	cfg.Sinks = registry.Default().Split(list)
	if s := os.Getenv("FAPILOG_LEVEL"); s != "" {
		l, err := registry.ParseLevel(s)
		bad("FAPILOG_LEVEL", err)
		cfg.Level = l
	}
	if s := os.Getenv("FAPILOG_BUFFER"); s != "" {
		n, err := registry.ParseSize(s)
		if err == nil && n == 0 {
			err = errZero
		}
		bad("FAPILOG_BUFFER", err)
		cfg.Buffer = n
	}
	if s := os.Getenv("FAPILOG_SHUTDOWN_TIMEOUT"); s != "" {
		d, err := registry.ParseDuration(s)
		if err == nil && d == 0 {
			err = errZero
		}
		bad("FAPILOG_SHUTDOWN_TIMEOUT", err)
		cfg.ShutdownTimeout = d
	}
	return cfg, errors.Join(errs...)
}

var errZero = errors.New("it must be more than zero")

// envName is the name of a service as part of the name of a variable.
func envName(service string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, service)
}

// setDefaults replaces zero values by what they mean.
func (c *Config) setDefaults() {
	setDefault(&c.Buffer, DefaultBuffer)
	setDefault(&c.ShutdownTimeout, DefaultShutdownTimeout)
	setDefault(&c.origin, "sink")
	if c.Level == nil {
		c.Level = slog.LevelInfo
	}
	if c.Fallback == nil {
		c.Fallback = standardError()
	}
	if c.Registry == nil {
		c.Registry = registry.Default()
	}
	if c.backoff == nil {
		c.backoff = &worker.DefaultBackoff
	}
	if len(c.Sinks) == 0 && len(c.Targets) == 0 {
		c.Sinks = []string{"stdout://"}
	}
}

// stderr is standard error through a descriptor of its own, made once for all
// fan-outs, and again if os.Stderr has changed.
var stderr struct {
	sync.Mutex
	of, own *os.File
}

// standardError returns standard error as a writer that, when the reader of a
// pipe has gone, fails, and does not end the program as [os.Stderr] does.
func standardError() io.Writer {
	stderr.Lock()
	defer stderr.Unlock()
	if stderr.of != os.Stderr {
		own, err := descriptor.Duplicate(os.Stderr)
		if err != nil {
			return os.Stderr
		}
		stderr.of, stderr.own = os.Stderr, own // the old one is closed when nobody uses it any more
	}
	return stderr.own
}

func (t *Target) setDefaults() {
	setDefault(&t.Batch, DefaultBatch)
	setDefault(&t.BatchBytes, DefaultBatchBytes)
	setDefault(&t.Linger, DefaultLinger)
	setDefault(&t.Timeout, DefaultTimeout)
	setDefault(&t.BlockTimeout, DefaultBlockTimeout)
	setDefault(&t.Overflow, DropOldest)
}

// setBatching sets what the configuration does not say to what the sink prefers.
func (t *Target) setBatching(b sinks.Batching) {
	setDefault(&t.Batch, b.Records)
	setDefault(&t.BatchBytes, b.Bytes)
	setDefault(&t.Linger, b.Linger)
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// validate reports all that cannot be used.
func (c *Config) validate() error {
	var errs []error
	if c.Buffer < minBuffer {
		errs = append(errs, fmt.Errorf("fapilog: buffer of %d bytes: at least %d are needed", c.Buffer, minBuffer))
	}
	if c.ShutdownTimeout < 0 {
		errs = append(errs, fmt.Errorf("fapilog: shutdown timeout %v: it cannot be negative", c.ShutdownTimeout))
	}
	return errors.Join(errs...)
}

func (t *Target) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(t.Batch > 0, "batch %d: at least 1 record", t.Batch)
	check(t.BatchBytes > 0 && t.BatchBytes <= mostBytes, "batch_bytes %d: from 1 byte to 1 GiB", t.BatchBytes)
	check(t.Timeout > 0, "timeout %v: it must be positive", t.Timeout)
	check(t.RetryMaxAge >= 0, "retry_max_age %v: it cannot be negative", t.RetryMaxAge)
	check(t.BlockTimeout > 0, "block_timeout %v: it must be positive", t.BlockTimeout)
	check(t.Overflow == DropOldest || t.Overflow == Block, "overflow %q: write %s or %s", t.Overflow, DropOldest, Block)
	return errors.Join(errs...)
}
