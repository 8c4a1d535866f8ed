// Package docs_test keeps the documentation true: every Go snippet of the
// README and of docs/ compiles, every program among them runs, the commands
// that are shown exist, and so do the files that are linked to.
//
// A snippet that begins with "package main" is a program, and is run as it
// stands, in a module of its own that gets this library by a replace
// directive. Any other snippet is a fragment: declarations, or statements, or
// imports followed by one of the two. Fragments are type-checked; packages
// that they use without importing them are found by name, variables that they
// declare without using them are forgiven, and statements have a ctx.
//
// What a snippet needs and does not show stands in a comment directly above
// it, which no reader sees:
//
//	<!-- snippet: fragment -->               nothing, as it goes without saying
//	<!-- before: logger := slog.Default() -->  statements put before a fragment
//	<!-- env: FAPILOG_SINKS=stdout A=b -->   the environment of a program
//	<!-- build only: it never ends -->       a program that is not run
//	<!-- file: examples/spool/sink.go -->    the whole of a file, which has tests of its own
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the checkout, seen from the directory of the test.
const root = "../.."

func TestSnippets(t *testing.T) {
	t.Parallel()
	checker := newChecker(t)
	found := 0
	for _, page := range pages(t) {
		for _, b := range blocksOf(t, page) {
			if b.lang != "go" {
				continue
			}
			found++
			t.Run(b.name(), func(t *testing.T) {
				t.Parallel()
				require.NoError(t, checker.check(b))
			})
		}
	}
	require.NotZero(t, found, "no snippet was found")
}

// The tests above are worth nothing if they cannot fail.
func TestBrokenSnippetsFail(t *testing.T) {
	t.Parallel()
	checker := newChecker(t)
	for _, c := range []struct{ name, directive, code, wantErr string }{
		{"good statements", "", `out, err := fapilog.Open(context.Background(), "stdout://")`, ""},
		{"good declarations", "", "type T struct{ at time.Time }\n\nfunc (t T) String() string { return t.at.String() }", ""},
		{"imports, then statements", "", "import _ \"log/slog\"\n\nfmt.Println(\"a\")", ""},
		{"own package", "", "package mysink\n\nimport \"github.com/fapilog/fapilog/sinks\"\n\ntype Sink struct{ sinks.Sink }", ""},
		{"context", "snippet: fragment", `fapilog.Open(ctx)`, ""},
		{"own context", "", "ctx := context.Background()\nfapilog.Open(ctx)", ""},
		{"before", "before: logger := slog.Default()", `logger.Info("a")`, ""},
		{"missing before", "", `logger.Info("a")`, "page.md:4:1: undefined: logger"},
		{"no such function", "", `fapilog.Opne(context.Background())`, "Opne"},
		{"wrong type", "", `var out *fapilog.Fanout = 5`, "cannot use 5"},
		{"wrong number of results", "", `out := fapilog.Open(context.Background())`, "assignment mismatch"},
		{"no such package", "", `import _ "github.com/fapilog/fapilog/sinks/nosuch"`, "nosuch"},
		{"syntax", "", `if err != nil {`, "expected '}'"},
		{"good program", "", "package main\n\nimport _ \"github.com/fapilog/fapilog\"\n\nfunc main() {}", ""},
		{"environment", "env: A=b", "package main\n\nimport \"os\"\n\nfunc main() { if os.Getenv(\"A\") != \"b\" { os.Exit(3) } }", ""},
		{"failing program", "", "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(3) }", "exit status 3"},
		{"failing program, not run", "build only: because", "package main\n\nimport \"os\"\n\nfunc main() { os.Exit(3) }", ""},
		{"program that does not build", "build only: because", "package main\n\nfunc main() { x := 1 }", "declared and not used"},
		{"file", "file: LICENSE", firstLine(t, "../../LICENSE"), "is not what LICENSE has"},
		{"no such file", "file: nosuch.go", "x", "no such file"},
		{"misspelt directive", "befor: x", "x := 1", "befor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			page := "# Page\n\n```go\n" + c.code + "\n```\n"
			if c.directive != "" {
				page = "# Page\n\n<!-- " + c.directive + " -->\n```go\n" + c.code + "\n```\n"
			}
			bs, err := blocks("page.md", page)
			if err == nil {
				require.Len(t, bs, 1)
				err = checker.check(bs[0])
			}
			if c.wantErr == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.wantErr)
			}
		})
	}
}

func firstLine(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// The commands that the pages show, as far as they are ours: targets of make
// and programs of this repository.
func TestCommandsExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	shown := map[string][]string{} // by page
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		shown[page] = commands(string(text))
		for _, c := range shown[page] {
			if target, ok := strings.CutPrefix(c, "make "); ok {
				require.Regexp(t, `(?m)^`+regexp.QuoteMeta(target)+`:`, string(makefile), "%s: %s", page, c)
			} else {
				dir := strings.TrimPrefix(c, "go run ")
				require.FileExists(t, filepath.Join(root, dir, "main.go"), "%s: %s", page, c)
			}
		}
	}
	for _, c := range []string{"go run ./examples/quickstart", "make test"} {
		require.Contains(t, shown[filepath.Join(root, "README.md")], c)
	}
}

func TestCommandsAreFound(t *testing.T) {
	t.Parallel()
	page := "Then\nmake no mistake\n\n    make a X=1 # b\n\n```sh\n$ go run ./c -d\ncd e && make f\n```\n```go\n    make g\n```\n"
	require.Equal(t, []string{"make a", "go run ./c", "make f"}, commands(page))
}

var command = regexp.MustCompile(`^(?:.* && |\$ )?(make [a-z-]+|go run \./\S+)`)

// commands returns the commands of the page's shell blocks, fenced or
// indented, without arguments.
func commands(page string) []string {
	var found []string
	lang, fenced := "", false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			lang = strings.TrimSpace(strings.Trim(line, "`\n"))
			continue
		}
		if fenced && lang != "sh" || !fenced && !strings.HasPrefix(line, "    ") {
			continue
		}
		if m := command.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			found = append(found, m[1])
		}
	}
	return found
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)

func TestLinks(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1])))
			require.NoError(t, err, "%s: broken link", page)
		}
	}
}

// pages returns the documentation: every Markdown file of the checkout.
func pages(t *testing.T) []string {
	t.Helper()
	var pages []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && (base == ".git" || base == "testdata") {
			return fs.SkipDir
		}
		if filepath.Ext(name) == ".md" {
			pages = append(pages, name)
		}
		return nil
	})
	require.NoError(t, err)
	require.Contains(t, pages, filepath.Join(root, "README.md"))
	return pages
}

// A block is a fenced code block.
type block struct {
	page      string
	line      int // of the first line of code
	lang      string
	code      string
	directive string // one of directives, or ""
	argument  string
}

func (b block) name() string { return fmt.Sprintf("%s:%d", filepath.Base(b.page), b.line) }

var (
	comment    = regexp.MustCompile(`^\s*<!--\s*(.*?)\s*-->\s*$`)
	directives = []string{"snippet", "before", "env", "build only", "file"}
)

func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	bs, err := blocks(page, string(text))
	require.NoError(t, err)
	return bs
}

// blocks returns the fenced blocks of a page. A comment directly above one of
// Go is a directive, and an error if it is not one.
func blocks(page, text string) ([]block, error) {
	var (
		bs    []block
		above string // the line before the fence
		open  bool
		fence string
	)
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case open && trimmed == fence:
			open = false
		case open:
			b := &bs[len(bs)-1]
			b.code += line + "\n"
		case strings.HasPrefix(trimmed, "```"):
			lang := strings.TrimLeft(trimmed, "`")
			open, fence = true, trimmed[:len(trimmed)-len(lang)]
			b := block{page: page, line: i + 2, lang: lang}
			if m := comment.FindStringSubmatch(above); m != nil && lang == "go" {
				name, argument, _ := strings.Cut(m[1], ":")
				if !slices.Contains(directives, name) {
					return nil, fmt.Errorf("%s: unknown directive %q", b.name(), m[1])
				}
				b.directive, b.argument = name, strings.TrimSpace(argument)
			}
			bs = append(bs, b)
		}
		above = line
	}
	if open {
		return nil, fmt.Errorf("%s: the last block is not closed", page)
	}
	return bs, nil
}

// goCommand returns the output of the go command, run in dir.
func goCommand(dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return out, nil
}
