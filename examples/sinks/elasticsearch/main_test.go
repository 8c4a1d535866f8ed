package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main{M: m}.Run() }

func TestExample(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *testserver.Elasticsearch{
		"elasticsearch": testserver.SharedElasticsearch,
		"opensearch":    testserver.SharedOpenSearch,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t)
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), name+"://"+e.Address+"/"+e.Index(), &out))
			require.Equal(t, "shop: payment refused: order 4711: card expired\n", out.String())
		})
	}
}
