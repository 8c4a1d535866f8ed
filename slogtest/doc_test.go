package slogtest_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/slogtest"
)

// The package comment has every rule, by the words that failures have.
func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	doc := strings.Join(strings.Fields(f.Doc.Text()), " ")
	names, sentences := slogtest.Rules()
	at := 0
	for i, name := range names {
		item := "- " + name + ": " + sentences[i] + "."
		found := strings.Index(doc[at:], item)
		require.GreaterOrEqual(t, found, 0, "the package comment has no %q, or not in this place", item)
		at += found
	}
}
