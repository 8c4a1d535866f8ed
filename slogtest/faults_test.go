package slogtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/slogtest"
)

// everything is a sink with all optional interfaces.
type everything struct {
	slogtest.Recorder
	probed, closed bool
}

func (s *everything) Probe(context.Context) error { s.probed = true; return errors.New("probed") }
func (s *everything) Close() error                { s.closed = true; return errors.New("closed") }
func (s *everything) MarksGaps() bool             { return true }
func (s *everything) Batching() sinks.Batching    { return sinks.Batching{Records: 7} }

func TestWrappersPassThrough(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(sinks.Sink) sinks.Sink{
		"slow":    func(next sinks.Sink) sinks.Sink { return slogtest.Slow(next, time.Hour) },
		"flaky":   func(next sinks.Sink) sinks.Sink { return slogtest.Flaky(next, io.EOF) },
		"hanging": func(next sinks.Sink) sinks.Sink { return slogtest.NewHanging(next) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next := new(everything)
			s := wrap(next)
			require.EqualError(t, s.(sinks.Prober).Probe(t.Context()), "probed")
			require.EqualError(t, s.(io.Closer).Close(), "closed")
			require.True(t, next.probed && next.closed)
			require.True(t, s.(sinks.GapMarker).MarksGaps())
			require.Equal(t, 7, s.(sinks.Batcher).Batching().Records)

			s = wrap(new(slogtest.Recorder)) // which has none of them
			require.NoError(t, s.(sinks.Prober).Probe(t.Context()))
			require.NoError(t, s.(io.Closer).Close())
			require.False(t, s.(sinks.GapMarker).MarksGaps())
			require.Zero(t, s.(sinks.Batcher).Batching())
		})
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var next slogtest.Recorder
		s := slogtest.Slow(&next, time.Minute)
		began := time.Now()
		require.NoError(t, s.Write(t.Context(), batch("a")))
		require.Equal(t, time.Minute, time.Since(began))
		require.Len(t, next.Lines(), 1)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Write(ctx, batch("b")), context.DeadlineExceeded)
		require.Equal(t, time.Minute+time.Second, time.Since(began))
		require.Len(t, next.Lines(), 1)
	})
}

func TestHanging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var next slogtest.Recorder
		s := slogtest.NewHanging(&next)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		returned := make(chan error, 1)
		go func() { returned <- s.Write(ctx, batch("a")) }()
		<-s.Hangs()
		synctest.Wait()
		require.Empty(t, returned)
		s.Release()
		s.Release()
		require.NoError(t, <-returned)
		require.NoError(t, s.Write(t.Context(), batch("b")))
		require.Len(t, next.Lines(), 2)

		var zero slogtest.Hanging
		zero.Release()
		require.NoError(t, zero.Write(t.Context(), batch("a")))
		require.NoError(t, zero.Close())
	})
}

func batch(messages ...string) (events []sinks.Event) {
	for _, m := range messages {
		events = append(events, sinks.NewEvent(record(m)))
	}
	return events
}

// deliver logs two records to a sink, and prints what came of it.
func deliver(s sinks.Sink) {
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets:         []fapilog.Target{{Name: "try", Sink: s}},
		ShutdownTimeout: time.Minute,
		Fallback:        io.Discard,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range []string{"one", "two"} {
		if err := fapilog.Handler(out, nil).Handle(context.Background(), record(m)); err != nil {
			fmt.Println(err)
		}
	}
	if err := out.Close(); err != nil {
		fmt.Println(err)
	}
	st := out.Stats().Sinks[0]
	fmt.Printf("delivered %d, rejected %d, dropped %d\n", st.Delivered, st.Rejected, st.Dropped)
}

func ExampleFailing() {
	deliver(slogtest.Failing(sinks.Permanent(errors.New("not today"))))
	deliver(slogtest.Failing(nil))
	// Output:
	// delivered 0, rejected 2, dropped 0
	// delivered 2, rejected 0, dropped 0
}

func ExampleFlaky() {
	var next slogtest.Recorder
	s := slogtest.Flaky(&next, io.ErrUnexpectedEOF, sinks.Hold(errors.New("disk full")))
	for range 4 {
		err := s.Write(context.Background(), batch("one"))
		fmt.Println(err, len(next.Lines()))
	}
	// Output:
	// unexpected EOF 0
	// disk full 0
	// <nil> 1
	// <nil> 2
}

func ExamplePanicking() {
	defer func() { fmt.Println("recovered:", recover()) }()
	_ = slogtest.Panicking("out of cheese").Write(context.Background(), batch("one"))
	// Output:
	// recovered: out of cheese
}

func ExampleSlow() {
	var next slogtest.Recorder
	deliver(slogtest.Slow(&next, time.Millisecond))
	// Output:
	// delivered 2, rejected 0, dropped 0
}

func ExampleHanging() {
	var next slogtest.Recorder
	s := slogtest.NewHanging(&next)
	written := make(chan error)
	go func() { written <- s.Write(context.Background(), batch("one")) }()
	<-s.Hangs()
	fmt.Println(len(next.Lines()), "records")
	s.Release()
	fmt.Println(<-written, len(next.Lines()), "record")
	// Output:
	// 0 records
	// <nil> 1 record
}
