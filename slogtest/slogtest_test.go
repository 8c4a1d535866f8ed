package slogtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
	"github.com/fapilog/fapilog/sinks/stdio"
	"github.com/fapilog/fapilog/slogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRecorder(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(*testing.T) slogtest.Subject {
		r := new(slogtest.Recorder)
		return slogtest.Subject{Sink: r, Records: r.Records}
	})
}

// The buffers below are read when all is delivered, so they need no lock.

func TestStdio(t *testing.T) {
	t.Parallel()
	for format, parse := range map[stdio.Format]func([]byte) ([]map[string]any, error){
		stdio.JSON: slogtest.ParseJSON,
		stdio.Text: slogtest.ParseText,
	} {
		t.Run(string(format), func(t *testing.T) {
			slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
				var out bytes.Buffer
				sink, err := stdio.New(&out, stdio.Options{Format: format})
				require.NoError(t, err)
				return slogtest.Subject{Sink: sink, Records: func() ([]map[string]any, error) { return parse(out.Bytes()) }}
			})
		})
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		path := filepath.Join(t.TempDir(), "app.log")
		sink, err := file.New(path, file.Options{})
		require.NoError(t, err)
		return slogtest.Subject{Sink: sink, Records: func() ([]map[string]any, error) {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			return slogtest.ParseJSON(text)
		}}
	})
}

func TestHandlersAsSinks(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]struct {
		handler func(io.Writer) slog.Handler
		parse   func([]byte) ([]map[string]any, error)
	}{
		"json": {func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }, slogtest.ParseJSON},
		"text": {func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }, slogtest.ParseText},
	} {
		t.Run(name, func(t *testing.T) {
			slogtest.TestSink(t, func(*testing.T) slogtest.Subject {
				var out bytes.Buffer
				return slogtest.Subject{
					Sink:    sinks.FromHandler(as.handler(&out)),
					Records: func() ([]map[string]any, error) { return as.parse(out.Bytes()) },
				}
			})
		})
	}
}

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

// A program's tests look at what it logs.
func ExampleRecorder() {
	var logged slogtest.Recorder
	out, err := fapilog.New(context.Background(), fapilog.Config{Targets: []fapilog.Target{{Sink: &logged}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, nil))
	log.Info("order received", "order", 4711)
	out.Close()

	records, err := logged.Records()
	fmt.Println(records[0]["msg"], records[0]["order"], logged.IDs()[0].Seq, err)
	// Output: order received 4711 1 <nil>
}
