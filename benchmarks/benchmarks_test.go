package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// What is written to files that are rotated can be read back, whether they are
// compressed or not. If a file was not rotated, or not compressed, its figures
// would mean nothing.
func TestRotatedFilesHaveEverything(t *testing.T) {
	for _, compressed := range []bool{true, false} {
		r := &rotation{dir: t.TempDir(), compressed: compressed, files: map[string]*rotatedFile{}}
		for _, c := range r.contenders() {
			t.Run(fmt.Sprintf("%s/compressed=%v", c.name, compressed), func(t *testing.T) {
				s, err := c.open(nil)
				if err != nil {
					t.Fatal(err)
				}
				const calls = 10_000
				fileScenario().run(slog.New(s.handler), calls)
				if err := s.flush(); err != nil {
					t.Fatal(err)
				}
				if got := s.delivered(); got != calls {
					t.Errorf("%d records instead of %d", got, calls)
				}
				f := r.files[c.name]
				if f.files == 0 {
					t.Error("the file was not rotated")
				}
				if small := f.size < 20*f.lines; small != (compressed && f.rotated) {
					t.Errorf("%s bytes for each record", f.perRecord())
				}
				if err := s.close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Each record of a webhook is looked at, once.
func TestWebhooksSendEverything(t *testing.T) {
	all, requests, size, err := raceWebhooks(quick)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 || requests == 0 || size == 0 {
		t.Errorf("%d contenders, %d requests, %d bytes", len(all), requests, size)
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
