package loki

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fapilog/fapilog/sinks"
)

// Limits of a Loki that is configured as it comes (pkg/validation/limits.go):
// what is beyond them is refused, with all records of the stream.
const (
	maxLabels     = 15   // max_label_names_per_series, which does not count service_name
	maxLabelName  = 1024 // max_label_name_length
	maxLabelValue = 2048 // max_label_value_length

	// 64 KiB and 128 entries are allowed for a record
	// (max_structured_metadata_size, max_structured_metadata_entries_count).
	// With these, no record has more.
	maxMetadata      = 24
	maxMetadataName  = 512
	maxMetadataValue = 2048
)

// A pair is a label, or an entry of the structured metadata.
type pair struct{ name, value string }

// isName reports whether s can be the name of a label. Loki reads label sets as
// Prometheus did before it allowed UTF-8 in names.
func isName(s string) bool {
	return s != "" && (s[0] < '0' || s[0] > '9') && !strings.ContainsFunc(s, notInName)
}

func notInName(r rune) bool {
	return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// nameOf makes the name of a label of the key of an attribute, as Loki does for
// structured metadata, and Prometheus for OpenTelemetry: what names cannot have
// becomes an underscore, of which there is one at a time.
func nameOf(key string) string {
	var b strings.Builder
	for i, r := range key {
		switch {
		case i == 0 && r >= '0' && r <= '9':
			b.WriteString("key_")
		case r != '_' && notInName(r):
			r = '_'
		}
		if r != '_' || !strings.HasSuffix(b.String(), "_") {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func checkName(name string) error {
	switch {
	case !isName(name):
		return errors.New("a name is no label: it has letters of ASCII, digits and underscores, and begins with no digit")
	case strings.HasPrefix(name, "__"):
		return errors.New("a name begins with two underscores, as Loki's own do")
	case len(name) > maxLabelName:
		return fmt.Errorf("a name has more than %d characters", maxLabelName)
	}
	return nil
}

// A source is where a label or an entry of the metadata gets its value from.
type source struct{ name, key string }

// sources makes names of the keys of attributes.
func sources(keys []string, most, longest int) ([]source, error) {
	list := make([]source, 0, len(keys))
	for _, key := range keys {
		s := source{nameOf(key), key}
		switch {
		case key == "":
			return nil, errors.New("a key is empty")
		case len(s.name) > longest:
			return nil, fmt.Errorf("a key has more than %d characters", longest)
		case s.name == "_": // Loki would fail for all records of the request
			return nil, errors.New("a key has neither letters nor digits")
		case slices.ContainsFunc(list, func(other source) bool { return other.name == s.name }):
			return nil, errors.New("two keys are the same, or become the same name")
		}
		list = append(list, s)
	}
	if len(list) > most {
		return nil, fmt.Errorf("there are more than %d keys", most)
	}
	return list, nil
}

// replacement is what stands for invalid UTF-8. Loki's parser takes the usual
// U+FFFD for invalid UTF-8 in a label set, which it refuses, and makes it a blank
// in structured metadata.
const replacement = "?"

// value returns what a record has under a key, fit to be sent: in UTF-8, and not
// too long. It is "" where there is nothing.
func value(e sinks.Event, key string, longest int) string {
	if v, ok := e.Lookup(key); ok {
		return clean(v.String(), longest)
	}
	return ""
}

// clean makes valid UTF-8 of at most longest bytes, without U+FFFD.
func clean(s string, longest int) string {
	if strings.ContainsRune(s, utf8.RuneError) { // also true of invalid UTF-8
		s = strings.ReplaceAll(strings.ToValidUTF8(s, replacement), "\uFFFD", replacement)
	}
	if len(s) <= longest {
		return s
	}
	for longest > 0 && !utf8.RuneStart(s[longest]) {
		longest--
	}
	return s[:longest]
}

// levelOf returns one of four words: as a label, a level must not have many
// values.
func levelOf(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	default:
		return "error"
	}
}

// appendLabels appends a label set as Loki prints it, which is sorted by names:
//
//	{app="shop", level="info"}
func appendLabels(p []byte, labels []pair) []byte {
	p = append(p, '{')
	for i, l := range labels {
		if i > 0 {
			p = append(p, ", "...)
		}
		p = append(append(p, l.name...), '=')
		p = strconv.AppendQuote(p, l.value)
	}
	return append(p, '}')
}

// A labeler finds the stream that a record belongs to.
type labeler struct {
	fixed   []pair   // labels
	keys    []source // label_keys
	service string   // name of the label for the service, or ""

	labels []pair // of the record
	last   []pair // of the record before it, if it is of the same batch
	text   []byte // of these
}

// reset forgets what belongs to the batch.
func (l *labeler) reset() {
	clear(l.labels)
	clear(l.last)
	l.last = l.last[:0]
}

// serviceName is the label that Loki and Grafana know a service by.
const serviceName = "service_name"

// unknownService is what Loki calls a service without labels that name it
// (pkg/loghttp/push, ServiceUnknown). There has to be a label.
const unknownService = "unknown_service"

// levelKey is the key that stands for the level of a record itself.
const levelKey = slog.LevelKey

// of returns the label set of a record's stream, which is valid until the next
// call.
func (l *labeler) of(e sinks.Event) []byte {
	l.labels = append(l.labels[:0], l.fixed...)
	for _, s := range l.keys {
		v := ""
		if s.key == levelKey {
			v = levelOf(e.Level())
		} else {
			v = value(e, s.key, maxLabelValue)
		}
		if v != "" { // an empty label is none
			l.labels = append(l.labels, pair{s.name, v})
		}
	}
	if l.service != "" {
		if v := clean(e.Service(), maxLabelValue); v != "" {
			l.labels = append(l.labels, pair{l.service, v})
		}
	}
	if len(l.labels) == 0 {
		l.labels = append(l.labels, pair{serviceName, unknownService})
	}
	if slices.Equal(l.labels, l.last) { // as it mostly is
		return l.text
	}
	l.last = append(l.last[:0], l.labels...)
	slices.SortFunc(l.labels, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	l.text = appendLabels(l.text[:0], l.labels)
	return l.text
}

// most returns how many labels a stream may have that count for Loki.
func (l *labeler) most() int {
	n := len(l.fixed) + len(l.keys)
	for _, f := range l.fixed {
		if f.name == serviceName {
			n--
		}
	}
	if l.service != "" && l.service != serviceName {
		n++
	}
	return n
}
