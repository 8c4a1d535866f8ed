package registry

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"unicode"
)

// A URI names a destination and says how to reach it. It is made by [Parse];
// the syntax is in the package comment.
//
// Printing a URI, in whichever way, shows no more of it than scheme://host.
// The methods that read parameters keep note of what was read, so they are
// for one goroutine: the one that runs the [Constructor]. All the others may
// be called from several goroutines at once after that.
type URI struct {
	// Scheme is in lower case.
	Scheme string

	// Host is what stands between the user information and the path, as it
	// was written: "loki:3100", "[::1]:5432", "h1:5432,h2:5432", or nothing.
	// Ports are known to be numbers.
	Host string

	// Path is percent-decoded. It begins with a slash, unless the URI has
	// none after the host, or is of the form file:logs/app.log.
	// A path can be a secret. For a file, use [URI.LocalPath].
	Path string

	st   *state
	view int // the parameters with this number are seen through this URI
}

// state is what a URI and those taken from it (see [URI.Take]) share.
type state struct {
	text   string // the whole, without the blanks around it
	prefix string // text without the query
	tail   string // text without scheme, user information and host

	hasAuthority bool   // a "//" follows the scheme
	userinfo     string // as it was written
	hasUser      bool
	user         string // percent-decoded, as the password
	hasPassword  bool
	password     string
	rawPath      string
	local        bool // LocalPath was called: the path is one of this machine
	shownPath    bool // PublicPath was called

	params   []param
	views    int // how many URIs were taken
	known    []string
	asked    map[int][]Parameter // by the accessors, for each view
	rest     map[int]bool        // views whose remaining parameters are all accepted
	problems map[string]string
	hint     string // for unknown parameters
	reported error  // the last error that Check returned

	opened  atomic.Bool              // the constructor has read the parameters
	secrets atomic.Pointer[[]secret] // then, once asked for
}

// Parse parses a URI. It looks at the syntax alone: whether the scheme is
// registered and the parameters make sense is found out by [Registry.Open].
//
// No error shows more of raw than scheme://host.
func Parse(raw string) (*URI, error) {
	text := strings.TrimSpace(raw)
	if text == "" {
		return nil, errors.New("registry: parse URI: it is empty")
	}
	switch {
	case strings.ContainsAny(text, "\r\n"):
		return nil, errors.New("registry: parse URI: it contains a line break: separate URIs with commas")
	case strings.ContainsFunc(text, unicode.IsControl):
		return nil, errors.New("registry: parse URI: it contains a control character: percent-encode it")
	case strings.ContainsAny(text[:1], "'\"`"):
		return nil, errors.New("registry: parse URI: it begins with a quotation mark: leave that to the shell")
	}
	end := strings.IndexAny(text, ":/?#@")
	if end < 0 {
		end = len(text)
	}
	scheme := strings.ToLower(text[:end])
	if err := checkScheme(scheme); err != nil || strings.HasPrefix(text[end:], "/") || strings.HasPrefix(text[end:], "@") {
		return nil, errors.New("registry: parse URI: it does not begin with a scheme: write scheme://host, or a scheme alone, as stdout, or for a file file:logs/app.log or file:///var/log/app.log")
	}
	u := &URI{Scheme: scheme, st: &state{text: text}}
	if err := u.parse(text[end:]); err != nil {
		// The host is there only if it was found to be one.
		return nil, fmt.Errorf("registry: parse %s://%s: %w", u.Scheme, u.Host, err)
	}
	return u, nil
}

// parse parses what follows the scheme. The order matters: until the host is
// accepted, it might be a piece of a password with a delimiter in it.
func (u *URI) parse(rest string) error {
	st := u.st
	if strings.Contains(rest, "#") {
		return errors.New("it contains a '#', which begins a fragment, and there are none here: write %23")
	}
	rest = strings.TrimPrefix(rest, ":")
	var authority string
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		st.hasAuthority = true
		end := strings.IndexAny(after, "/?")
		if end < 0 {
			end = len(after)
		}
		authority, rest = after[:end], after[end:]
	}
	st.tail = rest
	var query string
	st.rawPath, query, _ = strings.Cut(rest, "?")
	st.prefix = strings.TrimSuffix(st.text, rest) + st.rawPath

	if st.hasAuthority {
		// In scheme://user:12/34@host the slash belongs to the password.
		// There may be a part of it before the '@' of the authority, too.
		if strayAt(st.rawPath, query) {
			return errors.New("an '@' follows the host: write %40, and in a password %2F for '/' and %3F for '?'")
		}
		if secondScheme.MatchString(authority) && strings.HasPrefix(rest, "//") {
			return errors.New("there are two schemes: leave out the second and its \"//\"; what has TLS has a scheme of its own")
		}
		if err := u.parseAuthority(authority); err != nil {
			return err
		}
	}
	switch {
	case strings.Contains(st.rawPath, ", "):
		return errors.New("the path contains a comma and a blank: what follows is no sink that is known, or write %2C and %20")
	case strings.Contains(st.rawPath, " "):
		return errors.New("the path contains a blank: write %20, and '?' before parameters")
	case parameterInPath.MatchString(st.rawPath):
		return errors.New("the path contains a parameter: write '?' before the first and '&' before the others, and in a path %26 for '&' and %3B for ';'")
	}
	path, err := url.PathUnescape(st.rawPath)
	if err != nil {
		return errors.New("malformed percent-encoding in the path: write %25 for a percent sign")
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return errors.New("the path contains a control character")
	}
	u.Path = path
	st.params, err = parseQuery(query)
	return err
}

// secondScheme matches the host of a URI to which a scheme was added instead of
// replacing the one that was there.
var secondScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+._-]*:$`)

// parameterInPath matches what looks like a parameter whose '?' was forgotten.
var parameterInPath = regexp.MustCompile(`[&;][a-z_]+=`)

// strayAt reports whether there is an '@' where it more likely ends a password
// than belongs to a path or to the value of a parameter.
func strayAt(path, query string) bool {
	if strings.Contains(path, "@") {
		return true
	}
	for piece := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(piece, "="); strings.Contains(name, "@") {
			return true
		}
	}
	return false
}

func (u *URI) parseAuthority(authority string) error {
	st := u.st
	host := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		var name, password string
		st.hasUser = true
		st.userinfo, host = authority[:at], authority[at+1:]
		name, password, st.hasPassword = strings.Cut(st.userinfo, ":")
		var err1, err2 error
		st.user, err1 = url.PathUnescape(name)
		st.password, err2 = url.PathUnescape(password)
		if err1 != nil || err2 != nil {
			return errors.New("malformed percent-encoding in the user information: write %25 for a percent sign")
		}
	}
	if err := checkHosts(host); err != nil {
		return err
	}
	u.Host = host
	return nil
}

// User returns the user name, percent-decoded, or "".
func (u *URI) User() string { return u.state().user }

// Password returns the password, percent-decoded, and whether there is one.
func (u *URI) Password() (string, bool) { return u.state().password, u.state().hasPassword }

// EscapedPath returns the path as it was written, for a destination that
// tells "/" from "%2F". It can be a secret.
func (u *URI) EscapedPath() string { return u.state().rawPath }

// PublicPath returns the path, percent-decoded, and says that it is no secret,
// because it names a database, for example: [URI.Redact] leaves it alone.
func (u *URI) PublicPath() string {
	u.state().shownPath = true
	return u.Path
}

// Raw returns the text the URI was parsed from, for libraries that parse it
// themselves, without the parameters that were taken with [URI.Take]. The
// others keep their order. It is a secret.
func (u *URI) Raw() string { return u.state().raw(u.view) }

// raw returns the URI with the parameters that are seen through a view.
func (st *state) raw(view int) string {
	pieces := make([]string, 0, len(st.params))
	for _, p := range st.params {
		if p.view == view {
			pieces = append(pieces, p.raw)
		}
	}
	switch len(pieces) {
	case len(st.params):
		return st.text
	case 0:
		return st.prefix
	default:
		return st.prefix + "?" + strings.Join(pieces, "&")
	}
}

// LocalPath returns the path of the file or folder on this machine that the
// URI names. file:logs/app.log is relative to the working directory,
// file:///var/log/app.log is absolute, and so is file://localhost/var/log/app.log.
//
// It is an error if there is a host, as in file://logs/app.log, where the
// writer certainly meant a folder of that name, if there is user information,
// and if there is no path.
//
// A constructor that calls LocalPath says by it that the path is no secret.
// From then on it is shown when the URI is printed.
func (u *URI) LocalPath() (string, error) {
	st := u.state()
	st.local = true
	if st.hasUser {
		return "", errors.New("a file has no user and no password")
	}
	if u.Host != "" && !strings.EqualFold(u.Host, "localhost") {
		tail := u.Host + st.rawPath
		return "", fmt.Errorf("%q would be a host: did you mean %s:%s (relative) or %s:///%s (absolute)?",
			u.Host, u.Scheme, tail, u.Scheme, tail)
	}
	if st.rawPath != "" && (st.rawPath[0] == '~' || st.rawPath[0] == '$') && !st.hasAuthority {
		return "", fmt.Errorf("a shell replaces %c at the beginning of a word, and nobody here: write the whole path, or %%%02X", st.rawPath[0], st.rawPath[0])
	}
	if u.Path == "" {
		return "", fmt.Errorf("there is no path: write %s:logs/app.log (relative) or %s:///var/log/app.log (absolute)",
			u.Scheme, u.Scheme)
	}
	return u.Path, nil
}

// state returns the URI's state, also for a URI that was not made by Parse.
func (u *URI) state() *state {
	if u.st == nil {
		u.st = &state{}
	}
	return u.st
}
