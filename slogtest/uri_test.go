package slogtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/slogtest"
)

func TestURIOfFile(t *testing.T) {
	t.Parallel()
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "logs", "app.log"))
	slogtest.TestURI(t, "file:///"+strings.TrimPrefix(path, "/"), "mode=rw-r--r--")
}

func TestURIOfStdio(t *testing.T) {
	t.Parallel()
	slogtest.TestURI(t, "stderr://?format=text")
}

// construct is a constructor that does everything right.
func construct(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	readAll(uri)
	if err := uri.Check(); err != nil {
		return nil, err
	}
	return closable{}, nil
}

func readAll(uri *registry.URI) {
	uri.Text("index", "logs")
	uri.Bool("create", true)
	uri.Int("retries", 3, 0, 9)
	uri.Size("limit", 1<<20)
	uri.Duration("every", time.Second)
	uri.Enum("format", "json", "json", "text")
	uri.Pairs("labels")
	if uri.Text("topic", "abc") == "ABCDEF" {
		uri.Reject("topic", "not in lower case")
	}
}

type closable struct{}

func (closable) Write(context.Context, []sinks.Event) error { return nil }
func (closable) Close() error                               { return nil }

// A brokenConstructor breaks a rule.
type brokenConstructor struct {
	name string
	rule string
	says string
	also []string // other rules that it cannot but break
	open func() registry.Constructor
	uri  string // default remote
}

const remote = "try://host:1/path?create=false"

func always(c registry.Constructor) func() registry.Constructor {
	return func() registry.Constructor { return c }
}

// rejecting is construct with problems of its own.
func rejecting(problem func(*registry.URI) error) func() registry.Constructor {
	return always(func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
		if err := problem(uri); err != nil {
			return nil, err
		}
		return construct(ctx, uri)
	})
}

var brokenConstructors = []brokenConstructor{
	{
		name: "takes what it does not know",
		rule: "unknown-parameter",
		says: "it is no error",
		open: always(func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
			readAll(uri)
			uri.Rest()
			return closable{}, uri.Check()
		}),
	},
	{
		name: "connects first",
		rule: "unknown-parameter",
		says: "it connects to its host all the same",
		open: always(func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
			if !strings.HasPrefix(uri.Host, "127.") {
				return construct(ctx, uri)
			}
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", uri.Host)
			if err != nil {
				return nil, err
			}
			defer conn.Close()
			return construct(ctx, uri)
		}),
	},
	{
		name: "creates its file first",
		rule: "unknown-parameter",
		says: "was created all the same",
		uri:  "try:///DIR/file",
		open: always(func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
			path, err := uri.LocalPath()
			if err == nil {
				err = os.WriteFile(path, nil, 0o600)
			}
			if err != nil {
				return nil, err
			}
			return construct(ctx, uri)
		}),
	},
	{
		name: "creates its directory first",
		rule: "unknown-parameter",
		says: "was created all the same",
		uri:  "try:///DIR/logs/today/file",
		open: always(func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
			path, err := uri.LocalPath()
			if err == nil {
				err = os.MkdirAll(filepath.Dir(path), 0o700)
			}
			if err != nil {
				return nil, err
			}
			return construct(ctx, uri)
		}),
	},
	{
		name: "does not name it",
		rule: "unknown-parameter",
		says: "the error does not name it: ",
		also: []string{"all-at-once"},
		open: rejecting(func(uri *registry.URI) error {
			if uri.Has("qqqqqqqqqqqq") {
				readAll(uri)
				return errors.New("something is unknown")
			}
			return nil
		}),
	},
	{
		name: "lets the last one win",
		rule: "repeated-parameter",
		says: "index given twice is no error",
		open: always(func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
			if strings.Count(uri.Raw(), "index=") > 1 {
				uri.Rest()
				return closable{}, nil
			}
			return construct(ctx, uri)
		}),
	},
	{
		name: "takes what is malformed",
		rule: "malformed-parameter",
		says: "topic=ABCDEF is no error",
		uri:  "try://host:1/path",
		open: always(func(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
			uri.Text("topic", "abc")
			return closable{}, uri.Check()
		}),
	},
	{
		name: "shows what is malformed",
		rule: "malformed-parameter",
		says: "the error for topic=ABCDEF shows the value: ",
		open: rejecting(func(uri *registry.URI) error {
			if value := uri.Text("topic", ""); value == "ABCDEF" {
				uri.Reject("topic", "not in lower case: "+value)
			}
			return nil
		}),
	},
	{
		name: "gives up at the first",
		rule: "all-at-once",
		says: "format is not reported with the others: ",
		open: always(func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
			readAll(uri)
			var first *registry.ParamError
			if errors.As(uri.Check(), &first) {
				return nil, fmt.Errorf("parameter %s: %s", first.Name, first.Reason)
			}
			return closable{}, nil
		}),
	},
	{
		name: "shows a password",
		rule: "no-secrets",
		says: "a password is shown by an error of type",
		open: rejecting(func(uri *registry.URI) error {
			if password, ok := uri.Password(); ok {
				uri.Reject("user", "the password "+password+" is wrong")
			}
			return nil
		}),
	},
	{
		name: "looks at the case",
		rule: "scheme-case",
		says: "not in upper case",
		open: rejecting(func(uri *registry.URI) error {
			if strings.HasPrefix(uri.Raw(), "TRY") {
				return errors.New("not in upper case")
			}
			return nil
		}),
	},
	{
		name: "can be opened once",
		rule: "reopen",
		says: "in use",
		open: func() registry.Constructor {
			opened := false
			return func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
				sink, err := construct(ctx, uri)
				if err == nil && opened {
					return nil, errors.New("in use")
				}
				opened = opened || err == nil && !strings.HasPrefix(uri.Raw(), "TRY")
				return sink, err
			}
		},
	},
}

func TestBrokenConstructors(t *testing.T) {
	t.Parallel()
	names, sentences := slogtest.Rules()
	first := slices.Index(names, "unknown-parameter")
	check := func(t *testing.T, name, text string, c registry.Constructor) []error {
		t.Helper()
		var r registry.Registry
		r.Register("try", c)
		if text == "" {
			text = remote
		}
		return slogtest.CheckURI(name, &r, strings.Replace(text, "/DIR", filepath.ToSlash(t.TempDir()), 1), "topic=ABCDEF")
	}
	for _, b := range brokenConstructors {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for i, name := range names {
				if i < first {
					continue
				}
				require.Empty(t, check(t, name, b.uri, construct), "the constructor that is right breaks rule %q", name)
				errs := check(t, name, b.uri, b.open())
				switch {
				case slices.Contains(b.also, name):
					require.NotEmpty(t, errs, "rule %q", name)
				case name != b.rule:
					require.Empty(t, errs, "rule %q", name)
				default:
					require.NotEmpty(t, errs)
					require.True(t, strings.HasPrefix(errs[0].Error(), fmt.Sprintf("slogtest: rule %q: %s: ", name, sentences[i])), "%v", errs[0])
					require.Contains(t, fmt.Sprint(errs), b.says)
				}
			}
		})
	}
}

// A file that the URI does not name is created in the working directory.
func TestConstructorThatLeavesAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	var r registry.Registry
	r.Register("try", func(ctx context.Context, uri *registry.URI) (sinks.Sink, error) {
		if err := os.WriteFile("stray", nil, 0o600); err != nil {
			return nil, err
		}
		return construct(ctx, uri)
	})
	for _, existed := range []bool{false, true} {
		_, err := os.Stat("stray")
		require.Equal(t, existed, err == nil)
		errs := slogtest.CheckURI("unknown-parameter", &r, remote)
		require.Len(t, errs, 1)
		require.ErrorContains(t, errs[0], "stray was created in the working directory, or written to, all the same")
	}
}

// What is wrong with the call is said before anything is tested.
func TestURIThatCannotBeTested(t *testing.T) {
	t.Parallel()
	var r registry.Registry
	r.Register("try", construct)
	require.NoError(t, slogtest.CheckURICall(&r, remote, "topic=UPPER"))
	require.ErrorContains(t, slogtest.CheckURICall(&r, "other://host"), `the scheme "other" is not registered: import the package of the sink`)
	require.ErrorContains(t, slogtest.CheckURICall(&r, "//host"), "it does not begin with a scheme")
	require.ErrorContains(t, slogtest.CheckURICall(&r, remote, "topic"), `malformed parameter "topic": write name=value`)
}
