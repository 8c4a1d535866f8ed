package loki

import (
	"regexp"
	"strconv"
	"time"
)

// What Loki v3.7 says with the status 400 about a stream of which it has refused
// some entries and stored the others. First what the distributor finds
// (pkg/validation/validate.go), where the same texts are counted:
//
//	2 errors like: entry for stream '{app="shop"}' has timestamp too old: 2026-01-02T03:04:05Z, oldest acceptable timestamp is: ...; max entry size '262144' bytes exceeded for stream ...
//
// and then what the ingester finds (pkg/ingester/stream.go), instead of that:
//
//	entry with timestamp 2026-01-02 03:04:05.000000006 +0000 UTC ignored, reason: 'entry too far behind, ...',
//	user 'fake', total ignored: 1 out of 10 for stream: {app="shop"}
var (
	tooOld       = counted(`has timestamp too old: `)
	tooNew       = counted(`has timestamp too new: `)
	tooLong      = counted(`max entry size '(\d+)' bytes exceeded`)
	noMetadata   = counted(`includes structured metadata, but this feature is disallowed`)
	metadataSize = counted(`has structured metadata too large: '\d+' bytes, limit: '(\d+)' bytes`)
	metadataMany = counted(`has too many structured metadata labels: '\d+', limit: '(\d+)'`)
	wholeStream  = counted(`error parsing labels|has \d+ label names; limit|has label name too long|has label value too long|has duplicate label name|missing required labels|at least one label pair is required`)

	ignored      = regexp.MustCompile(`entry with timestamp (\S+ \S+ \S+ \S+) ignored`)
	totalIgnored = regexp.MustCompile(`total ignored: (\d+) out of (\d+)`)
)

// quoted is a value in a label set.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// goTime is how [time.Time.String] prints a time.
const goTime = "2006-01-02 15:04:05.999999999 -0700 MST"

// counted finds one of the distributor's texts, from the point where its number
// stands. The values of labels are known to be none of it.
func counted(text string) *regexp.Regexp {
	return regexp.MustCompile(`(?:(\d+) errors like: )?(?:[^;]*?)(?:` + text + `)`)
}

// fates are what has become of the entries of a stream.
type fate int

const (
	stored fate = iota
	refused
	unknown // perhaps stored
)

// fates reads the text of an answer with the status 400 to a request with one
// stream, whose entries are sorted by time. It returns nil if it cannot be made
// out which entries Loki has refused.
func fates(text []byte, s *stream) []fate {
	// A label may have any value, which must not be taken for what Loki says.
	text = quoted.ReplaceAll(text, []byte(`""`))
	if m := totalIgnored.FindSubmatch(text); m != nil {
		return fromIngester(text, number(m[1]), number(m[2]), s.entries)
	}
	return fromDistributor(text, s.entries)
}

// fromIngester is for entries that are too old for their stream. Of a request
// that is sorted by time, these are the first.
func fromIngester(text []byte, refusals, total int, entries []entry) []fate {
	f := make([]fate, len(entries))
	if total == len(entries) && 0 < refusals && refusals <= total {
		for i := range refusals {
			f[i] = refused
		}
		return f
	}
	// The others did not get as far as that: the distributor has refused them, and
	// what it says is lost, or has made several streams of one.
	named := make(map[int64]bool)
	for _, m := range ignored.FindAllSubmatch(text, -1) {
		if t, err := time.Parse(goTime, string(m[1])); err == nil {
			named[t.UnixNano()] = true
		}
	}
	found := false
	for i, e := range entries {
		f[i] = unknown
		if named[e.at] {
			f[i], found = refused, true
		}
	}
	if !found {
		return nil
	}
	return f
}

// fromDistributor finds the entries that each text is about. If these are not as
// many as Loki has counted, it is not what was understood.
func fromDistributor(text []byte, entries []entry) []fate {
	f := make([]fate, len(entries))
	refusals := 0
	mark := func(i int) {
		if f[i] == stored {
			f[i] = refused
			refusals++
		}
	}
	where := func(applies func(e *entry) bool) {
		for i := range entries {
			if applies(&entries[i]) {
				mark(i)
			}
		}
	}
	if n, _ := count(wholeStream, text); n > 0 {
		where(func(*entry) bool { return true })
		return f
	}
	want, _ := count(tooOld, text)
	for i := range min(want, len(entries)) {
		mark(i)
	}
	n, _ := count(tooNew, text)
	want += n
	for i := range min(n, len(entries)) {
		mark(len(entries) - 1 - i)
	}
	for _, rule := range []struct {
		text    *regexp.Regexp
		applies func(e *entry, limit int) bool
	}{
		{tooLong, func(e *entry, limit int) bool { return len(e.line) > limit }},
		{noMetadata, func(e *entry, _ int) bool { return len(e.metadata) > 0 }},
		{metadataSize, func(e *entry, limit int) bool { return e.metadataSize() > limit }},
		{metadataMany, func(e *entry, limit int) bool { return len(e.metadata) > limit }},
	} {
		n, limit := count(rule.text, text)
		if n > 0 {
			want += n
			where(func(e *entry) bool { return rule.applies(e, limit) })
		}
	}
	if refusals == 0 || refusals != want {
		return nil
	}
	return f
}

// count returns how many entries a text is about, and the limit that it names.
func count(re *regexp.Regexp, text []byte) (n, limit int) {
	for _, m := range re.FindAllSubmatch(text, -1) {
		n += max(number(m[1]), 1)
		if len(m) > 2 {
			limit = number(m[2])
		}
	}
	return n, limit
}

// number returns a decimal number, or 0. Those that are too large are of no use.
func number(digits []byte) int {
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0
	}
	return n
}
