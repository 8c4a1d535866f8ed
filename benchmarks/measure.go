package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"time"
)

// A sample is what one round of one contender cost.
type sample struct {
	call   float64 // wall nanoseconds per call
	total  float64 // wall nanoseconds per record until all are delivered
	cpu    float64 // CPU nanoseconds of the whole process per record, delivery included
	allocs float64 // allocations of the whole process per call, delivery included unless onlyCalls
	server float64 // CPU nanoseconds of the children of this process per record, where there are any
}

// A series is the samples of one contender in one scenario.
type series []sample

func callOf(s sample) float64   { return s.call }
func totalOf(s sample) float64  { return s.total }
func cpuOf(s sample) float64    { return s.cpu }
func allocsOf(s sample) float64 { return s.allocs }
func serverOf(s sample) float64 { return s.server }

func (s series) min(of func(sample) float64) float64    { return slices.Min(s.values(of)) }
func (s series) median(of func(sample) float64) float64 { return median(s.values(of)) }

// mean is for what is counted too coarsely for a single round.
func (s series) mean(of func(sample) float64) float64 {
	sum := 0.0
	for _, v := range s.values(of) {
		sum += v
	}
	return sum / float64(len(s))
}

func (s series) values(of func(sample) float64) []float64 {
	vs := make([]float64, len(s))
	for i := range s {
		vs[i] = of(s[i])
	}
	return vs
}

func median(vs []float64) float64 {
	vs = slices.Sorted(slices.Values(vs))
	n := len(vs)
	return (vs[(n-1)/2] + vs[n/2]) / 2
}

// An entrant is an opened contender and what was measured of it.
type entrant struct {
	contender
	*subject
	logger *slog.Logger
	calls  int // in a round
	logged uint64
	series series
}

// race opens the contenders, lets them take turns for the given number of
// rounds, and returns what each call cost them, by name.
func race(cs []contender, w io.Writer, sc scenario, procs, rounds int, calls func(*entrant) int) (map[string]series, error) {
	var es []*entrant
	for _, c := range cs {
		s, err := c.profiled(w)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", c.name, err)
		}
		e := &entrant{contender: c, subject: s, logger: slog.New(s.handler)}
		if sc.bind != nil {
			e.logger = slog.New(s.handler.WithAttrs(sc.bind))
		}
		e.calls = 100
		for range 2 { // warms up; the second time with everything allocated
			if _, err := e.round(sc, procs); err != nil {
				return nil, err
			}
			e.calls = calls(e)
		}
		es = append(es, e)
	}

	order := rand.New(rand.NewPCG(1, 2))
	turns := slices.Clone(es)
	for range rounds {
		order.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
		for _, e := range turns {
			var s sample
			var err error
			pprof.Do(context.Background(), e.label(), func(context.Context) { s, err = e.round(sc, procs) })
			if err != nil {
				return nil, err
			}
			e.series = append(e.series, s)
		}
	}

	all := map[string]series{}
	for _, e := range es {
		if e.delivered != nil && !sc.disabled {
			if got := e.delivered(); got != e.logged {
				return nil, fmt.Errorf("%s: delivered %d of %d records, so its figures mean nothing", e.name, got, e.logged)
			}
		}
		if e.close != nil {
			if err := e.close(); err != nil {
				return nil, fmt.Errorf("close %s: %w", e.name, err)
			}
		}
		all[e.name] = e.series
	}
	return all, nil
}

// profiled opens a contender. In a profile, its goroutines and rounds have the
// label contender.
func (c contender) profiled(w io.Writer) (s *subject, err error) {
	pprof.Do(context.Background(), c.label(), func(context.Context) { s, err = c.open(w) })
	return s, err
}

func (c contender) label() pprof.LabelSet { return pprof.Labels("contender", c.name) }

// round measures one round. It begins with a collection, so that nobody pays
// for somebody else's garbage.
func (e *entrant) round(sc scenario, procs int) (sample, error) {
	if e.hold != nil {
		if err := e.hold(); err != nil {
			return sample{}, fmt.Errorf("hold %s: %w", e.name, err)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, server := settledCPU(), e.serverCPU()
	start := time.Now()
	wall, n := run(sc, e.logger, e.calls, procs)
	if e.onlyCalls {
		runtime.ReadMemStats(&after)
	}
	if e.flush != nil {
		if err := e.flush(); err != nil {
			return sample{}, fmt.Errorf("flush %s: %w", e.name, err)
		}
	}
	total := time.Since(start)
	cpu, server = settledCPU()-cpu, e.serverCPU()-server
	if !e.onlyCalls {
		runtime.ReadMemStats(&after)
	}
	e.logged += uint64(n)
	return sample{
		call:   float64(wall) / float64(n),
		total:  float64(total) / float64(n),
		cpu:    float64(cpu) / float64(n),
		allocs: float64(after.Mallocs-before.Mallocs) / float64(n),
		server: float64(server) / float64(n),
	}, nil
}

// serverCPU returns the CPU time of the server, if the entrant has one.
func (e *entrant) serverCPU() time.Duration {
	if !e.remote {
		return 0
	}
	return childrenCPU()
}

// run makes n calls, spread over procs goroutines, and returns how long they
// took together and how many they were.
func run(sc scenario, l *slog.Logger, n, procs int) (time.Duration, int) {
	if procs == 1 {
		start := time.Now()
		sc.run(l, n)
		return time.Since(start), n
	}
	each := max(1, n/procs)
	var (
		ready, done sync.WaitGroup
		gun         = make(chan struct{})
	)
	for range procs {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-gun
			sc.run(l, each)
		})
	}
	ready.Wait()
	start := time.Now()
	close(gun)
	done.Wait()
	return time.Since(start), each * procs
}
