package fapilog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fapilog/fapilog/internal/journal"
	"github.com/fapilog/fapilog/internal/match"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/internal/warn"
	"github.com/fapilog/fapilog/internal/worker"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// Open opens the sinks with the given URIs, or, if there are none, those that
// the environment names. All other settings are those of the environment (see
// [ConfigFromEnv]).
//
// Each sink is constructed, and its destination is probed if it can be. The
// error reports everything that is wrong with any of them, and what was opened
// is closed again. ctx bounds the opening; it has no effect later.
func Open(ctx context.Context, uris ...string) (*Fanout, error) {
	cfg, err := ConfigFromEnv()
	if len(uris) > 0 {
		cfg.Sinks, cfg.origin, cfg.fromEnv = uris, "", false
	}
	return open(ctx, cfg, err)
}

// New opens the sinks of a configuration. It is [Open] for programs that have
// values instead of strings, and does not read the environment.
func New(ctx context.Context, cfg Config) (*Fanout, error) { return open(ctx, cfg, nil) }

// open opens the sinks, and adds what is wrong to what is known to be.
func open(ctx context.Context, cfg Config, known error) (*Fanout, error) {
	cfg.setDefaults()
	var targets []*target
	for i, text := range cfg.Sinks {
		targets = append(targets, parseTarget(cfg, i, text))
	}
	for i, t := range cfg.Targets {
		targets = append(targets, &target{where: fmt.Sprintf("target %d", i+1), Target: t})
	}
	nameAll(targets)
	refuseSame(targets)
	for _, t := range targets {
		t.open(ctx, cfg)
	}
	probeAll(ctx, targets)

	errs := []error{known, cfg.validate()}
	targets = slices.DeleteFunc(targets, func(t *target) bool {
		errs = append(errs, t.errs...)
		if t.Disabled && t.Sink != nil {
			errs = append(errs, closeAll([]*target{t}, cfg))
		}
		return t.Sink == nil || t.Disabled
	})
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, closeAll(targets, cfg))
	}
	return start(cfg, targets), nil
}

// A target is a sink on its way from the configuration to its worker.
type target struct {
	Target
	where   string        // in the configuration: "FAPILOG_SINKS 2"
	uri     *registry.URI // nil if it came as a Target
	options worker.Options
	errs    []error // what is wrong with it
	soft    error   // of the probe, if SoftStart waives it

	mu       sync.Mutex
	warnings []error // of its constructor and its probe, redacted
}

// String names the target in messages.
func (t *target) String() string {
	if t.uri == nil {
		return "sink " + t.Name
	}
	return fmt.Sprintf("sink %s (%s)", t.Name, t.uri)
}

// fail notes what is wrong with the target. Each line of the error will say
// which target it is about.
func (t *target) fail(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			t.fail(err)
		}
		return
	}
	if err == nil {
		return
	}
	where := t.where
	switch {
	case t.uri == nil && t.Name != "":
		where += fmt.Sprintf(" (%s)", t.Name)
	case t.uri != nil && !strings.Contains(err.Error(), t.uri.String()): // the errors of registry do
		where += fmt.Sprintf(" (%s)", t.uri)
	}
	t.errs = append(t.errs, fmt.Errorf("fapilog: open %s: %w", where, err))
}

// warned notes what the sink says about itself while it is opened.
func (t *target) warned(err error) {
	err = t.redact(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.warnings = append(t.warnings, err)
}

// said returns what the sink has said about itself so far.
func (t *target) said() []error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.warnings
}

func (t *target) redact(err error) error {
	if t.uri == nil {
		return worker.Plain(err)
	}
	return t.uri.RedactError(err)
}

// mostBytes bounds the size of a batch, in bytes.
const mostBytes = 1 << 30

// parseTarget reads the parameters that every sink has.
func parseTarget(cfg Config, i int, text string) *target {
	t := &target{where: fmt.Sprintf("%s %d", cfg.origin, i+1)}
	uri, err := registry.Parse(text)
	if n := len(cfg.Registry.Split(text)); n > 1 {
		err = fmt.Errorf("these are %d URIs: pass each as its own, or write %%2C for a comma inside of one", n)
	}
	if err == nil && cfg.fromEnv && strings.Contains(uri.EscapedPath(), ",") {
		err = fmt.Errorf("%s: the path contains a comma: is the sink after it misspelt? registered are %s; a comma of the path is written %%2C",
			uri, strings.Join(cfg.Registry.Schemes(), ", "))
	}
	if err != nil {
		t.fail(err)
		t.Disabled = true
		return t
	}
	t.uri = uri
	p := uri.Take("name", "level", "enabled", "match", "batch", "batch_bytes", "linger", "timeout",
		"retry_max_age", "overflow", "block_timeout", "soft_start")
	t.Name = p.Public("name", "")
	t.Disabled = !p.Bool("enabled", true)
	t.Match = p.Public("match", "")
	t.Batch = p.Int("batch", 0, 1, math.MaxInt)
	t.BatchBytes = int(min(p.Size("batch_bytes", 0), mostBytes+1))
	t.Linger = p.Duration("linger", 0)
	t.Timeout = p.Duration("timeout", 0)
	t.RetryMaxAge = p.Duration("retry_max_age", 0)
	t.Overflow = Overflow(p.Enum("overflow", "", string(DropOldest), string(Block)))
	t.BlockTimeout = p.Duration("block_timeout", 0)
	t.SoftStart = p.Bool("soft_start", false)
	if p.Has("level") {
		t.Level = p.Level("level", slog.LevelInfo)
	}
	// In a Target, zero means the default. Here it may have been written.
	if t.Linger == 0 && p.Has("linger") {
		t.Linger = -1
	}
	zero := func(name string, is bool) {
		if is && p.Has(name) {
			p.Reject(name, "it must be more than zero")
		}
	}
	zero("batch_bytes", t.BatchBytes == 0)
	zero("timeout", t.Timeout == 0)
	zero("block_timeout", t.BlockTimeout == 0)
	if _, err := match.Parse(t.Match); err != nil {
		p.Reject("match", err.Error())
		t.Match = ""
	}
	return t
}

// nameAll gives every target a name of its own.
func nameAll(targets []*target) {
	taken := make(map[string]*target)
	for _, t := range targets {
		if t.Name == "" {
			continue
		}
		if first := taken[t.Name]; first != nil {
			t.fail(fmt.Errorf("name %q is that of %s: give each sink its own with name=", t.Name, first.where))
		}
		taken[t.Name] = t
	}
	for _, t := range targets {
		if t.Name != "" {
			continue
		}
		base := "sink"
		if t.uri != nil {
			base = t.uri.Scheme
		}
		t.Name = base
		for i := 2; taken[t.Name] != nil; i++ {
			t.Name = fmt.Sprintf("%s-%d", base, i)
		}
		taken[t.Name] = t
	}
}

// refuseSame reports sinks that are there twice: they would be called by two
// workers at once.
func refuseSame(targets []*target) {
	for i, t := range targets {
		if v := reflect.ValueOf(t.Sink); t.Disabled || v.Kind() != reflect.Pointer || v.Type().Elem().Size() == 0 {
			continue // no identity
		}
		for _, earlier := range targets[:i] {
			if !earlier.Disabled && earlier.Sink == t.Sink {
				t.fail(fmt.Errorf("its sink is that of %s, too: make one for each", earlier.where))
				break
			}
		}
	}
}

// open makes the sink if there is none yet, and the options of its worker.
func (t *target) open(ctx context.Context, cfg Config) {
	if t.Disabled {
		return
	}
	setDefault(&t.Timeout, DefaultTimeout) // bounds the construction, too
	t.fail(worker.CheckLevel(t.Level))
	expr, err := match.Parse(t.Match)
	if err != nil {
		t.fail(fmt.Errorf("match: %w", err))
	}
	if t.uri != nil {
		t.Sink, err = construct(ctx, cfg.Registry, t)
		t.fail(err)
	} else if t.Sink == nil {
		t.fail(errors.New("there is no sink: set Sink"))
	}
	var batching sinks.Batching
	if b, ok := t.Sink.(sinks.Batcher); ok {
		batching = b.Batching()
		t.setBatching(batching)
	}
	if l, ok := t.Sink.(sinks.DefaultLeveler); ok && t.Level == nil {
		t.Level = l.DefaultLevel()
	}
	t.setDefaults()
	t.fail(t.validate())
	t.options = worker.Options{
		Name:         t.Name,
		Sink:         t.Sink,
		Redact:       t.redact,
		Level:        t.Level,
		Match:        expr,
		Batch:        t.Batch,
		BatchBytes:   int(min(int64(t.BatchBytes), cfg.Buffer/4)), // more would be lost before it is full
		Linger:       t.Linger,
		Interval:     batching.Interval,
		Timeout:      t.Timeout,
		RetryMaxAge:  t.RetryMaxAge,
		BlockTimeout: t.BlockTimeout,
		Backoff:      *cfg.backoff,
	}
	if t.Overflow == Block {
		t.options.Overflow = journal.Block
	}
}

// asIs is for errors of registry, which have no secrets.
func asIs(err error) error { return err }

// construct makes the sink of a URI. One that is made too late is closed.
func construct(ctx context.Context, r *registry.Registry, t *target) (sinks.Sink, error) {
	var (
		mu   sync.Mutex
		sink sinks.Sink
		late bool
	)
	err := worker.Bounded(ctx, t.Timeout, asIs, func(ctx context.Context) error {
		made, err := r.Open(warn.Context(ctx, t.warned), t.uri)
		mu.Lock()
		defer mu.Unlock()
		if c, ok := made.(io.Closer); ok && late {
			return c.Close()
		}
		sink = made
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	late = true
	return sink, err
}

// probeAll asks all destinations at once whether they are usable. SoftStart waives
// what may pass by itself: a verdict says that it does not.
func probeAll(ctx context.Context, targets []*target) {
	var wg sync.WaitGroup
	for _, t := range targets {
		p, ok := t.Sink.(sinks.Prober)
		if !ok || t.Disabled {
			continue
		}
		wg.Go(func() {
			var lasts atomic.Bool // the method may still run when it was given up
			err := worker.Bounded(warn.Context(ctx, t.warned), t.Timeout, t.redact, func(ctx context.Context) error {
				err := p.Probe(ctx)
				kind, _, _ := verdict.Of(err) // which is not in what may be shown
				lasts.Store(kind != verdict.Retry)
				return err
			})
			switch {
			case err == nil:
			case lasts.Load():
				t.fail(err)
			case t.SoftStart:
				t.soft = err
			default:
				t.fail(fmt.Errorf("%w; %s starts all the same", err, softStart(t)))
			}
		})
	}
	wg.Wait()
}

// closeAll closes the sinks of targets that will not be used.
func closeAll(targets []*target, cfg Config) error {
	var errs []error
	for _, t := range targets {
		if c, ok := t.Sink.(io.Closer); ok {
			t.errs = nil
			t.fail(worker.Bounded(context.Background(), cfg.ShutdownTimeout, t.redact, func(context.Context) error { return c.Close() }))
			errs = append(errs, t.errs...)
		}
	}
	return errors.Join(errs...)
}

// softStart is how the parameter is written where the target comes from.
func softStart(t *target) string {
	if t.uri == nil {
		return "SoftStart"
	}
	return "soft_start=true"
}

// redact removes the secrets of all sinks' URIs from a text.
func (f *Fanout) redact(s string) string {
	for _, t := range f.targets {
		if t.uri != nil {
			s = t.uri.Redact(s)
		}
	}
	return s
}
