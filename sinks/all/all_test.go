package all_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/compress"
	"github.com/fapilog/fapilog/internal/docs"
	"github.com/fapilog/fapilog/registry"
	_ "github.com/fapilog/fapilog/sinks/all"
)

const module = "github.com/fapilog/fapilog"

// Every package that registers something is imported.
func TestRegistersAll(t *testing.T) {
	t.Parallel()
	list := func(args ...string) []string {
		out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	imported := list("-f", `{{join .Imports "\n"}}`, module+"/sinks/all")
	for _, pkg := range list(module + "/sinks/...") {
		if pkg != module+"/sinks" && pkg != module+"/sinks/all" {
			require.Contains(t, imported, pkg)
		}
	}
	for _, name := range compress.Names() {
		_, err := compress.Lookup(name)
		require.NoError(t, err, "compress=%s", name)
	}
}

// A missing import is named for every scheme of ours.
func TestUnknownSchemesNameTheImport(t *testing.T) {
	t.Parallel()
	var empty registry.Registry
	for _, scheme := range registry.Schemes() {
		uri, err := registry.Parse(scheme + "://")
		require.NoError(t, err)
		_, err = empty.Open(t.Context(), uri)
		require.Error(t, err)
		m := regexp.MustCompile(`needs the import _ "([^"]+)"`).FindStringSubmatch(err.Error())
		require.NotNil(t, m, "%v", err)
		out, err := exec.Command("go", "list", m[1]).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// What the sections of docs/sinks.md have in common.
var subsections = []string{"URI", "Parameters", "What it creates", "Delivery", "Verdicts", "Limits", "Reading the logs back"}

// page is docs/sinks.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/sinks.md")
	require.NoError(t, err)
	return string(text)
}

// sections returns the sections of the sinks, by the schemes in their headings.
func sections(t *testing.T, page string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^## (`.*`)$").FindAllStringSubmatch(page, -1) {
		section, err := docs.Section(page, m[0])
		require.NoError(t, err)
		for scheme := range strings.SplitSeq(m[1], ", ") {
			found[strings.Trim(scheme, "`")] = section
		}
	}
	return found
}

// Every sink has a section, and every section says the same things in the same
// order.
func TestEverySinkIsDocumented(t *testing.T) {
	t.Parallel()
	all := sections(t, page(t))
	require.ElementsMatch(t, registry.Schemes(), keys(all))
	for scheme, section := range all {
		var headings []string
		for _, m := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(section, -1) {
			headings = append(headings, m[1])
		}
		require.Equal(t, subsections, headings, scheme)
		verdicts, err := docs.Table(section, "### Verdicts")
		require.NoError(t, err, scheme)
		for _, row := range verdicts {
			require.Regexp(t, `^(delivered|again|split|rejected|held)\b`, row[1], "%s: %s", scheme, row[0])
		}
	}
}

// The parameters on the page are those that the code accepts, with their
// defaults, and the examples work.
func TestDocumentedParameters(t *testing.T) {
	t.Parallel()
	for scheme, section := range sections(t, page(t)) {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			base, _, _ := strings.Cut(uris(t, scheme, section)[0], "?")
			accepted := parameters(t, base)
			rows, err := docs.Table(section, "### Parameters")
			require.NoError(t, err)
			documented := make(map[string]bool)
			for _, row := range rows {
				name, value, byDefault, example := row[0], row[1], row[2], row[4]
				i := slices.IndexFunc(accepted, func(p registry.Parameter) bool { return p.Name == name })
				require.GreaterOrEqual(t, i, 0, "%s is no parameter of %s", name, scheme)
				require.False(t, documented[name], "%s is there twice", name)
				documented[name] = true
				require.NoError(t, matches(accepted[i], value, byDefault), "parameter %s", name)
				require.Contains(t, "&"+example, "&"+name+"=", "example of %s", name)
				require.Empty(t, problems(t, base+"?"+example), "example of %s", name)
			}
			for _, p := range accepted {
				require.True(t, documented[p.Name], "parameter %s of %s is not on the page", p.Name, scheme)
			}
		})
	}
}

// The URIs on the page are accepted.
func TestDocumentedURIs(t *testing.T) {
	t.Parallel()
	for scheme, section := range sections(t, page(t)) {
		for _, text := range uris(t, scheme, section) {
			require.Empty(t, problems(t, text), text)
		}
	}
}

// uris returns the URIs of a scheme in its section.
func uris(t *testing.T, scheme, section string) (all []string) {
	t.Helper()
	part, err := docs.Section(section, "### URI")
	require.NoError(t, err)
	for line := range strings.Lines(part) {
		text, indented := strings.CutPrefix(line, "    ")
		text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
		if indented && strings.HasPrefix(text, scheme) && !strings.HasPrefix(text, scheme+"s:") {
			all = append(all, text)
		}
	}
	require.NotEmpty(t, all, "no URI of %s", scheme)
	return all
}

// The README's table has every scheme with its package and its guarantee.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	rows, err := docs.Table(string(text), "## Sinks")
	require.NoError(t, err)
	var schemes []string
	for _, row := range rows {
		for scheme := range strings.SplitSeq(row[0], ", ") {
			scheme = strings.Trim(scheme, "`")
			if !slices.Contains(registry.Schemes(), scheme) {
				continue // one's own, and handlers
			}
			schemes = append(schemes, scheme)
			if m := regexp.MustCompile(`\(sinks/(\w+)\)`).FindStringSubmatch(row[2]); m != nil {
				require.DirExists(t, "../"+m[1])
			} else {
				t.Errorf("%s: no package in %q", scheme, row[2])
			}
			require.NotEmpty(t, row[3], scheme)
		}
	}
	require.ElementsMatch(t, registry.Schemes(), schemes)
}

// nobody is the name of a parameter that no sink has: with it, a URI is checked
// and nothing is opened.
const nobody = "qqqqqqqqqqqq"

// try opens a URI up to the check of its parameters.
func try(t *testing.T, text string) (*registry.URI, error) {
	t.Helper()
	separator := "?"
	if strings.Contains(text, "?") {
		separator = "&"
	}
	uri, err := registry.Parse(text + separator + nobody + "=1")
	require.NoError(t, err, text)
	_, err = registry.Default().Open(context.Background(), uri)
	require.ErrorContains(t, err, nobody, "%s: the constructor does not check its parameters", text)
	return uri, err
}

// parameters returns what the sink of a URI asks for.
func parameters(t *testing.T, text string) []registry.Parameter {
	t.Helper()
	uri, _ := try(t, text)
	return uri.Parameters()
}

// problems returns what is wrong with the parameters of a URI, but for those
// that the fan-out takes, for files and variables that are not on this machine,
// and for those of https where the example is of http.
func problems(t *testing.T, text string) (found []string) {
	t.Helper()
	_, err := try(t, text)
	var all interface{ Unwrap() []error }
	require.ErrorAs(t, err, &all)
	elsewhere := regexp.MustCompile(`no such file or directory|cannot find the path|is not set|there is no TLS in (http|redis)`)
	for _, err := range all.Unwrap() {
		p, ok := errors.AsType[*registry.ParamError](err)
		if !ok || p.Name != nobody && p.Name != "level" && !elsewhere.MatchString(p.Reason) {
			found = append(found, err.Error())
		}
	}
	return found
}

// matches compares what the page says of a parameter with what the code says.
func matches(p registry.Parameter, value, byDefault string) error {
	words := map[registry.Kind]string{
		registry.KindText: "text", registry.KindBool: "truth", registry.KindInt: "number", registry.KindSize: "size",
		registry.KindDuration: "duration", registry.KindLevel: "level", registry.KindList: "list", registry.KindPairs: "pairs",
	}
	want := words[p.Kind]
	if p.Kind == registry.KindEnum {
		want = strings.Join(p.Words, "`, `")
	}
	// A text can be said to be more than that.
	if value != want && p.Kind != registry.KindText {
		return fmt.Errorf("value %q instead of %q", value, want)
	}
	got := byDefault
	var err error
	switch p.Kind {
	case registry.KindSize:
		if n, parseErr := registry.ParseSize(byDefault); parseErr == nil {
			got = fmt.Sprint(n)
		} else if byDefault == "none" {
			got = "0"
		}
	case registry.KindDuration:
		var d time.Duration
		if d, err = registry.ParseDuration(byDefault); err == nil {
			got = d.String()
		}
	}
	if got == "none" && p.Default == "" {
		return nil
	}
	if got != p.Default && !(got == "none" && p.Kind == registry.KindInt && p.Default == "0") {
		return fmt.Errorf("default %q instead of %q", byDefault, p.Default)
	}
	return nil
}

func keys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
