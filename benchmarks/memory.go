package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// A memoryRun is one row of table 4.
type memoryRun struct {
	Name    string
	Buffer  int64
	Hanging int // of three JSON sinks
	Growth  int64
	Dropped uint64
	Wall    time.Duration
}

func memoryRuns() []memoryRun {
	return []memoryRun{
		{Name: "none hanging", Buffer: 64 << 20},
		{Name: "one hanging", Buffer: 64 << 20, Hanging: 1},
		{Name: "one hanging, small buffer", Buffer: 16 << 20, Hanging: 1},
	}
}

// measureMemory is table 4: how much memory a process needs that logs ten
// million records. Each run is a process of its own, so that it starts clean.
func measureMemory(p plan) ([]memoryRun, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	runs := memoryRuns()
	fmt.Printf("\n## 4. Memory, %d records, three JSON sinks\n\n", p.memory)
	t := newTable("sinks", "buffer MiB", "peak growth MiB", "growth - buffer", "dropped by the hanging sink", "ns/call")
	for i := range runs {
		spec, err := json.Marshal(runs[i])
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(self, "-memory-child", string(spec), "-records", strconv.Itoa(p.memory))
		var errOut bytes.Buffer
		cmd.Stderr = &errOut // the fan-out reports what it drops
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("memory run %q: %w\n%s", runs[i].Name, err, errOut.Bytes())
		}
		if err := json.Unmarshal(out, &runs[i]); err != nil {
			return nil, err
		}
		r := runs[i]
		t.row(r.Name, mib(r.Buffer), mib(r.Growth), mib(r.Growth-r.Buffer), strconv.FormatUint(r.Dropped, 10),
			ns(float64(r.Wall)/float64(p.memory)))
	}
	t.print()
	return runs, nil
}

// memoryChild does the run that spec describes and prints it completed.
func memoryChild(spec string, records int) error {
	var r memoryRun
	if err := json.Unmarshal([]byte(spec), &r); err != nil {
		return err
	}
	out, err := newFanout(r.Buffer, 3, func(i int) sinks.Sink {
		if i < r.Hanging {
			return hangingSink{}
		}
		return &jsonSink{w: io.Discard}
	})
	if err != nil {
		return err
	}
	logger := slog.New(fapilog.Handler(out, nil))
	runtime.GC()
	before, err := memory("VmRSS")
	if err != nil {
		return err
	}
	start := time.Now()
	scenarios[0].run(logger, records)
	r.Wall = time.Since(start)
	peak, err := memory("VmHWM")
	if err != nil {
		return err
	}
	r.Growth = peak - before
	if r.Hanging > 0 {
		r.Dropped = out.Stats().Sinks[0].Dropped
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
