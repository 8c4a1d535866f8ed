package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ours are the schemes of fapilog's own sinks and the packages that register
// them, so that a missing import can be named.
var ours = map[string]string{
	"stdout":              "github.com/fapilog/fapilog/sinks/stdio",
	"stderr":              "github.com/fapilog/fapilog/sinks/stdio",
	"file":                "github.com/fapilog/fapilog/sinks/file",
	"http":                "github.com/fapilog/fapilog/sinks/webhook",
	"https":               "github.com/fapilog/fapilog/sinks/webhook",
	"loki":                "github.com/fapilog/fapilog/sinks/loki",
	"loki+https":          "github.com/fapilog/fapilog/sinks/loki",
	"postgres":            "github.com/fapilog/fapilog/sinks/postgres",
	"postgresql":          "github.com/fapilog/fapilog/sinks/postgres",
	"elasticsearch":       "github.com/fapilog/fapilog/sinks/elasticsearch",
	"elasticsearch+https": "github.com/fapilog/fapilog/sinks/elasticsearch",
	"opensearch":          "github.com/fapilog/fapilog/sinks/elasticsearch",
	"opensearch+https":    "github.com/fapilog/fapilog/sinks/elasticsearch",
	"redis":               "github.com/fapilog/fapilog/sinks/redis",
	"rediss":              "github.com/fapilog/fapilog/sinks/redis",
	"slack":               "github.com/fapilog/fapilog/sinks/slack",
	"slack+http":          "github.com/fapilog/fapilog/sinks/slack",
}

// maxScheme keeps a token that stands where a scheme should from being taken
// for one, and so from being shown.
const maxScheme = 32

// checkScheme checks the syntax of a scheme in lower case: a letter, then
// letters, digits, '+', '-', '.' and '_'.
func checkScheme(scheme string) error {
	if scheme == "" || scheme[0] < 'a' || scheme[0] > 'z' || strings.ContainsFunc(scheme, notInScheme) {
		return errors.New("a scheme is a letter followed by letters, digits, '+', '-', '.' and '_'")
	}
	if len(scheme) > maxScheme {
		return fmt.Errorf("a scheme has at most %d characters", maxScheme)
	}
	return nil
}

func notInScheme(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '+' && r != '-' && r != '.' && r != '_'
}

// unknownScheme says what is wrong with a scheme that is none of registered,
// and what to do about it.
func unknownScheme(scheme string, registered []string) string {
	needs := func(scheme string) string {
		return fmt.Sprintf("%s needs the import _ %q", scheme, ours[scheme])
	}
	list := "none is registered"
	if len(registered) > 0 {
		list = "registered are " + strings.Join(registered, ", ")
	}
	if ours[scheme] != "" {
		return "unknown scheme: " + needs(scheme) + "; " + list
	}
	candidates := slices.Concat(registered, slices.Sorted(maps.Keys(ours)))
	best := nearest(scheme, candidates)
	switch {
	case best == "":
		return "unknown scheme: " + list
	case slices.Contains(registered, best):
		return "unknown scheme: did you mean " + best + "? " + list
	default:
		return "unknown scheme: did you mean " + best + "? " + needs(best) + "; " + list
	}
}
