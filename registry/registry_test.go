package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// sink counts how often it is closed.
type sink struct {
	closed   int
	closeErr error
	panics   bool
}

func (s *sink) Write(context.Context, []sinks.Event) error { return nil }

func (s *sink) Close() error {
	s.closed++
	if s.panics {
		panic("s3cr3t")
	}
	return s.closeErr
}

func TestRegisterPanics(t *testing.T) {
	t.Parallel()
	var r registry.Registry
	open := func(context.Context, *registry.URI) (sinks.Sink, error) { return &sink{}, nil }
	handler := func(context.Context, *registry.URI) (slog.Handler, error) { return slog.DiscardHandler, nil }
	r.Register("My_Sink", open)
	r.RegisterHandler("a+b-c.d_9", handler)
	require.Equal(t, []string{"a+b-c.d_9", "my_sink"}, r.Schemes())

	require.PanicsWithValue(t, "registry: Register called twice for scheme my_sink", func() { r.Register("my_sink", open) })
	require.PanicsWithValue(t, "registry: RegisterHandler called twice for scheme my_sink", func() { r.RegisterHandler("MY_SINK", handler) })
	require.PanicsWithValue(t, "registry: Register: constructor is nil for scheme x", func() { r.Register("x", nil) })
	require.PanicsWithValue(t, "registry: RegisterHandler: constructor is nil for scheme x", func() { r.RegisterHandler("x", nil) })
	for _, scheme := range []string{"", "1x", "_x", "x y", "x:", "x/", "ü", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"} {
		require.Panics(t, func() { r.Register(scheme, open) }, scheme)
	}
	require.Equal(t, []string{"a+b-c.d_9", "my_sink"}, r.Schemes())
}

func TestOpen(t *testing.T) {
	t.Parallel()
	var r registry.Registry
	made := &sink{}
	r.Register("my_sink", func(_ context.Context, u *registry.URI) (sinks.Sink, error) {
		u.Size("max_bytes", 0)
		return made, nil
	})
	got, err := r.Open(t.Context(), parse(t, "MY_SINK://localhost:8080?max_bytes=10MB"))
	require.NoError(t, err)
	require.Same(t, made, got)

	// A parameter that the constructor did not ask for closes the sink.
	_, err = r.Open(t.Context(), parse(t, "my_sink://localhost:8080?maxBytes=10MB"))
	require.EqualError(t, err, "registry: check my_sink://localhost:8080: parameter maxBytes: unknown: did you mean max_bytes?")
	require.Equal(t, 1, made.closed)

	made.closeErr = errors.New("s3cr3t left")
	_, err = r.Open(t.Context(), parse(t, "my_sink://h?max=s3cr3t"))
	require.ErrorContains(t, err, "\nregistry: close my_sink://h: *** left")
	require.ErrorIs(t, err, made.closeErr)
	made.panics = true
	_, err = r.Open(t.Context(), parse(t, "my_sink://h?max=s3cr3t"))
	require.ErrorContains(t, err, "\nregistry: close my_sink://h: closing the sink panicked: ***")

	_, err = r.Open(t.Context(), nil)
	require.EqualError(t, err, "registry: open sink: the URI is nil")
}

func TestOpenHandler(t *testing.T) {
	t.Parallel()
	var r registry.Registry
	made := &closingHandler{Handler: slog.DiscardHandler}
	r.RegisterHandler("handler", func(_ context.Context, u *registry.URI) (slog.Handler, error) {
		switch u.Host {
		case "closer":
			return made, nil
		case "fails":
			return nil, errors.New("no handler today")
		case "nil":
			return nil, nil
		}
		return slog.DiscardHandler, nil
	})
	s, err := r.Open(t.Context(), parse(t, "handler://closer"))
	require.NoError(t, err)
	require.NoError(t, s.(io.Closer).Close())
	require.Equal(t, 1, made.closed)

	s, err = r.Open(t.Context(), parse(t, "handler"))
	require.NoError(t, err)
	_, isCloser := s.(io.Closer)
	require.False(t, isCloser)

	_, err = r.Open(t.Context(), parse(t, "handler://fails"))
	require.EqualError(t, err, "registry: open handler://fails: no handler today")
	_, err = r.Open(t.Context(), parse(t, "handler://nil"))
	require.EqualError(t, err, "registry: open handler://nil: the constructor returned no handler")
}

type closingHandler struct {
	slog.Handler
	closed int
}

func (h *closingHandler) Close() error { h.closed++; return nil }

// Whatever a constructor does, the error says which URI, why, and no secret.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		open registry.Constructor
		want string
	}{
		"error": {
			func(_ context.Context, u *registry.URI) (sinks.Sink, error) {
				return nil, fmt.Errorf("x: dial %s: %w", u.Raw(), refused)
			},
			"registry: open x://h:1: x: dial x://***@h:1***: refused\n" +
				"registry: check x://h:1: parameter batch: not an integer from 1 to 9: write for example batch=5",
		},
		"nil": {
			func(context.Context, *registry.URI) (sinks.Sink, error) { return nil, nil },
			"registry: open x://h:1: the constructor returned no sink\n" +
				"registry: check x://h:1: parameter batch: not an integer from 1 to 9: write for example batch=5",
		},
		"panic": {
			func(_ context.Context, u *registry.URI) (sinks.Sink, error) { panic("lost " + u.Raw()) },
			"registry: open x://h:1: the constructor panicked: lost x://***@h:1*** (in registry_test.go)\n" +
				"registry: check x://h:1: parameter batch: not an integer from 1 to 9: write for example batch=5",
		},
		"panic with an error": {
			func(context.Context, *registry.URI) (sinks.Sink, error) { panic(refused) },
			"registry: open x://h:1: the constructor panicked: refused (in registry_test.go)\n" +
				"registry: check x://h:1: parameter batch: not an integer from 1 to 9: write for example batch=5",
		},
		"checked": {
			func(_ context.Context, u *registry.URI) (sinks.Sink, error) {
				u.Text("token", "")
				return nil, u.Check()
			},
			"registry: check x://h:1: parameter batch: not an integer from 1 to 9: write for example batch=5",
		},
		"checked and wrapped": {
			func(_ context.Context, u *registry.URI) (sinks.Sink, error) {
				u.Text("tokens", "")
				return nil, fmt.Errorf("x: open: %w", u.Check())
			},
			"registry: open x://h:1: x: open: registry: check x://h:1: parameter token: unknown: did you mean tokens?\n" +
				"registry: check x://h:1: parameter batch: not an integer from 1 to 9: write for example batch=5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r registry.Registry
			r.Register("x", test.open)
			u := parse(t, "x://user:s3cr3t@h:1/s3cr3t/path?token=s3cr3ttoken&batch=s3cr3tbatch")
			u.Take("batch").Int("batch", 5, 1, 9)
			s, err := r.Open(t.Context(), u)
			require.Nil(t, s)
			require.Equal(t, test.want, regexp.MustCompile(`\(in [^)]*(registry_test.go):\d+\)`).ReplaceAllString(err.Error(), "(in $1)"))
			for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
				require.NotContains(t, fmt.Sprintf(verb, err), "s3cr3t")
			}
			if name == "error" || name == "panic with an error" {
				require.ErrorIs(t, err, refused)
			}
		})
	}
}

func TestUnknownScheme(t *testing.T) {
	t.Parallel()
	var r registry.Registry
	_, err := r.Open(t.Context(), parse(t, "kafka://u:s3cr3t@loki:3100/s3cr3t"))
	require.EqualError(t, err, "registry: open kafka://loki:3100: unknown scheme: none is registered")

	_, err = r.Open(t.Context(), parse(t, "file:logs/app.log"))
	require.EqualError(t, err, `registry: open file:logs/app.log: unknown scheme: file needs the import _ "github.com/fapilog/fapilog/sinks/file"; none is registered`)

	for _, scheme := range []string{"loki", "my_sink"} {
		r.Register(scheme, func(context.Context, *registry.URI) (sinks.Sink, error) { return &sink{}, nil })
	}
	for raw, want := range map[string]string{
		"lokii://h":  "registry: open lokii://h: unknown scheme: did you mean loki? registered are loki, my_sink",
		"mySink://h": "registry: open mysink://h: unknown scheme: did you mean my_sink? registered are loki, my_sink",
		"kafka://h":  "registry: open kafka://h: unknown scheme: registered are loki, my_sink",
		"stdot":      `unknown scheme: did you mean stdout? stdout needs the import _ "github.com/fapilog/fapilog/sinks/stdio"; registered are loki, my_sink`,
		"stderr":     `unknown scheme: stderr needs the import _ "github.com/fapilog/fapilog/sinks/stdio"; registered are loki, my_sink`,
	} {
		_, err := r.Open(t.Context(), parse(t, raw))
		require.ErrorContains(t, err, want)
	}

	// What is wrong with the common parameters is said at once as well.
	u := parse(t, "kafka://h?batch=s3cr3t&other=1")
	u.Take("batch").Int("batch", 5, 1, 9)
	_, err = r.Open(t.Context(), u)
	require.ErrorContains(t, err, "\nregistry: check kafka://h: parameter batch: not an integer from 1 to 9")
	require.NotContains(t, err.Error(), "other")
}

func TestRegistryIsConcurrencySafe(t *testing.T) {
	t.Parallel()
	var r registry.Registry
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			scheme := fmt.Sprintf("s%d", i)
			r.Register(scheme, func(context.Context, *registry.URI) (sinks.Sink, error) { return &sink{}, nil })
			u, err := registry.Parse(scheme)
			if err == nil {
				_, err = r.Open(context.Background(), u)
			}
			if err != nil || len(r.Split(scheme+","+scheme)) != 2 || len(r.Schemes()) == 0 {
				t.Error(scheme, err)
			}
			_ = registry.Schemes()
		})
	}
	wg.Wait()
	require.Len(t, r.Schemes(), 8)
}
