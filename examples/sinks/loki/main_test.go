package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

func TestExample(t *testing.T) {
	t.Parallel()
	l := testserver.StartLoki(t, testserver.LokiConfig{Own: true}) // with nobody else's errors
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), "loki://"+l.Address+"?labels=env=dev&label_keys=level", &out))
	require.Equal(t, "shop: payment refused: order 4711: card expired\n", out.String())
}
