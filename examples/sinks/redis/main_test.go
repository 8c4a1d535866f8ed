package main

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

func TestRun(t *testing.T) {
	uri := "redis://" + testserver.RedisAddress(t) + "?stream=example-" + rand.Text()
	var out strings.Builder
	require.NoError(t, run(t.Context(), uri, &out))
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 3)
	require.Regexp(t, `^shop INFO \{.*"msg":"order received","order":4711\}$`, lines[0])
	require.Regexp(t, `^shop ERROR \{.*"msg":"payment refused","order":4711,"reason":"card expired"\}$`, lines[1])
}
