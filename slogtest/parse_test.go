package slogtest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/slogtest"
)

func TestParseText(t *testing.T) {
	t.Parallel()
	records, err := slogtest.ParseText([]byte("msg=x \"g.a b\"=\"c=d \\\"\" g.h.i=\"\" \"\"=\n\n"))
	require.NoError(t, err)
	require.Equal(t, []map[string]any{
		{"msg": "x", "g": map[string]any{"a b": `c=d "`, "h": map[string]any{"i": ""}}, "": ""},
		{},
	}, records)
	for _, malformed := range []string{"a=b", "a\n", "\"a=b\n", "a=\"b\n"} {
		_, err := slogtest.ParseText([]byte(malformed))
		require.Error(t, err, malformed)
	}
	_, err = slogtest.ParseJSON([]byte("{}\n{"))
	require.ErrorContains(t, err, "torn line")
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	records, err := slogtest.ParseJSON([]byte("{\"n\":9223372036854775807,\"g\":{\"f\":0.1}}\n{}\n"))
	require.NoError(t, err)
	require.Equal(t, []map[string]any{
		{"n": json.Number("9223372036854775807"), "g": map[string]any{"f": json.Number("0.1")}},
		{},
	}, records)
	for _, malformed := range []string{"{}\n{", "{}", "{}{}\n", "[]\n", "\n", "{\n}\n", "{} x\n"} {
		_, err := slogtest.ParseJSON([]byte(malformed))
		require.Error(t, err, malformed)
	}
}
