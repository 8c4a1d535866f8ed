package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	mask = "***"

	// Shorter values of parameters are not looked for: "1" is everywhere.
	minValue = 4
	// Shorter segments of a path, and shorter elements of a list in a
	// parameter, are words such as "api" and "prod" rather than tokens.
	minPiece = 8
)

// A secret is a text that must not be shown. A short one counts only where it
// stands alone: not between letters and digits.
type secret struct {
	text  string
	alone bool
}

// Redact returns s with "***" for everything that is secret in the URI, which
// is everything but scheme://host: for the texts of others, such as the errors
// of a client library, a panic, an answer of the destination.
//
// It looks for the URI itself; the user information, with or without the name,
// plain and as HTTP encodes it; the path, unless it is a local one (see
// [URI.LocalPath]) or read as none (see [URI.PublicPath]), and the segments of it
// that have eight characters or more;
// the query, and the values of four characters or more in it, unless they were
// read as a number, a duration, or the like. It knows them percent-encoded,
// percent-decoded, and quoted as by %q and JSON. The parameters that were taken
// from the URI (see [URI.Take]) are included.
//
// The name of a user who also has a password is shown where it stands alone.
func (u *URI) Redact(s string) string {
	secrets := u.knownSecrets()
	if len(secrets) == 0 || s == "" {
		return s
	}
	shown := u.shown(s)
	hidden := make([]bool, len(s))
	for _, secret := range secrets {
		for i := 0; ; {
			at := strings.Index(s[i:], secret.text)
			if at < 0 {
				break
			}
			from, to := i+at, i+at+len(secret.text)
			i = from + 1
			if secret.alone && !standsAlone(s, from, to) {
				continue
			}
			if slices.ContainsFunc(shown, func(span [2]int) bool { return span[0] <= from && to <= span[1] }) {
				continue
			}
			for k := from; k < to; k++ {
				hidden[k] = true
			}
		}
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !hidden[i]:
			b.WriteByte(s[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(mask)
		}
	}
	return b.String()
}

// RedactError returns an error with the text of err after [URI.Redact].
// [errors.Is] finds with it what it finds with err; err itself, whose fields
// may have the secrets that its text had, cannot be got back, neither with
// Unwrap nor by printing. [errors.As] finds a [*ParamError], and no other type.
//
// RedactError(nil) is nil.
func (u *URI) RedactError(err error) error {
	if err == nil {
		return nil
	}
	return newRedacted(u.Redact(err.Error()), err)
}

// redacted hides the error in closures, through which no printer looks.
type redacted struct {
	text string
	is   func(target error) bool
	as   func(target any) bool
}

func newRedacted(text string, err error) error {
	return &redacted{
		text: text,
		is:   func(target error) bool { return errors.Is(err, target) },
		as: func(target any) bool {
			if _, ok := target.(**ParamError); !ok {
				return false
			}
			return errors.As(err, target)
		},
	}
}

func (e *redacted) Error() string        { return e.text }
func (e *redacted) Is(target error) bool { return e.is(target) }
func (e *redacted) As(target any) bool   { return e.as(target) }

// shown returns the spans of s that say no more than scheme://host. A secret
// inside of them is a word that happens to be in the host as well.
func (u *URI) shown(s string) [][2]int {
	var spans [][2]int
	public := []string{u.Scheme + "://"}
	if u.Host != "" {
		public = append(public, u.Scheme+"://"+u.Host, "@"+u.Host)
	}
	for _, text := range public {
		for i := 0; ; {
			at := strings.Index(s[i:], text)
			if at < 0 {
				break
			}
			spans = append(spans, [2]int{i + at, i + at + len(text)})
			i += at + 1
		}
	}
	return spans
}

// knownSecrets returns what Redact looks for. What is secret depends on what
// the constructor reads, so the list is kept only from then on.
func (u *URI) knownSecrets() []secret {
	st := u.state()
	if list := st.secrets.Load(); list != nil {
		return *list
	}
	list := u.secrets()
	if st.opened.Load() {
		st.secrets.Store(&list)
	}
	return list
}

// secrets puts the list together.
func (u *URI) secrets() []secret {
	st := u.state()
	var list secretList
	switch {
	case st.password != "":
		_, password, _ := strings.Cut(st.userinfo, ":")
		list.forms(st.password, password, 1)
		list.userinfo(st, url.UserPassword(st.user, st.password))
	case st.user != "" && !st.hasPassword:
		// A name without a password is a token more often than not.
		list.forms(st.user, st.userinfo, 1)
		list.userinfo(st, url.User(st.user))
	}
	secretPath := !u.publicPath() && !st.shownPath
	if secretPath {
		list.path(u.Path, st.rawPath)
	}
	// What follows the host, as it was written and in what Raw returns.
	tails := []string{st.tail}
	for view := range st.views + 1 {
		tails = append(tails, strings.TrimPrefix(st.raw(view), strings.TrimSuffix(st.text, st.tail)))
	}
	for _, tail := range tails {
		if secretPath {
			list.add(tail, 2)
		}
		if _, query, found := strings.Cut(tail, "?"); found {
			list.add("?"+query, 2)
			list.add(query, minValue)
		}
	}
	for _, p := range st.params {
		if p.public {
			continue
		}
		list.forms(p.value, p.rawValue, minValue)
		for _, piece := range strings.FieldsFunc(p.value, func(r rune) bool { return r == ',' || r == '=' || r == ' ' }) {
			list.forms(piece, piece, minPiece)
		}
		for _, element := range p.elements() {
			list.forms(element, element, minPiece)
			if _, value, found := strings.Cut(element, "="); found {
				list.forms(value, value, minPiece)
			}
		}
		if !p.hasValue {
			list.forms(p.name, p.raw, minValue)
		}
	}
	return list
}

type secretList []secret

// add adds a text of at least shortest bytes.
func (l *secretList) add(text string, shortest int) {
	if len(text) < max(shortest, 1) {
		return
	}
	s := secret{text, utf8.RuneCountInString(text) < minValue}
	if !slices.Contains(*l, s) {
		*l = append(*l, s)
	}
}

// forms adds a text as it was written, decoded, and encoded in the ways that
// libraries encode it.
func (l *secretList) forms(decoded, raw string, shortest int) {
	if len(decoded) < shortest && len(raw) < shortest {
		return
	}
	for _, text := range []string{
		decoded,
		raw,
		url.QueryEscape(decoded),
		url.PathEscape(decoded),
		(&url.URL{Path: decoded}).EscapedPath(),
		url.UserPassword("", decoded).String()[1:],
	} {
		l.add(text, shortest)
		l.add(lowerEscapes(text), shortest)
		l.add(inQuotes(strconv.Quote(text)), shortest)
		l.add(inQuotes(strconv.QuoteToASCII(text)), shortest)
		if quoted, err := json.Marshal(text); err == nil {
			l.add(inQuotes(string(quoted)), shortest)
		}
	}
}

// userinfo adds the user information as a whole.
func (l *secretList) userinfo(st *state, info *url.Userinfo) {
	pair := st.user + ":" + st.password
	l.add(st.userinfo, 1)
	l.add(info.String(), 1)
	l.add(pair, 1)
	l.add(base64.StdEncoding.EncodeToString([]byte(pair)), 1)
}

// path adds the path and what it ends with, and its longer segments.
func (l *secretList) path(decoded, raw string) {
	if len(decoded) > 1 {
		l.forms(decoded, raw, 2)
	}
	for _, path := range []string{decoded, raw} {
		for rest := strings.TrimPrefix(path, "/"); rest != ""; {
			l.forms(rest, rest, minPiece)
			var segment string
			segment, rest, _ = strings.Cut(rest, "/")
			l.forms(segment, segment, minPiece)
		}
	}
}

func inQuotes(quoted string) string { return quoted[1 : len(quoted)-1] }

// lowerEscapes turns %2F into %2f.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(s[i+1:i+3]))
		}
	}
	return string(b)
}

// standsAlone reports whether s[from:to] is not part of a longer word.
func standsAlone(s string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	first, _ := utf8.DecodeRuneInString(s[from:to])
	last, _ := utf8.DecodeLastRuneInString(s[from:to])
	return !(inWord(before) && inWord(first)) && !(inWord(after) && inWord(last))
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) && r != utf8.RuneError
}
