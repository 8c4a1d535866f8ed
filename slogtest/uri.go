package slogtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// TestURI tests the constructor that is registered for the scheme of uri in
// [registry.Default], against the rules on URIs in the package comment. uri must
// be complete and valid, and its destination must work. malformed are examples
// of parameters with values that must be refused, each written as name=value;
// for parameters other than texts and lists, the test has some of its own.
//
// The test must not run in parallel with others that create files in the
// working directory.
func TestURI(t *testing.T, uri string, malformed ...string) {
	t.Helper()
	s := newURISuite(registry.Default(), uri, malformed)
	if err := s.check(); err != nil {
		t.Fatalf("slogtest: TestURI cannot be called like this: %v", err)
	}
	for _, r := range uriRules {
		t.Run(r.name, func(t *testing.T) {
			t.Helper() // the line that is reported is that of the caller's call
			errs, why := report(r.name, r.sentence, r.check(s))
			for _, err := range errs {
				t.Error(err)
			}
			if len(errs) == 0 && why != "" {
				t.Skipf("slogtest: rule %q: not checked: %s", r.name, why)
			}
		})
	}
}

// A uriRule is one sentence of the contract of constructors.
type uriRule struct {
	name, sentence string
	check          func(*uriSuite) error
}

var uriRules = []uriRule{
	{"unknown-parameter", "a parameter that there is not is an error that names it, before anything is touched", (*uriSuite).checkUnknown},
	{"repeated-parameter", "a parameter that is given twice is an error that names it", (*uriSuite).checkRepeated},
	{"malformed-parameter", "a malformed parameter is an error that names it and does not show its value", (*uriSuite).checkMalformed},
	{"all-at-once", "everything that is wrong with the parameters is reported at once", (*uriSuite).checkAllAtOnce},
	{"no-secrets", "no error shows more of a URI than scheme://host, and the path of a local file", (*uriSuite).checkSecrets},
	{"scheme-case", "the case of the scheme does not matter", (*uriSuite).checkCase},
	{"reopen", "a sink that was closed can be opened again", (*uriSuite).checkReopen},
}

// A uriSuite checks rules against the constructor of one URI.
type uriSuite struct {
	registry  *registry.Registry
	text      string
	malformed []string      // name=value
	limit     time.Duration // what a call gets
	hung      string        // the call that did not return, or ""
}

func newURISuite(r *registry.Registry, uri string, malformed []string) *uriSuite {
	return &uriSuite{registry: r, text: uri, malformed: malformed, limit: 10 * time.Second}
}

// check returns what is wrong with how the test was called.
func (s *uriSuite) check() error {
	uri, err := registry.Parse(s.text)
	if err != nil {
		return err
	}
	var errs []error
	if !slices.Contains(s.registry.Schemes(), uri.Scheme) {
		errs = append(errs, fmt.Errorf("the scheme %q is not registered: import the package of the sink", uri.Scheme))
	}
	for _, m := range s.malformed {
		if name, _, ok := strings.Cut(m, "="); !ok || name == "" {
			errs = append(errs, fmt.Errorf("malformed parameter %q: write name=value", m))
		}
	}
	return errors.Join(errs...)
}

const (
	// planted is a secret, in the forms that the test has for it.
	planted = "plantedSecret0123456789"
	// unknown is a parameter that no sink has.
	unknown = "qqqqqqqqqqqq"
)

// open opens a URI and closes the sink.
func (s *uriSuite) open(text string) error {
	_, err := s.opened(text)
	return err
}

// opened returns the URI as well.
func (s *uriSuite) opened(text string) (*registry.URI, error) {
	uri, err := registry.Parse(text)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	var sink sinks.Sink
	err = s.within("opening", func() (err error) {
		sink, err = s.registry.Open(ctx, uri)
		return err
	})
	if err != nil {
		return uri, err
	}
	if c, ok := sink.(io.Closer); ok {
		err = s.within("Close", c.Close)
	}
	return uri, err
}

// within makes a call, unless one has hung before.
func (s *uriSuite) within(what string, call func() error) error {
	if s.hung != "" {
		return notApplicable(s.hung + " hung")
	}
	err := within(s.limit, what, call)
	if b, ok := err.(*broke); ok && b.hangs {
		s.hung = what
	}
	return err
}

// with returns the URI with further parameters.
func (s *uriSuite) with(parameters ...string) string { return with(s.text, parameters...) }

func with(text string, parameters ...string) string {
	for _, p := range parameters {
		if strings.Contains(text, "?") {
			text += "&" + p
		} else {
			text += "?" + p
		}
	}
	return text
}

// parameters returns what the constructor has asked for.
func (s *uriSuite) parameters() ([]registry.Parameter, error) {
	uri, err := s.opened(s.with(unknown + "=1"))
	if err == nil {
		return nil, notApplicable(`an unknown parameter is no error, so which there are is not known, see rule "unknown-parameter"`)
	}
	if n, ok := errors.AsType[notApplicable](err); ok {
		return nil, n
	}
	if uri == nil {
		return nil, fmt.Errorf("the URI that the test was given is malformed: %w", err)
	}
	return uri.Parameters(), nil
}

func (s *uriSuite) checkUnknown() error {
	touched, err := touchedBy(".", s.checkTouches)
	if err != nil {
		return err
	}
	if len(touched) == 0 {
		return nil
	}
	// Somebody else may have written there. That who was not it does so again at
	// once is not likely.
	again, err := touchedBy(".", func() error { return s.expectNamed(s.text, unknown) })
	if err != nil {
		return err
	}
	for _, f := range touched {
		if f.created || slices.ContainsFunc(again, func(a touch) bool { return a.name == f.name }) {
			return fmt.Errorf("%s was created in the working directory, or written to, all the same", f.name)
		}
	}
	return nil
}

// A touch is what was done to a file.
type touch struct {
	name    string
	created bool // or else written to
}

// touchedBy returns which files in a directory a function touches.
func touchedBy(dir string, do func() error) (touched []touch, err error) {
	before, err := filesIn(dir)
	if err != nil {
		return nil, err
	}
	pause(clockTick)
	if err := do(); err != nil {
		return nil, err
	}
	after, err := filesIn(dir)
	for name, at := range after {
		if was, ok := before[name]; !ok || !was.Equal(at) {
			touched = append(touched, touch{name, !ok})
		}
	}
	return touched, err
}

// clockTick is how exact the times of files are at worst, on the systems that
// tests run on (Linux: CONFIG_HZ, 1 to 10 ms; NTFS: 100 ns, by a clock of 15.6 ms).
const clockTick = 20 * time.Millisecond

// filesIn returns when the files in a directory were written to, by names.
func filesIn(dir string) (map[string]time.Time, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	times := make(map[string]time.Time)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !e.IsDir() { // or it is gone already
			times[e.Name()] = info.ModTime()
		} else if err == nil {
			times[e.Name()] = time.Time{} // of a directory, when it was created is enough
		}
	}
	return times, nil
}

// checkTouches looks at what the URI names.
func (s *uriSuite) checkTouches() error {
	uri, err := registry.Parse(s.text)
	if err != nil {
		return err
	}
	if uri.Host != "" {
		return s.checkConnects(uri.Host)
	}
	if local, err := uri.LocalPath(); err == nil {
		return s.checkFile(local)
	}
	return s.expectNamed(s.text, unknown)
}

// expectNamed opens a URI with an unknown parameter.
func (s *uriSuite) expectNamed(text, name string) error {
	err := s.open(with(text, name+"="+planted))
	if err == nil {
		return errors.New("it is no error")
	}
	if !strings.Contains(err.Error(), "parameter "+name) {
		return fmt.Errorf("the error does not name it: %w", err)
	}
	return nil
}

// checkFile looks whether a file or a directory that it is in was created.
func (s *uriSuite) checkFile(path string) error {
	var absent []string
	for ; ; path = filepath.Dir(path) {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			break
		}
		absent = append(absent, path)
	}
	if err := s.expectNamed(s.text, unknown); err != nil {
		return err
	}
	for _, path := range absent {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s was created all the same", path)
		}
	}
	return nil
}

// checkConnects puts a listener in the place of the host, and looks whether
// anybody but itself connects to it.
func (s *uriSuite) checkConnects(host string) error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	scheme, rest, _ := strings.Cut(s.text, "://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	user := strings.TrimSuffix(rest[:end], host)
	named := s.expectNamed(scheme+"://"+user+l.Addr().String()+rest[end:], unknown)

	// Connections are accepted in the order in which they were made.
	marker, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer marker.Close()
	first, err := l.Accept()
	if err != nil {
		return err
	}
	defer first.Close()
	if first.RemoteAddr().String() != marker.LocalAddr().String() {
		return errors.New("it connects to its host all the same")
	}
	return named
}

func (s *uriSuite) checkRepeated() error {
	parameters, err := s.parameters()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range parameters {
		given := p.Name + "=" + url.QueryEscape(validFor(p))
		err := s.open(s.with(given, given))
		if err == nil {
			errs = append(errs, fmt.Errorf("%s given twice is no error", p.Name))
		} else if !strings.Contains(err.Error(), "parameter "+p.Name+": given ") {
			errs = append(errs, fmt.Errorf("the error for %s given twice does not say so: %w", p.Name, err))
		}
	}
	return errors.Join(errs...)
}

// validFor returns a value that the parameter may have, as far as can be told.
func validFor(p registry.Parameter) string {
	switch {
	case p.Default != "":
		return p.Default
	case p.Kind == registry.KindBool:
		return "true"
	case p.Kind == registry.KindDuration:
		return "1s"
	case p.Kind == registry.KindPairs:
		return "key=value"
	case len(p.Words) > 0:
		return p.Words[0]
	default:
		return "1"
	}
}

// wrong returns parameters that must be refused, as name and value.
func (s *uriSuite) wrong() (list [][2]string, err error) {
	parameters, err := s.parameters()
	if err != nil {
		return nil, err
	}
	for _, p := range parameters {
		if p.Kind != registry.KindText && p.Kind != registry.KindList {
			list = append(list, [2]string{p.Name, planted})
		}
	}
	for _, example := range s.malformed {
		name, value, _ := strings.Cut(example, "=")
		list = append(list, [2]string{name, value})
	}
	return list, nil
}

// given returns the URI with p in the place of the parameter of that name.
func (s *uriSuite) given(ps ...[2]string) string {
	text, query, _ := strings.Cut(s.text, "?")
	for piece := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(piece, "=")
		if piece != "" && !slices.ContainsFunc(ps, func(p [2]string) bool { return p[0] == name }) {
			text = with(text, piece)
		}
	}
	for _, p := range ps {
		text = with(text, p[0]+"="+p[1])
	}
	return text
}

// shortest is the length of a value that does not appear in an error by chance.
const shortest = 6

func (s *uriSuite) checkMalformed() error {
	wrong, err := s.wrong()
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range wrong {
		switch err := s.open(s.given(p)); {
		case err == nil:
			errs = append(errs, fmt.Errorf("%s=%s is no error", p[0], p[1]))
		case !strings.Contains(err.Error(), "parameter "+p[0]+": "):
			errs = append(errs, fmt.Errorf("the error for %s=%s does not name it: %w", p[0], p[1], err))
		case len(p[1]) >= shortest && strings.Contains(err.Error(), p[1]):
			errs = append(errs, fmt.Errorf("the error for %s=%s shows the value: %w", p[0], p[1], err))
		}
	}
	return errors.Join(errs...)
}

func (s *uriSuite) checkAllAtOnce() error {
	wrong, err := s.wrong()
	if err != nil {
		return err
	}
	names := []string{unknown}
	var parameters [][2]string
	for _, p := range wrong {
		// What is no error alone is for the rule "malformed-parameter" to say.
		if !slices.Contains(names, p[0]) && s.open(s.given(p)) != nil {
			names, parameters = append(names, p[0]), append(parameters, p)
		}
	}
	text := with(s.given(parameters...), unknown+"=1")
	if err = s.open(text); err == nil {
		return errors.New("it is no error")
	}
	var errs []error
	for _, name := range names {
		if !strings.Contains(err.Error(), "parameter "+name+": ") {
			errs = append(errs, fmt.Errorf("%s is not reported with the others: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *uriSuite) checkSecrets() error {
	texts := map[string]string{
		"the value of an unknown parameter": s.with(unknown + "=" + planted),
		"a parameter without a value":       s.with(planted),
	}
	if wrong, err := s.wrong(); err == nil {
		for _, p := range wrong {
			texts["the value of "+p[0]] = s.given([2]string{p[0], planted})
		}
	}
	if scheme, rest, found := strings.Cut(s.text, "://"); found && rest != "" && rest[0] != '/' && rest[0] != '?' {
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		host := rest[strings.LastIndex(rest[:end], "@")+1 : end]
		texts["a password"] = scheme + "://user:" + planted + "@" + host + rest[end:]
		texts["a user"] = scheme + "://" + planted + "@" + host + rest[end:]
		texts["a password, and something unknown"] = with(texts["a password"], unknown+"=1")
		texts["a path, and something unknown"] = scheme + "://" + host + "/" + planted + "?" + unknown + "=1"
	}
	var errs []error
	for where, text := range texts {
		if how := shows(s.open(text), planted); how != "" {
			errs = append(errs, fmt.Errorf("%s is shown by an error of %s", where, how))
		}
	}
	return errors.Join(errs...)
}

func (s *uriSuite) checkCase() error {
	end := strings.IndexAny(s.text, ":/?")
	if end < 0 {
		end = len(s.text)
	}
	return s.open(strings.ToUpper(s.text[:end]) + s.text[end:])
}

func (s *uriSuite) checkReopen() error {
	for range 2 {
		if err := s.open(s.text); err != nil {
			return err
		}
	}
	return nil
}
