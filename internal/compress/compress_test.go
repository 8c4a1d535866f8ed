package compress_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/compress"
)

func TestZstdHasToBeImported(t *testing.T) {
	t.Parallel()
	_, err := compress.Lookup("zstd")
	require.EqualError(t, err, `zstd needs the import _ "github.com/fapilog/fapilog/zstd"`)
}
