// Package registry opens sinks by URI. A sink registers a constructor for its
// scheme; [Parse] takes a URI apart, and [Registry.Open] calls the constructor
// for it. Programs seldom use it themselves: fapilog.Open does.
//
// # URIs
//
//	scheme://[user[:password]@][host[:port]][/path][?name=value[&name=value]...]
//	scheme[?name=value...]
//	scheme:path[?name=value...]
//
// The second form is for destinations that need no address, as stdout; it
// means the same as stdout://. The third is for paths relative to the working
// directory, as file:logs/app.log; absolute ones are file:///var/log/app.log.
//
// A scheme is a letter followed by letters, digits, '+', '-', '.' and '_', at
// most 32 characters, in upper or lower case. There may be several hosts with
// commas between them, each with its own port. User, password, path and
// parameters are percent-encoded where they contain a character that has a
// meaning: in a password that is one of "@", "/", "?", "#" and "%", in a
// parameter "&", "#", "+" and "%". A plus sign in a parameter is a blank. There
// are no fragments: "#" is an error.
//
// [Registry.Split] says how several URIs are written in one variable.
//
// # Parameters
//
// A constructor reads the parameters by type: [URI.Text], [URI.Bool],
// [URI.Int], [URI.Size], [URI.Duration], [URI.Level], [URI.Enum], [URI.List],
// [URI.Pairs]. These return the given default where something is wrong, and
// remember it, so that [URI.Check] can report all problems at once: malformed
// values, parameters that are given twice, and those that nothing asked for,
// which are misspelt, with the name that was probably meant.
//
// Names are case-sensitive. Sizes are 64MiB (powers of 1024) or 10MB (powers of
// 1000), see [ParseSize]; durations are 250ms, 1m30s or 7d, see
// [ParseDuration].
//
// The parameters that every sink has (name, level, enabled, match, batch,
// batch_bytes, linger, timeout, retry_max_age, overflow, block_timeout,
// soft_start) are taken by the fan-out with [URI.Take] before the constructor
// sees the URI.
//
// # Secrets
//
// Passwords are in the user information of a URI, tokens in its query, and
// some services have theirs in the path. So printing a [URI], with any verb of
// fmt, as JSON or with slog, shows scheme://host, and so do all errors of this
// package. Of parameters, errors show the names and never the values, because a
// malformed one may be a password in the wrong place; they show a valid one
// instead. A path is shown for files of this machine, see [URI.String].
//
// The errors of a constructor are cleaned with [URI.RedactError]. A sink that
// logs or stores an error of a client library uses it, or [URI.Redact], itself.
//
// What cannot be recognized is a secret in the place of a scheme or a host.
package registry
