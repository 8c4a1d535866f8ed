package httpsink

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/fapilog/fapilog/internal/compress"
	"github.com/fapilog/fapilog/internal/secretfile"
	"github.com/fapilog/fapilog/registry"
)

// The values of the parameter proxy that are not URLs.
const (
	ProxyEnv  = "env"
	ProxyNone = "none"
)

// Options configure a client. The zero value of each field means its default.
type Options struct {
	// Sink is the name of the sink's package. Errors begin with it.
	Sink string

	// URL is http://host[:port][/path][?query] or https://..., without user
	// information. It is sent as it is written. There is no default.
	URL string

	Username, Password string // of basic authentication, if one is not empty

	// A bearer token is Token, in the file TokenFile, or in the environment
	// variable TokenEnv; at most one of them.
	Token     string
	TokenFile string // read again when it has changed
	TokenEnv  string // read by New

	// An API key of Elasticsearch, as id:key or as the base64 of that, is in the
	// place of a bearer token. It is the scheme ApiKey of Authorization.
	APIKey     string
	APIKeyFile string // read again when it has changed
	APIKeyEnv  string // read by New

	Header http.Header // sent with each request

	Proxy string // ProxyEnv (default), ProxyNone, or a URL: http, https, socks5 or socks5h

	CAFile            string // PEM; trusted instead of the system's authorities
	CertFile, KeyFile string // PEM; client certificate, read again when they have changed

	Compress string // of request bodies: a name of package compress; default none
}

// FromURI reads the user information and the parameters that all sinks on HTTP
// have:
//
//	ca_file     PEM file with the authorities to trust instead of the system's
//	cert_file   PEM file with a client certificate; with key_file
//	key_file    PEM file with its key
//	token_file  file with a bearer token
//	token_env   environment variable with a bearer token
//	headers     headers to add, as name=value,other=value
//	proxy       env, none, or a URL (default env)
//
// scheme is http or https; the path is that of the URI. What else there is to
// configure the sink adds, and then calls [Options.Check].
func FromURI(uri *registry.URI, scheme string) Options {
	password, _ := uri.Password()
	o := Options{
		URL:       scheme + "://" + uri.Host + uri.EscapedPath(),
		Username:  uri.User(),
		Password:  password,
		CAFile:    uri.Text("ca_file", ""),
		CertFile:  uri.Text("cert_file", ""),
		KeyFile:   uri.Text("key_file", ""),
		TokenFile: uri.Text("token_file", ""),
		TokenEnv:  uri.Text("token_env", ""),
		Proxy:     uri.Text("proxy", ProxyEnv),
	}
	for _, p := range uri.Pairs("headers") {
		if o.Header == nil {
			o.Header = make(http.Header)
		}
		if key := http.CanonicalHeaderKey(p.Key); o.Header[key] != nil {
			uri.Reject("headers", "a header is there twice")
		}
		o.Header.Add(p.Key, p.Value)
	}
	for _, name := range []string{"ca_file", "cert_file", "key_file", "token_file", "token_env", "proxy"} {
		if uri.Has(name) && uri.Text(name, "") == "" {
			uri.Reject(name, "it is empty")
		}
	}
	return o
}

// Check rejects parameters (see [registry.URI.Reject]) for all that New would
// find wrong, and so reads the files that they name.
func (o *Options) Check(uri *registry.URI) {
	_, problems := o.load()
	for _, p := range problems {
		if p.name != "url" { // which is no parameter: New will tell
			uri.Reject(p.name, p.reason)
		}
	}
}

// An optionError is what is wrong with an option, under the name that it has as
// a parameter.
type optionError struct{ name, reason string }

func (e *optionError) Error() string { return e.name + ": " + e.reason }

// A loaded configuration is what New needs of the options.
type loaded struct {
	url    *url.URL
	header http.Header
	token  bearer
	proxy  func(*http.Request) (*url.URL, error)
	via    *url.URL // the proxy as it is now; nil: none
	tls    *tls.Config
	format *compress.Format
}

// load checks all options and reads the files. It connects to nothing.
func (o *Options) load() (*loaded, []*optionError) {
	var problems []*optionError
	add := func(name string, err error) {
		var e *optionError
		switch {
		case err == nil:
		case errors.As(err, &e):
			problems = append(problems, e)
		default:
			problems = append(problems, &optionError{name, err.Error()})
		}
	}
	l := new(loaded)
	var err error
	l.url, err = parseURL(o.URL)
	add("url", err)
	l.header, err = o.headers()
	add("headers", err)
	add("token_file", o.loadToken(&l.token))
	if o.credentials() > 1 {
		add(o.lastCredential(), errors.New("there are other credentials as well, in the URI, in another parameter or in the headers: leave all but one out"))
	}
	l.proxy, l.via, err = o.loadProxy(l.url)
	add("proxy", err)
	var files []*secretfile.Problem
	l.tls, files = secretfile.TLS{CA: o.CAFile, Cert: o.CertFile, Key: o.KeyFile}.Config()
	for _, p := range files {
		problems = append(problems, &optionError{p.Name, p.Reason})
	}
	l.format, err = compress.Lookup(o.Compress)
	add("compress", err)
	if l.url != nil && l.url.Scheme == "http" {
		for _, file := range [][2]string{{"ca_file", o.CAFile}, {"cert_file", o.CertFile}, {"key_file", o.KeyFile}} {
			if file[1] != "" {
				add(file[0], errors.New("there is no TLS in http: write https"))
			}
		}
	}
	return l, problems
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil && strings.Contains(text, ","):
		return nil, errors.New("there is more than one host")
	case err != nil: // it would show the whole
		return nil, errors.New("it is malformed: write https://host/path")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the scheme is neither http nor https")
	case u.Hostname() == "":
		return nil, errors.New("there is no host: write it after the two slashes")
	case strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r >= 0x80 }):
		return nil, errors.New("the host has letters that are not ASCII: write its ASCII form, which begins with xn--") // net/http does that, but not for Probe
	case u.User != nil:
		return nil, errors.New("it has user information: use Username and Password")
	case u.Fragment != "":
		return nil, errors.New("it has a fragment, which is not sent: write %23 for '#'")
	}
	if _, err := registry.Parse(text); err != nil {
		return nil, errors.New("it has a character that must be percent-encoded, such as '@', a blank or a quotation mark")
	}
	return u, nil
}

// IsReserved reports whether a header cannot be chosen, because it follows from
// the request or the connection, or because net/http would not undo for us what
// it asks for (Accept-Encoding).
func IsReserved(name string) bool {
	return slices.Contains([]string{
		"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade",
	}, http.CanonicalHeaderKey(name))
}

// headers returns the headers with canonical names.
func (o *Options) headers() (http.Header, error) {
	header := make(http.Header, len(o.Header)+4)
	for name, values := range o.Header {
		key := http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			return header, errors.New("a name has a character that the name of a header cannot have")
		case header[key] != nil:
			return header, errors.New("a header is there twice")
		case IsReserved(name):
			return header, fmt.Errorf("%s cannot be chosen", key)
		case slices.ContainsFunc(values, func(v string) bool { return !isHeaderValue(v) }):
			return header, errors.New("a value has a line break or another control character")
		}
		header[key] = slices.Clone(values)
	}
	if header["User-Agent"] == nil {
		header.Set("User-Agent", "fapilog")
	}
	return header, nil
}

// isToken reports whether s can be the name of a header (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func isHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// credentials returns how many kinds of credentials there are.
func (o *Options) credentials() int {
	n := 0
	for _, there := range []bool{
		o.Username != "" || o.Password != "", o.Token != "", o.TokenFile != "", o.TokenEnv != "",
		o.APIKey != "", o.APIKeyFile != "", o.APIKeyEnv != "", o.hasAuthorization(),
	} {
		if there {
			n++
		}
	}
	return n
}

func (o *Options) hasAuthorization() bool {
	for name := range o.Header {
		if strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	return false
}

func (o *Options) lastCredential() string {
	switch {
	case o.APIKeyEnv != "":
		return "api_key_env"
	case o.APIKeyFile != "":
		return "api_key_file"
	case o.APIKey != "":
		return "api_key"
	case o.TokenEnv != "":
		return "token_env"
	case o.TokenFile != "":
		return "token_file"
	case o.Token != "":
		return "token"
	default:
		return "headers"
	}
}

func (o *Options) loadToken(t *bearer) error {
	if o.APIKey != "" || o.APIKeyFile != "" || o.APIKeyEnv != "" {
		t.scheme, t.shape = "ApiKey", keyShape
		return t.load("api_key", o.APIKey, o.APIKeyFile, o.APIKeyEnv)
	}
	t.scheme = "Bearer"
	return t.load("token", o.Token, o.TokenFile, o.TokenEnv)
}

// load reads the one of three that is there. name is the parameter's for the
// first of them.
func (b *bearer) load(name, token, file, env string) error {
	b.param = name + "_file"
	switch {
	case file != "":
		b.file.Path = file
		if _, err := b.current(); err != nil {
			return &optionError{b.param, strings.TrimPrefix(err.Error(), "read "+b.param+": ")}
		}
	case env != "":
		token = os.Getenv(env)
		if strings.TrimSpace(token) == "" {
			return &optionError{name + "_env", "the environment variable that it names is not set"}
		}
		if err := b.set(token); err != nil {
			return &optionError{name + "_env", err.Error()}
		}
	case token != "":
		if err := b.set(token); err != nil {
			return &optionError{name, err.Error()}
		}
	}
	return nil
}

// fromEnvironment can be replaced by tests: the real one reads the environment
// once per process.
var fromEnvironment = http.ProxyFromEnvironment

var errProxyFromEnvironment = errors.New("HTTP_PROXY or HTTPS_PROXY is not the URL of a proxy") // the original shows it

func (o *Options) loadProxy(target *url.URL) (func(*http.Request) (*url.URL, error), *url.URL, error) {
	switch o.Proxy {
	case ProxyNone:
		return nil, nil, nil
	case "", ProxyEnv:
		fromEnvironment := fromEnvironment
		proxy := func(r *http.Request) (*url.URL, error) {
			u, err := fromEnvironment(r)
			if err != nil {
				return nil, errProxyFromEnvironment
			}
			return u, nil
		}
		if target == nil {
			return proxy, nil, nil
		}
		via, err := proxy(&http.Request{URL: target})
		return proxy, via, err
	}
	u, err := url.Parse(o.Proxy)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, nil, errors.New("neither env nor none nor a URL with the scheme http, https or socks5: write for example proxy=http://proxy:3128")
	}
	return http.ProxyURL(u), u, nil
}

// WithPort adds a port to a URL that has none. What is malformed stays so.
func WithPort(text, port string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Port() != "" {
		return text
	}
	u.Host = strings.TrimSuffix(u.Host, ":") + ":" + port
	return u.String()
}
