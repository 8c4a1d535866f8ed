package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

func TestRun(t *testing.T) {
	p := testserver.StartPostgres(t)
	user := p.User("app")
	var text strings.Builder
	require.NoError(t, run(t.Context(), p.URI(user, ""), &text))
	require.Equal(t, "shop: payment refused: order 4711, card expired\n", text.String())

	p.Exec("ALTER ROLE " + user + " PASSWORD 'another'")
	err := run(t.Context(), p.URI(user, ""), &text)
	require.ErrorContains(t, err, "check user and password")
	require.NotContains(t, err.Error(), p.Password)
}
