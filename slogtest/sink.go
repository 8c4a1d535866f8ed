// Package slogtest tests sinks together with the fan-out that delivers to
// them: what a program logs must arrive, whole, in order, once, and as log/slog
// says that it should look.
//
// The author of a sink says how to make it and how to read back what has
// arrived:
//
//	func TestConformance(t *testing.T) {
//		slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
//			path := filepath.Join(t.TempDir(), "app.log")
//			sink, err := file.New(path, file.Options{})
//			if err != nil {
//				t.Fatal(err)
//			}
//			return slogtest.Subject{Sink: sink, Records: func() ([]map[string]any, error) {
//				text, err := os.ReadFile(path)
//				if err != nil {
//					return nil, err
//				}
//				return slogtest.ParseJSON(text)
//			}}
//		})
//	}
package slogtest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// A Subject is a sink under test, with a destination of its own in which there
// is nothing yet.
type Subject struct {
	// Sink is opened and unused. The test closes it.
	Sink sinks.Sink

	// Records returns what has arrived at the destination so far, in order. A
	// record is as in the documentation of [slogtest.TestHandler]: the
	// attributes and the built-ins time, level and msg by their keys, groups as
	// maps. It is called when everything that was logged has been delivered,
	// before and after the sink was closed, from the test's goroutine.
	Records func() ([]map[string]any, error)
}

// patience is how long a destination may take for the few records of a test.
const patience = 30 * time.Second

// TestSink tests the sink that open makes. It calls open once for each of its
// subtests. They are:
//
//   - slog: the tests of package testing/slogtest;
//   - order: every record of several batches and several goroutines arrives
//     once, in the order in which its goroutine logged, and the account of the
//     fan-out says so.
func TestSink(t *testing.T, open func(t *testing.T) Subject) {
	t.Run("slog", func(t *testing.T) { testSlog(t, open) })
	t.Run("order", func(t *testing.T) { testOrder(t, open) })
}

func testSlog(t *testing.T, open func(t *testing.T) Subject) {
	var s *session // of the subtest that runs
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		s = start(t, open(t))
		return fapilog.Handler(s.out, nil)
	}, func(t *testing.T) map[string]any {
		t.Helper()
		records := s.records(t)
		if len(records) != 1 {
			t.Fatalf("%d records arrived instead of 1: %v", len(records), records)
		}
		return records[0]
	})
}

func testOrder(t *testing.T, open func(t *testing.T) Subject) {
	const goroutines, each = 4, 250
	s := start(t, open(t))
	done := make(chan struct{}, goroutines)
	for g := range goroutines {
		log := slog.New(fapilog.Handler(s.out, nil)).With("goroutine", g)
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range each {
				log.Info(fmt.Sprintf("record %d", i))
			}
		}()
	}
	for range goroutines {
		<-done
	}
	s.close(t)
	if st := s.out.Stats().Sinks[0]; st.Delivered != goroutines*each || st.Pending != 0 {
		t.Errorf("the account is wrong: %+v", st)
	}

	var next [goroutines]int
	for _, r := range s.records(t) {
		var g int
		if _, err := fmt.Sscan(fmt.Sprint(r["goroutine"]), &g); err != nil || g < 0 || g >= goroutines {
			t.Fatalf("a record with a goroutine that there is not: %v", r)
		}
		if want := fmt.Sprintf("record %d", next[g]); r[slog.MessageKey] != want {
			t.Fatalf("%v arrived when %q was next", r, want)
		}
		next[g]++
	}
	for g, n := range next {
		if n != each {
			t.Errorf("%d records of goroutine %d arrived instead of %d", n, g, each)
		}
	}
}

// A session is a fan-out with the subject as its only sink.
type session struct {
	Subject
	out    *fapilog.Fanout
	closed bool
}

func start(t *testing.T, subject Subject) *session {
	t.Helper()
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets:         []fapilog.Target{{Name: "subject", Sink: subject.Sink, Batch: 100}},
		ShutdownTimeout: patience,
		Fallback:        t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{Subject: subject, out: out}
	t.Cleanup(func() { s.close(t) })
	return s
}

// records waits until all is delivered, and returns what has arrived.
func (s *session) records(t *testing.T) []map[string]any {
	t.Helper()
	if !s.closed {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.out.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	records, err := s.Records()
	if err != nil {
		t.Fatalf("read back what has arrived: %v", err)
	}
	return records
}

// close closes the fan-out, and the sink once more: a second time must do no
// harm.
func (s *session) close(t *testing.T) {
	t.Helper()
	if s.closed {
		return
	}
	s.closed = true
	if err := s.out.Close(); err != nil {
		t.Error(err)
	}
	if c, ok := s.Sink.(io.Closer); ok {
		if err := c.Close(); err != nil {
			t.Errorf("closing the sink again: %v", err)
		}
	}
}
