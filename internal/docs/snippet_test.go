package docs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	module       = "github.com/fapilog/fapilog"
	programLimit = time.Minute
)

// A checker compiles snippets.
type checker struct {
	tempDir func() string
	root    string            // the checkout, absolute
	byName  map[string]string // the path of the package that a name stands for

	mu      sync.Mutex
	exports map[string]string // by path: the file with the package's exported symbols
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	abs, err := filepath.Abs(root)
	require.NoError(t, err)
	c := &checker{
		tempDir: t.TempDir,
		root:    abs,
		byName:  map[string]string{},
		exports: map[string]string{},
	}
	out, err := goCommand(root, nil, "list", "std", "./...")
	require.NoError(t, err)
	for _, p := range strings.Fields(string(out)) {
		ours := p == module || strings.HasPrefix(p, module+"/")
		if strings.Contains(p, "internal/") || strings.HasPrefix(p, "vendor/") || ours && strings.Contains(p, "/examples/") {
			continue
		}
		// The standard library comes first, and shorter paths before longer.
		if name := path.Base(p); c.byName[name] == "" {
			c.byName[name] = p
		}
	}
	c.byName["rand"], c.byName["template"] = "math/rand/v2", "text/template"
	return c
}

// check returns what is wrong with a snippet.
func (c *checker) check(b block) error {
	if b.directive == "file" {
		return c.sameAsFile(b)
	}
	if strings.HasPrefix(firstCode(b.code), "package main") {
		return c.runProgram(b)
	}
	return c.typeCheck(b)
}

// sameAsFile compares a snippet with the file that it shows.
func (c *checker) sameAsFile(b block) error {
	text, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(b.argument)))
	if err == nil && strings.TrimSpace(string(text)) != strings.TrimSpace(b.code) {
		err = fmt.Errorf("%s: the snippet is not what %s has", b.name(), b.argument)
	}
	return err
}

// firstCode returns the code from the first line on that is no comment.
func firstCode(code string) string {
	for strings.HasPrefix(code, "//") || strings.HasPrefix(code, "\n") {
		_, code, _ = strings.Cut(code, "\n")
	}
	return code
}

// runProgram builds a program in a module of its own and runs it.
func (c *checker) runProgram(b block) error {
	dir := c.tempDir()
	gomod, err := os.ReadFile(filepath.Join(c.root, "go.mod"))
	if err != nil {
		return err
	}
	// What the library requires, so that nothing has to be looked up.
	gomod = bytes.Replace(gomod, []byte("module "+module+"\n"), []byte("module snippet\n"), 1)
	gomod = fmt.Appendf(gomod, "\nrequire %s v0.0.0\n\nreplace %[1]s => %s\n", module, c.root)
	gosum, err := os.ReadFile(filepath.Join(c.root, "go.sum"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for name, content := range map[string][]byte{"go.mod": gomod, "go.sum": gosum, "main.go": []byte(b.code)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	if _, err := goCommand(dir, []string{"GOFLAGS=-mod=mod", "GOWORK=off"}, "build", "-o", "snippet.exe", "."); err != nil {
		return fmt.Errorf("%s: %w", b.name(), err)
	}
	if b.directive == "build only" {
		return nil
	}

	ctx, cancel := context.WithTimeout(context.Background(), programLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "snippet.exe"))
	cmd.Dir = dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FAPILOG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if b.directive == "env" {
		cmd.Env = append(cmd.Env, strings.Fields(b.argument)...)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: the program printed:\n%s", b.name(), err, out)
	}
	return nil
}

// typeCheck compiles a fragment, as far as the type checker goes.
func (c *checker) typeCheck(b block) error {
	fset := token.NewFileSet()
	file, err := parseFragment(fset, b)
	if err != nil {
		return fmt.Errorf("%s: %w", b.name(), err)
	}
	c.addImports(file)

	var paths []string
	for _, s := range file.Imports {
		paths = append(paths, strings.Trim(s.Path.Value, `"`))
	}
	if err := c.load(paths); err != nil {
		return fmt.Errorf("%s: %w", b.name(), err)
	}
	var errs []error
	conf := types.Config{
		Importer: importer.ForCompiler(fset, "gc", c.open),
		Error: func(err error) {
			if err := err.(types.Error); !err.Soft { // soft: declared and not used
				errs = append(errs, err)
			}
		},
	}
	conf.Check("snippet", fset, []*ast.File{file}, nil) // its error is the first of errs
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", b.name(), err)
	}
	return nil
}

// parseFragment makes a file of a fragment: what follows its imports is tried
// as declarations, then as statements.
func parseFragment(fset *token.FileSet, b block) (*ast.File, error) {
	code := firstCode(b.code)
	line := b.line + strings.Count(b.code[:len(b.code)-len(code)], "\n")
	at := func(line int) string { return fmt.Sprintf("\n//line %s:%d:1\n", filepath.Base(b.page), line) }
	head := "package snippet" + at(line)
	if strings.HasPrefix(code, "package ") {
		head = at(line)
	}
	if file, err := parser.ParseFile(fset, "", head+code, 0); err == nil {
		return file, nil
	}

	imports := 0 // length of the import declarations
	if file, err := parser.ParseFile(token.NewFileSet(), "", head+code, parser.ImportsOnly); err == nil && len(file.Decls) > 0 {
		imports = int(file.Decls[len(file.Decls)-1].End()) - 1 - len(head)
	}
	before := ""
	if b.directive == "before" {
		before = b.argument
	}
	body := at(line+strings.Count(code[:imports], "\n")) + code[imports:]
	return parser.ParseFile(fset, "", head+code[:imports]+"\nfunc _(ctx context.Context) error { { "+before+body+"\n}; return nil }\n", 0)
}

// addImports adds what file uses and does not import.
func (c *checker) addImports(file *ast.File) {
	imported := map[string]bool{}
	for _, s := range file.Imports {
		name := path.Base(strings.Trim(s.Path.Value, `"`))
		if s.Name != nil {
			name = s.Name.Name
		}
		imported[name] = true
	}
	var specs []ast.Spec
	for _, unresolved := range file.Unresolved {
		p := c.byName[unresolved.Name]
		if p == "" || imported[unresolved.Name] || !usedAsPackage(file, unresolved) {
			continue
		}
		imported[unresolved.Name] = true
		s := &ast.ImportSpec{Path: &ast.BasicLit{Kind: token.STRING, Value: `"` + p + `"`}}
		specs = append(specs, s)
		file.Imports = append(file.Imports, s)
	}
	if specs != nil {
		file.Decls = append([]ast.Decl{&ast.GenDecl{Tok: token.IMPORT, Lparen: 1, Specs: specs}}, file.Decls...)
	}
}

// usedAsPackage says whether id is the x of an x.Y.
func usedAsPackage(file *ast.File, id *ast.Ident) bool {
	used := false
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.X == ast.Expr(id) {
			used = true
		}
		return !used
	})
	return used
}

// load compiles packages and what they depend on, and notes where their
// exported symbols are.
func (c *checker) load(paths []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	paths = slices.DeleteFunc(paths, func(p string) bool { return c.exports[p] != "" || p == "unsafe" })
	if len(paths) == 0 {
		return nil
	}
	args := append([]string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}} {{.Export}}{{end}}"}, paths...)
	out, err := goCommand(c.root, nil, args...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		p, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.exports[p] = file
	}
	return nil
}

func (c *checker) open(path string) (io.ReadCloser, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return os.Open(c.exports[path])
}
