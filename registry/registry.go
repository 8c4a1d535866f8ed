package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fapilog/fapilog/internal/panics"
	"github.com/fapilog/fapilog/sinks"
)

// A Constructor makes the sink that a URI describes.
//
// It reads the parameters with the accessors of uri, calls [URI.Check], and
// only then connects to anything or creates a file. It may keep uri. ctx is
// for the construction alone; it must not be kept.
//
// If the sink implements [io.Closer], it is closed when the fan-out is, or at
// once if the URI turns out to have parameters that were not asked for.
//
// The error says what is wrong with the URI or its destination, and need not
// say which URI. Whatever secret of the URI it contains is removed. A panic is
// an error.
type Constructor func(ctx context.Context, uri *URI) (sinks.Sink, error)

// A HandlerConstructor makes the [slog.Handler] that a URI describes. It is to
// a handler what a [Constructor] is to a sink; the handler becomes a sink by
// [sinks.FromHandler].
type HandlerConstructor func(ctx context.Context, uri *URI) (slog.Handler, error)

// A Registry maps the schemes of URIs to constructors. The zero value is an
// empty registry ready to use. Its methods may be called from several
// goroutines at once. It must not be copied after first use.
type Registry struct {
	mu           sync.RWMutex
	constructors map[string]Constructor // guarded by mu
}

var defaultRegistry Registry

// Default returns the registry that the functions of this package act on, and
// that sinks register themselves in when their package is imported.
func Default() *Registry { return &defaultRegistry }

// Register calls [Registry.Register] of the default registry.
func Register(scheme string, c Constructor) { defaultRegistry.Register(scheme, c) }

// RegisterHandler calls [Registry.RegisterHandler] of the default registry.
func RegisterHandler(scheme string, c HandlerConstructor) { defaultRegistry.RegisterHandler(scheme, c) }

// Schemes calls [Registry.Schemes] of the default registry.
func Schemes() []string { return defaultRegistry.Schemes() }

// Register makes c the constructor for a scheme: a letter, then letters,
// digits, '+', '-', '.' and '_', at most 32 characters, in upper or lower case.
// It is meant to be called from init functions. It panics if the scheme is
// malformed or already registered, and if c is nil.
func (r *Registry) Register(scheme string, c Constructor) {
	if c == nil {
		panic("registry: Register: constructor is nil for scheme " + scheme)
	}
	r.register("Register", scheme, c)
}

// RegisterHandler does what [Registry.Register] does, for a constructor that
// returns a [slog.Handler]. If the handler implements [io.Closer], it is closed
// as a sink is.
func (r *Registry) RegisterHandler(scheme string, c HandlerConstructor) {
	if c == nil {
		panic("registry: RegisterHandler: constructor is nil for scheme " + scheme)
	}
	r.register("RegisterHandler", scheme, func(ctx context.Context, uri *URI) (sinks.Sink, error) {
		h, err := c(ctx, uri)
		if err != nil {
			return nil, err
		}
		if h == nil {
			return nil, errors.New("the constructor returned no handler")
		}
		return sinks.FromHandler(h), nil
	})
}

func (r *Registry) register(caller, scheme string, c Constructor) {
	scheme = strings.ToLower(scheme)
	if err := checkScheme(scheme); err != nil {
		panic(fmt.Sprintf("registry: %s: malformed scheme %q: %v", caller, scheme, err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, dup := r.constructors[scheme]; dup {
		panic(fmt.Sprintf("registry: %s called twice for scheme %s", caller, scheme))
	}
	if r.constructors == nil {
		r.constructors = make(map[string]Constructor)
	}
	r.constructors[scheme] = c
}

// Schemes returns the registered schemes in alphabetical order.
func (r *Registry) Schemes() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.constructors))
}

func (r *Registry) constructor(scheme string) Constructor {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.constructors[strings.ToLower(scheme)]
}

// Open makes the sink that uri describes, and checks the parameters. A URI is
// opened once: what its accessors were asked for is part of it.
//
// It is an error if the scheme is not registered, if the constructor returns
// an error, returns nothing, or panics, and if [URI.Check] reports one, in
// which case the sink is closed. No error shows more of uri than scheme://host.
func (r *Registry) Open(ctx context.Context, uri *URI) (sinks.Sink, error) {
	if uri == nil {
		return nil, errors.New("registry: open sink: the URI is nil")
	}
	c := r.constructor(uri.Scheme)
	if c == nil {
		err := fmt.Errorf("registry: open %s: %s", uri, unknownScheme(uri.Scheme, r.Schemes()))
		return nil, errors.Join(err, uri.check(false))
	}
	sink, err := construct(ctx, c, uri)
	if err != nil {
		return nil, uri.constructorError(err)
	}
	if err := uri.Check(); err != nil {
		return nil, errors.Join(err, closeSink(sink, uri))
	}
	uri.state().opened.Store(true)
	return sink, nil
}

func construct(ctx context.Context, c Constructor, uri *URI) (sink sinks.Sink, err error) {
	defer recovered("the constructor", &err)
	sink, err = c(ctx, uri)
	if sink == nil && err == nil {
		err = errors.New("the constructor returned no sink")
	}
	return sink, err
}

// constructorError adds which URI it is about to the error of a constructor,
// and takes the secrets out.
func (u *URI) constructorError(err error) error {
	reported := u.state().reported
	if err == reported {
		return err // says it all, and has nothing of the values
	}
	err = newRedacted(fmt.Sprintf("registry: open %s: %s", u, u.Redact(err.Error())), err)
	if reported == nil {
		// The constructor gave up before it checked its parameters. Which
		// ones are unknown cannot be told then, but malformed ones can.
		err = errors.Join(err, u.check(false))
	}
	return err
}

func closeSink(sink sinks.Sink, uri *URI) (err error) {
	closer, ok := sink.(io.Closer)
	if !ok {
		return nil
	}
	defer func() {
		if err != nil {
			err = newRedacted(fmt.Sprintf("registry: close %s: %s", uri, uri.Redact(err.Error())), err)
		}
	}()
	defer recovered("closing the sink", &err)
	return closer.Close()
}

// recovered turns a panic of the caller into an error.
func recovered(who string, err *error) {
	if r := recover(); r != nil {
		*err = panics.Error(who+" panicked", r)
	}
}
