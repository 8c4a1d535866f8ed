package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// lockedBuffer is what the contenders print to, some of them from several
// goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// A contender that prints less than the others is no contender: every record
// has to come out, with all its attributes.
func TestContendersPrintEverything(t *testing.T) {
	printsNothing := map[string]bool{nameFloor: true, "otelslog, batch processor": true}
	for _, c := range contenders() {
		if printsNothing[c.name] || c.onlyCalls || strings.Contains(c.name, "counting") {
			continue
		}
		for _, sc := range scenarios {
			if sc.disabled {
				continue
			}
			t.Run(c.name+"/"+sc.name, func(t *testing.T) {
				var out lockedBuffer
				s, err := c.open(&out)
				if err != nil {
					t.Fatal(err)
				}
				const calls = 7
				sc.run(slog.New(s.handler.WithAttrs(sc.bind)), calls)
				if s.flush != nil {
					if err := s.flush(); err != nil {
						t.Fatal(err)
					}
				}
				if s.close != nil {
					if err := s.close(); err != nil {
						t.Fatal(err)
					}
				}

				lines := strings.Split(strings.TrimSpace(out.buf.String()), "\n")
				if len(lines)%calls != 0 {
					t.Errorf("%d lines for %d calls", len(lines), calls)
				}
				want := attrsOf(sc)
				for _, line := range lines {
					var got map[string]any
					if err := json.Unmarshal([]byte(line), &got); err != nil {
						t.Fatalf("%v in %q", err, line)
					}
					for _, key := range want {
						if _, ok := got[key]; !ok {
							t.Fatalf("no %q in %s", key, line)
						}
					}
				}
			})
		}
	}
}

// attrsOf returns the keys that a scenario logs.
func attrsOf(sc scenario) []string {
	var r recorder
	sc.run(slog.New(&r), 1)
	keys := []string{slog.TimeKey, slog.LevelKey, slog.MessageKey}
	for _, a := range sc.bind {
		keys = append(keys, a.Key)
	}
	r.Attrs(func(a slog.Attr) bool {
		keys = append(keys, a.Key)
		return true
	})
	return keys
}

type recorder struct {
	floor
	slog.Record
}

func (r *recorder) Handle(_ context.Context, rec slog.Record) error {
	r.Record = rec
	return nil
}

// The scalar call allocates nothing, whatever the number of sinks.
func TestCallAllocatesNothing(t *testing.T) {
	for _, n := range []int{1, 3, 10} {
		s, err := openHeld(n)
		if err != nil {
			t.Fatal(err)
		}
		logger := slog.New(s.handler)
		scenarios[0].run(logger, 10_000) // everything that is allocated once
		if err := s.hold(); err != nil {
			t.Fatal(err)
		}
		if got := testing.AllocsPerRun(10_000, func() { scenarios[0].run(logger, 1) }); got != 0 {
			t.Errorf("%d sinks: %v allocations per call", n, got)
		}
		if err := s.flush(); err != nil {
			t.Error(err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestStatistics(t *testing.T) {
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median %v", got)
	}
	if got := (series{{call: 2}, {call: 1}}).min(callOf); got != 1 {
		t.Errorf("min %v", got)
	}
}
