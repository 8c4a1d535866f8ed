package frame_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/frame"
)

// TestSameAsSlog compares generated log calls with slog.JSONHandler.
func TestSameAsSlog(t *testing.T) {
	t.Parallel()
	const calls = 40_000
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 0))
			for range calls / 4 {
				checkSameAsSlog(t, dice(rng.IntN).logCall())
			}
		})
	}
}

// FuzzSameAsSlog lets the fuzzer make the generator's decisions.
func FuzzSameAsSlog(f *testing.F) {
	for seed := range uint64(16) {
		rng := rand.NewChaCha8([32]byte{byte(seed)})
		decisions := make([]byte, 200)
		_, _ = rng.Read(decisions)
		f.Add(decisions)
	}
	f.Fuzz(func(t *testing.T, decisions []byte) {
		checkSameAsSlog(t, dice(func(n int) int {
			if len(decisions) == 0 {
				return 0
			}
			b := int(decisions[0])
			decisions = decisions[1:]
			if n > 256 && len(decisions) > 0 {
				b |= int(decisions[0]) << 8
				decisions = decisions[1:]
			}
			return b % n
		}).logCall())
	})
}

func checkSameAsSlog(t *testing.T, c logCall) {
	t.Helper()
	var buf bytes.Buffer
	var h slog.Handler = slog.NewJSONHandler(&buf, &c.options)
	e := frame.NewEncoder(&c.options)
	for _, w := range c.with {
		if w.group != "" {
			h, e = h.WithGroup(w.group), e.WithGroup(w.group)
		} else {
			h, e = h.WithAttrs(w.attrs), e.WithAttrs(w.attrs)
		}
	}
	require.NoError(t, h.Handle(t.Context(), c.record))
	f := frame.Frame(e.Append(nil, c.record))

	want := corrected(buf.Bytes())
	got := corrected(f.AppendJSON(nil))
	if json.Valid(want) {
		require.Equal(t, string(want), string(got))
	} else {
		require.True(t, equalUpToCommas(got, want), "slog:    %s\nfapilog: %s", want, got)
	}
	require.True(t, json.Valid(got), "%s", got)

	require.Equal(t, c.record.Level, f.Level())
	if c.options.ReplaceAttr == nil {
		require.Equal(t, c.record.Message, f.Message())
		require.True(t, c.record.Time.Equal(f.Time()))
		checkRecord(t, &c.options, f, got)
	}
}

// checkRecord compares what slog.JSONHandler makes of f's Record with f's own
// JSON. They mean the same, apart from groups without attributes, which a
// Record cannot have.
func checkRecord(t *testing.T, opts *slog.HandlerOptions, f frame.Frame, line []byte) {
	t.Helper()
	if bytes.Contains(line, []byte("{}")) || bytes.Contains(line, []byte(`"":null`)) {
		return
	}
	var buf bytes.Buffer
	require.NoError(t, slog.NewJSONHandler(&buf, opts).Handle(context.Background(), f.Record()))
	var got, want any
	require.NoError(t, json.Unmarshal(line, &want))
	require.NoError(t, json.Unmarshal(corrected(buf.Bytes()), &got), "%s", buf.Bytes())
	require.Equal(t, want, got)
}

var (
	stack    = regexp.MustCompile(`LogValue panicked\\n[^"]*`)
	twoTimes = regexp.MustCompile(`("!ERROR:time.Time year outside of range \[0,9999\]")"[^"]*"`)
)

// corrected returns line without the stack that LogValue panicked on, and
// without the second value that slog prints for a year that is out of range.
func corrected(line []byte) []byte {
	line = stack.ReplaceAll(line, []byte("LogValue panicked"))
	return twoTimes.ReplaceAll(line, []byte("$1"))
}

// equalUpToCommas reports whether got is want with the commas that slog
// forgets after an elided group.
func equalUpToCommas(got, want []byte) bool {
	for len(got) > 0 && len(want) > 0 {
		switch {
		case got[0] == want[0]:
			got, want = got[1:], want[1:]
		case got[0] == ',' && want[0] == '"':
			got = got[1:]
		default:
			return false
		}
	}
	return len(got) == len(want)
}
