package zstd_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/compress"
	_ "github.com/fapilog/fapilog/zstd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFormats(t *testing.T) {
	t.Parallel()
	readers := map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) {
			return zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		},
	}
	for _, name := range compress.Names()[1:] {
		f, err := compress.Lookup(name)
		require.NoError(t, err)
		require.Contains(t, compress.Extensions(), f.Extension)
		w := f.New()
		for _, text := range []string{"", "once", strings.Repeat("again and again\n", 1<<16)} {
			var packed bytes.Buffer
			w.Reset(&packed)
			_, err := io.WriteString(w, text)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			if len(text) > 1<<10 {
				require.Less(t, packed.Len(), len(text)/30)
			}
			r, err := readers[name](&packed)
			require.NoError(t, err, name)
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, text, string(got), name)
		}
	}
	for _, name := range []string{"", "none"} {
		f, err := compress.Lookup(name)
		require.NoError(t, err)
		require.Nil(t, f)
	}
	_, err := compress.Lookup("lzma")
	require.EqualError(t, err, "not one of none, gzip, zstd")
	require.Panics(t, func() { compress.Register(compress.Format{Name: "gzip"}) })
}
