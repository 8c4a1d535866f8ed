package fapilog_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

// warner warns while it is made, probed and written to.
type warner struct {
	memo
	batching sinks.Batching
}

func (w *warner) Probe(ctx context.Context) error {
	sinks.Warn(ctx, errors.New("about the probe"))
	return nil
}

func (w *warner) Write(ctx context.Context, batch []sinks.Event) error {
	sinks.Warn(ctx, errors.New("about a batch, with s3cret"))
	return w.memo.Write(ctx, batch)
}

func (w *warner) Batching() sinks.Batching { return w.batching }

// openWarner opens a sink with the given parameters.
func openWarner(t *testing.T, params string, b sinks.Batching) (*warner, *fapilog.Fanout, *syncBuffer) {
	t.Helper()
	w := &warner{batching: b}
	var r registry.Registry
	r.Register("warner", func(ctx context.Context, _ *registry.URI) (sinks.Sink, error) {
		sinks.Warn(ctx, errors.New("about the constructor"))
		return w, nil
	})
	var fallback syncBuffer
	out := open(t, fapilog.Config{Sinks: []string{"warner://u:s3cret@h?" + params}, Registry: &r, Fallback: &fallback})
	return w, out, &fallback
}

func TestSinkWarns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, out, fallback := openWarner(t, "linger=0s", sinks.Batching{})
		log := slog.New(fapilog.Handler(out, nil))
		for range 3 {
			log.Info("x")
			time.Sleep(time.Minute)
		}
		st := out.Stats().Sinks[0]
		require.EqualValues(t, 3, st.Warnings)
		require.EqualError(t, st.LastWarning, "about a batch, with ***")
		require.NoError(t, st.LastError, "a warning is no failure")
		require.EqualValues(t, 3, st.Delivered)
		require.NoError(t, out.Close())
		for _, want := range []string{
			"sink warner (warner://h): warning: about the constructor\n",
			"sink warner (warner://h): warning: about the probe\n",
			"sink warner (warner://h): warning: about a batch, with *** (1 so far)\n",
			"sink warner (warner://h): warning: about a batch, with *** (3 so far)\n",
		} {
			require.Contains(t, fallback.String(), want)
		}
		sinks.Warn(context.Background(), errors.New("nobody listens"))
	})
}

// What a sink prefers is a default: the configuration wins.
func TestBatching(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		params  string
		prefers sinks.Batching
		waits   time.Duration // before two records are delivered
	}{
		{"", sinks.Batching{}, fapilog.DefaultLinger},
		{"", sinks.Batching{Linger: time.Second}, time.Second},
		{"linger=3s", sinks.Batching{Linger: time.Second}, 3 * time.Second},
		{"linger=0s", sinks.Batching{Linger: time.Second}, 0},
		{"", sinks.Batching{Linger: time.Second, Records: 2}, 0},
		{"batch=3", sinks.Batching{Linger: time.Second, Records: 2}, time.Second},
		{"", sinks.Batching{Linger: time.Second, Bytes: 1}, 0},
		{"batch_bytes=1MiB", sinks.Batching{Linger: time.Second, Bytes: 1}, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, out, _ := openWarner(t, test.params, test.prefers)
			log := slog.New(fapilog.Handler(out, nil))
			began := time.Now()
			log.Info("x")
			log.Info("x")
			for out.Stats().Sinks[0].Delivered < 2 {
				time.Sleep(time.Millisecond)
			}
			require.InDelta(t, test.waits.Seconds(), time.Since(began).Seconds(), 0.004, "%+v", test)
			require.NoError(t, out.Close())
		})
	}
}
