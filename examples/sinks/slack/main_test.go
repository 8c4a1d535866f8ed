package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

func TestExample(t *testing.T) {
	t.Parallel()
	s := testserver.StartSlack(t, time.Second)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), strings.Replace(s.URL, "http", "slack+http", 1), &out))
	require.Equal(t, "101 errors are in the channel\n", out.String())

	require.Len(t, s.Messages(), 1)
	m := s.Messages()[0]
	require.Equal(t, "shop: ERROR: payment refused (100 times) and 1 other record", m.Text)
	require.Equal(t, "ERROR: 101 records of shop", m.Blocks[0].Text.Text)
	require.Equal(t, "ERROR: payment refused", m.Blocks[1].Text.Text)
	require.Equal(t, "order: 4711", m.Blocks[1].Fields[0].Text)
	require.Equal(t, "100 times", m.Blocks[2].Elements[0].Text)
	require.Equal(t, "smtp.code: 451", m.Blocks[3].Fields[1].Text)
}
