package registry

import "strings"

// blanks may stand around the URIs of a list.
const blanks = " \t\r\n"

// Split splits a list of URIs, as in the environment variable FAPILOG_SINKS,
// at the commas between URIs. Commas are frequent inside of URIs, so a list is
// split only where what follows the comma is a URI for sure:
//
//   - a scheme and "://", whether it is registered or not;
//   - a registered scheme and ":", as in file:logs/app.log. If a host stands
//     before the comma, and nothing but a number follows the colon, it is one
//     more host and its port;
//   - a registered scheme alone, up to the next comma, the end, or a "?".
//
// A scheme alone before the comma, as in stdout,loki://loki:3100, ends there
// in any case. A comma inside a URI that would be taken for one between URIs
// is written %2C.
//
// Blanks around URIs are dropped, and so are empty entries. A list without
// URIs gives nil. No syntax is checked, see [Parse].
func (r *Registry) Split(list string) []string {
	var uris []string
	start := 0
	add := func(end int) {
		// A trailing comma is an empty entry that no URI followed.
		uri := strings.Trim(list[start:end], ","+blanks)
		if uri != "" {
			uris = append(uris, uri)
		}
		start = end
	}
	for i := range len(list) {
		if list[i] == ',' && r.splitsAt(list[start:i], list[i+1:]) {
			add(i)
		}
	}
	add(len(list))
	return uris
}

// splitsAt reports whether a comma ends a URI, given the text since the last
// one that did, and the text after it.
func (r *Registry) splitsAt(before, after string) bool {
	before = strings.TrimLeft(before, ","+blanks)
	after = strings.TrimLeft(after, ","+blanks)

	_, authority, found := strings.Cut(before, "://")
	if !strings.ContainsAny(before, ":?") || found && authority == "" {
		return true // a scheme alone: it has no place for a comma
	}
	end := strings.IndexFunc(strings.ToLower(after), notInScheme)
	if end < 0 {
		end = len(after)
	}
	scheme, rest := after[:end], after[end:]
	if checkScheme(strings.ToLower(scheme)) != nil {
		return false
	}
	if strings.HasPrefix(rest, "://") {
		return true
	}
	if r.constructor(scheme) == nil {
		return false
	}
	if port, ok := strings.CutPrefix(rest, ":"); ok {
		inHosts := found && !strings.ContainsAny(authority, "/?")
		return !inHosts || !startsWithPort(port)
	}
	rest = strings.TrimLeft(rest, blanks)
	return rest == "" || rest[0] == ',' || rest[0] == '?'
}

// startsWithPort reports whether s is a number, up to what can follow a port.
func startsWithPort(s string) bool {
	rest := strings.TrimLeft(s, "0123456789")
	found := len(rest) < len(s)
	rest = strings.TrimLeft(rest, blanks)
	return found && (rest == "" || strings.ContainsRune(",/?", rune(rest[0])))
}
