package stdio_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/sinks/stdio"
	"github.com/fapilog/fapilog/slogtest"
)

// The output is redirected to a file.
func TestConformance(t *testing.T) {
	t.Parallel()
	for format, parse := range map[stdio.Format]func([]byte) ([]map[string]any, error){
		stdio.Auto: slogtest.ParseJSON,
		stdio.Text: slogtest.ParseText,
	} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
				f, err := os.Create(filepath.Join(t.TempDir(), "out"))
				require.NoError(t, err)
				sink, err := stdio.New(f, stdio.Options{Format: format})
				require.NoError(t, err)
				require.NoError(t, f.Close())
				return slogtest.Subject{Sink: sink, Records: func() ([]map[string]any, error) {
					text, err := os.ReadFile(f.Name())
					if err != nil {
						return nil, err
					}
					return parse(text)
				}}
			})
		})
	}
}

func TestURIConformance(t *testing.T) {
	t.Parallel()
	slogtest.TestURI(t, "stdout://?format=pretty&color=never", "format=xml", "color=red")
}
