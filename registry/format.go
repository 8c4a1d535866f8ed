package registry

import (
	"fmt"
	"log/slog"
)

// The methods below have value receivers, so that a URI that was copied out of
// its pointer does not show its fields either.

// String returns scheme://host, the part of a URI that may be shown.
//
// For a file of this machine, that is with the scheme "file" and for
// constructors that have called [URI.LocalPath], it adds the path, if there is
// neither a host nor user information: an operator needs it, and it is no
// secret.
func (u URI) String() string {
	if u.Host != "" || !u.publicPath() {
		return u.Scheme + "://" + u.Host
	}
	if u.st.hasAuthority {
		return u.Scheme + "://" + u.st.rawPath
	}
	return u.Scheme + ":" + u.st.rawPath
}

// GoString returns what [URI.String] does, in quotes.
func (u URI) GoString() string { return fmt.Sprintf("registry.URI(%q)", u.String()) }

// Format prints what [URI.String] returns, whatever the verb.
func (u URI) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'v' && f.Flag('#'):
		fmt.Fprint(f, u.GoString())
	case verb == 's', verb == 'q', verb == 'x', verb == 'X', verb == 'v':
		if verb == 'v' {
			verb = 's'
		}
		fmt.Fprintf(f, fmt.FormatString(f, verb), u.String())
	default:
		fmt.Fprintf(f, "%%!%c(registry.URI=%s)", verb, u.String())
	}
}

// MarshalText returns what [URI.String] does, and so does JSON.
func (u URI) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// LogValue returns what [URI.String] does.
func (u URI) LogValue() slog.Value { return slog.StringValue(u.String()) }

// publicPath reports whether the path may be shown.
func (u URI) publicPath() bool {
	return u.st != nil && !u.st.hasUser && (u.st.local || u.Scheme == "file")
}
