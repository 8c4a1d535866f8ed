package fapilog_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests in this file are the rules that no compiler checks. A rule that
// stands in the way is changed here, where the change is seen.

const module = "github.com/fapilog/fapilog"

// allowedModules may be imported by the root package and by what it imports.
var allowedModules = []string{"golang.org/x/", "github.com/lmittmann/tint"}

// mayImport lists, for packages of ours that stand low in the order of
// imports, which other packages of ours they may depend on. A name that ends
// in "/" stands for everything below it.
var mayImport = map[string][]string{
	"sinks":    {"internal/event", "internal/frame", "internal/panics", "internal/verdict", "internal/warn"},
	"registry": {"sinks", "internal/"},
}

// sleepAllowed are the test files that may call time.Sleep outside of a
// synctest bubble, each with the reason.
var sleepAllowed = map[string]string{
	"open_test.go":     "a probe that hangs, called in a bubble",
	"property_test.go": "a sink that is slow; nothing waits for it",
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"linux", "windows"} {
		for _, p := range listPackages(t, goos) {
			ours := ourPackages(p.Deps)
			forTests := p.ImportPath == module+"/internal/sinktest"
			require.Equal(t, forTests, slices.Contains(append(p.Deps, p.ImportPath), module+"/internal/sinktest"), "%s must not depend on a package for tests", p.ImportPath)
			if !forTests && (strings.HasPrefix(p.ImportPath, module+"/sinks") || strings.HasPrefix(p.ImportPath, module+"/internal")) {
				require.NotContains(t, p.Deps, module, "%s must not depend on the root package", p.ImportPath)
			}
			if allowed, ok := mayImport[strings.TrimPrefix(p.ImportPath, module+"/")]; ok {
				for _, dep := range ours {
					require.True(t, matches(dep, allowed), "%s must not depend on %s", p.ImportPath, dep)
				}
			}
			if p.ImportPath == module {
				for _, dep := range p.Deps {
					first, _, _ := strings.Cut(dep, "/")
					standard := !strings.Contains(first, ".")
					require.True(t, standard || dep == module || strings.HasPrefix(dep, module+"/") || slices.ContainsFunc(allowedModules,
						func(prefix string) bool { return dep == prefix || strings.HasPrefix(dep, prefix) }),
						"the root package depends on %s", dep)
				}
				for _, dep := range ours {
					require.False(t, strings.HasPrefix(dep, "examples/") || dep == "slogtest", "the root package depends on %s", dep)
				}
			}
		}
	}
}

// Each package says what it is for, where godoc finds it: directly before the
// package clause. A sink's says more.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	docs := map[string]string{} // by directory
	registers := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.isTest {
			continue
		}
		docs[f.dir] += f.ast.Doc.Text()
		registers[f.dir] = registers[f.dir] || f.imports(module+"/registry")
	}
	for dir, doc := range docs {
		require.NotEmpty(t, doc, "%s: no package comment directly before the package clause", dir)
		if strings.HasPrefix(dir, "sinks/") && registers[dir] && dir != "sinks/all" {
			for _, section := range []string{"# URI", "# Delivery", "# Errors"} {
				require.Contains(t, doc, section, "%s: the package comment has no section %s", dir, section)
			}
		}
	}
}

// Tests wait for what they wait for, or for the clock of a synctest bubble.
func TestNoSleepInTests(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if !f.isTest || sleepAllowed[f.path] != "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isSelector(call.Fun, "synctest", "Test") {
				return false
			}
			if n, ok := n.(*ast.SelectorExpr); ok && isSelector(n, "time", "Sleep") {
				t.Errorf("%s: time.Sleep; wait for an event, or use synctest, or add the file to sleepAllowed", f.at(n))
			}
			return true
		})
	}
}

// The library logs nowhere but to its own fallback output: a program's default
// logger may lead back into it.
func TestLibraryDoesNotLog(t *testing.T) {
	t.Parallel()
	loggers := []string{
		"Default", "SetDefault", "With",
		"Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs",
	}
	for _, f := range goFiles(t) {
		if f.isTest || !f.isLibrary() {
			continue
		}
		require.False(t, f.imports("log"), "%s imports log", f.path)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if n, ok := n.(*ast.SelectorExpr); ok && slices.Contains(loggers, n.Sel.Name) && isSelector(n, "slog", n.Sel.Name) {
				t.Errorf("%s: slog.%s", f.at(n), n.Sel.Name)
			}
			return true
		})
	}
}

// What is left to do is an issue, not a comment.
func TestNoLeftovers(t *testing.T) {
	t.Parallel()
	marks := []string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "H" + "ACK"}
	eachFile(t, func(name string) {
		switch path.Ext(name) {
		case ".go", ".md", ".yml", ".sh", "":
		default:
			return
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for i, line := range strings.Split(string(text), "\n") {
			for _, word := range strings.FieldsFunc(line, func(r rune) bool { return !('A' <= r && r <= 'Z') }) {
				if slices.Contains(marks, word) {
					t.Errorf("%s:%d: %s", name, i+1, word)
				}
			}
		}
	})
}

// A fuzz test behind a build constraint, or in a directory that ./... leaves
// out, would never run.
func TestFuzzTestsAreFound(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, p := range listPackages(t, "linux") {
		dir, err := filepath.Rel(rootDir(t), p.Dir)
		require.NoError(t, err)
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			listed = append(listed, path.Join(filepath.ToSlash(dir), name))
		}
	}
	for _, f := range goFiles(t) {
		if !f.isTest || strings.HasPrefix(f.path, "benchmarks/") {
			continue
		}
		for _, d := range f.ast.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil && strings.HasPrefix(d.Name.Name, "Fuzz") {
				require.Contains(t, listed, f.path, "%s never runs", d.Name.Name)
			}
		}
	}
}

func TestLicence(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("LICENSE")
	require.NoError(t, err)
	require.Contains(t, string(text), "MIT License")
}

// All modules are for the same version of Go, but for that of a test server,
// which is somebody else's.
func TestGoDirectives(t *testing.T) {
	t.Parallel()
	versions := map[string][]string{}
	eachFile(t, func(name string) {
		if path.Base(name) != "go.mod" || name == "internal/testserver/loki/go.mod" {
			return
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if version, ok := strings.CutPrefix(line, "go "); ok {
				versions[strings.TrimSpace(version)] = append(versions[strings.TrimSpace(version)], name)
			}
		}
	})
	require.Len(t, versions, 1)
}

// What the tests above have in common.

type listedPackage struct {
	ImportPath   string
	Dir          string
	Deps         []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// listPackages returns the packages of this module, as they are for goos.
func listPackages(t *testing.T, goos string) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Deps,TestGoFiles,XTestGoFiles", "./...")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	require.NoError(t, err, "go list: %s", &errOut)
	var ps []listedPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p listedPackage
		require.NoError(t, dec.Decode(&p))
		ps = append(ps, p)
	}
	require.NotEmpty(t, ps)
	return ps
}

// ourPackages returns the paths of ours among deps, relative to the module.
func ourPackages(deps []string) []string {
	var ours []string
	for _, dep := range deps {
		if rel, ok := strings.CutPrefix(dep, module+"/"); ok {
			ours = append(ours, rel)
		}
	}
	return ours
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return name == p || strings.HasSuffix(p, "/") && strings.HasPrefix(name, p)
	})
}

type goFile struct {
	path, dir string // with slashes, relative to the root of the repository
	isTest    bool
	ast       *ast.File
	fset      *token.FileSet
}

func (f goFile) at(n ast.Node) token.Position { return f.fset.Position(n.Pos()) }

// isLibrary says whether the file ends up in other people's programs.
func (f goFile) isLibrary() bool {
	return !matches(f.dir+"/", []string{"examples/", "benchmarks/", "tools/", "cmd/"})
}

func (f goFile) imports(importPath string) bool {
	return slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool {
		return s.Path.Value == strconv.Quote(importPath)
	})
}

// isSelector says whether e is pkg.name, as far as can be told without types.
func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// goFiles parses every Go file of the repository, nested modules included.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	fset := token.NewFileSet()
	eachFile(t, func(name string) {
		if path.Ext(name) != ".go" {
			return
		}
		parsed, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, goFile{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), parsed, fset})
	})
	require.NotEmpty(t, files)
	return files
}

// eachFile calls f with every file of the repository, but for what tools keep
// in hidden directories and what tests keep in testdata.
func eachFile(t *testing.T, f func(name string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch base := filepath.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && (base == ".git" || base == "testdata"):
			return fs.SkipDir
		case d.Type().IsRegular():
			f(filepath.ToSlash(name))
		}
		return nil
	})
	require.NoError(t, err)
}

func rootDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	return dir
}
