package slogtest_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/slogtest"
)

func TestRecorderAwaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r slogtest.Recorder
		type result struct {
			records []map[string]any
			err     error
		}
		results := make(chan result, 2)
		for range cap(results) {
			go func() {
				records, err := r.Await(t.Context(), 2)
				results <- result{records, err}
			}()
		}
		for _, message := range []string{"a", "b"} {
			synctest.Wait()
			require.Empty(t, results)
			require.NoError(t, r.Write(t.Context(), batch(message)))
		}
		for range cap(results) {
			got := <-results
			require.NoError(t, got.err)
			require.Len(t, got.records, 2)
			require.Equal(t, "b", got.records[1]["msg"])
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		records, err := r.Await(ctx, 3)
		require.EqualError(t, err, "slogtest: await record 3: 2 were written: context canceled")
		require.Len(t, records, 2)
		records, err = r.Await(ctx, 2)
		require.NoError(t, err)
		require.Len(t, records, 2)
	})
}

func TestLookup(t *testing.T) {
	t.Parallel()
	inner := map[string]any{"status": 400, "a.b": "dotted"}
	record := map[string]any{"msg": "x", "http": inner, "http.version": 2, "g.h": map[string]any{"i": nil}}
	for key, want := range map[string]any{
		"msg": "x", "http": inner, "http.status": 400, "http.a.b": "dotted", "http.version": 2, "g.h.i": nil,
	} {
		value, ok := slogtest.Lookup(record, key)
		require.True(t, ok, key)
		require.Equal(t, want, value, key)
	}
	for _, key := range []string{"", ".", "http.", "http.nothing", "msg.x", ".msg"} {
		_, ok := slogtest.Lookup(record, key)
		require.False(t, ok, key)
	}
}
