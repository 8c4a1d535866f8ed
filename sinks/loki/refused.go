package loki

import (
	"bytes"
	"regexp"
	"slices"
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
	tooOld       = regexp.MustCompile(`has timestamp too old: `)
	tooNew       = regexp.MustCompile(`has timestamp too new: `)
	tooLong      = regexp.MustCompile(`max entry size '(\d+)' bytes exceeded`)
	noMetadata   = regexp.MustCompile(`includes structured metadata, but this feature is disallowed`)
	metadataSize = regexp.MustCompile(`has structured metadata too large: '\d+' bytes, limit: '(\d+)' bytes`)
	metadataMany = regexp.MustCompile(`has too many structured metadata labels: '\d+', limit: '(\d+)'`)
	wholeStream  = regexp.MustCompile(`error parsing labels|has \d+ label names; limit|has label name too long|has label value too long|has duplicate label name|missing required labels|at least one label pair is required`)

	// What stands in front of a text if there are several, or one several times.
	several = regexp.MustCompile(`^(\d+) errors like: `)

	ignored      = regexp.MustCompile(`entry with timestamp (\S+ \S+ \S+ \S+) ignored`)
	totalIgnored = regexp.MustCompile(`total ignored: (\d+) out of (\d+)`)
)

// oneOfShards is the label that Loki gives to the streams that it has made of a
// busy one (limits_config.shard_streams).
var oneOfShards = []byte("__stream_shard__=")

// quoted is a value in a label set.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// goTime is how [time.Time.String] prints a time.
const goTime = "2006-01-02 15:04:05.999999999 -0700 MST"

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
	if wholeStream.Match(text) { // first: it may be followed by a value without quotes
		return slices.Repeat([]fate{refused}, len(s.entries))
	}
	if m := totalIgnored.FindSubmatch(text); m != nil {
		return fromIngester(text, number(m[1]), number(m[2]), s.entries)
	}
	return fromDistributor(text, s.entries)
}

// fromIngester is for entries that are too old for their stream. Of a request
// that is sorted by time, these are the first that the ingester has got.
func fromIngester(text []byte, refusals, total int, entries []entry) []fate {
	if refusals < 1 || refusals > total || total > len(entries) {
		return nil
	}
	f := make([]fate, len(entries))
	if total < len(entries) {
		// It has not got the others: the distributor has refused them, and what it
		// says is lost, or has made several streams of one.
		for i := range f {
			f[i] = unknown
		}
	}
	if total == len(entries) || !bytes.Contains(text, oneOfShards) {
		// Whichever of the first ones it has not got were refused before.
		for i := range refusals {
			f[i] = refused
		}
	}
	named := make(map[int64]bool)
	for _, m := range ignored.FindAllSubmatch(text, -1) {
		if t, err := time.Parse(goTime, string(m[1])); err == nil {
			named[t.UnixNano()] = true
		}
	}
	for i, e := range entries {
		if named[e.at] {
			f[i] = refused
		}
	}
	if !slices.Contains(f, refused) {
		return nil
	}
	return f
}

// rules are the distributor's texts whose entries can be told by their sizes. A
// limit is the number that the text names.
var rules = []struct {
	text    *regexp.Regexp
	applies func(e *entry, limit int) bool
}{
	{tooLong, func(e *entry, limit int) bool { return len(e.line) > limit }},
	{noMetadata, func(e *entry, _ int) bool { return len(e.metadata) > 0 }},
	{metadataSize, func(e *entry, limit int) bool { return e.metadataSize() > limit }},
	{metadataMany, func(e *entry, limit int) bool { return len(e.metadata) > limit }},
}

// fromDistributor finds the entries that each text is about. If these are not as
// many as Loki has counted, or one of the texts is unknown, it is not what was
// understood.
func fromDistributor(text []byte, entries []entry) []fate {
	f := make([]fate, len(entries))
	counted, oldest, newest := 0, 0, 0
	for part := range bytes.SplitSeq(text, []byte("; ")) {
		n := 1
		if m := several.FindSubmatch(part); m != nil {
			n = number(m[1])
		}
		counted += n
		switch {
		case tooOld.Match(part):
			oldest += n
		case tooNew.Match(part):
			newest += n
		case !bySize(part, entries, f):
			return nil
		}
	}
	if oldest+newest > len(entries) {
		return nil
	}
	for i := range oldest {
		f[i] = refused
	}
	for i := range newest {
		f[len(f)-1-i] = refused
	}
	refusals := 0
	for _, fate := range f {
		if fate == refused {
			refusals++
		}
	}
	if refusals != counted {
		return nil
	}
	return f
}

// bySize marks the entries that a text is about, and reports whether it is one of
// the rules.
func bySize(text []byte, entries []entry, f []fate) bool {
	for _, rule := range rules {
		m := rule.text.FindSubmatch(text)
		if m == nil {
			continue
		}
		limit := 0
		if len(m) > 1 {
			limit = number(m[1])
		}
		for i := range entries {
			if rule.applies(&entries[i], limit) {
				f[i] = refused
			}
		}
		return true
	}
	return false
}

// number returns a decimal number, or 0. Those that are too large are of no use.
func number(digits []byte) int {
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0
	}
	return n
}
