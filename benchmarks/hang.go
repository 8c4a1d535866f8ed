package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// Percentiles of the calls of one round, in nanoseconds.
type percentiles struct{ p50, p99, p999, max float64 }

func p50Of(p percentiles) float64  { return p.p50 }
func p99Of(p percentiles) float64  { return p.p99 }
func p999Of(p percentiles) float64 { return p.p999 }

// The names that the goals refer to.
const (
	nameHealthy = "fapilog, 3 JSON sinks, none hanging"
	nameHanging = "fapilog, 3 JSON sinks, one hanging"
)

// hangResults of table 3: by "paced" or not, then by contender.
type hangResults map[bool]map[string][]percentiles

func medianOf(rounds []percentiles, of func(percentiles) float64) float64 {
	vs := make([]float64, len(rounds))
	for i := range rounds {
		vs[i] = of(rounds[i])
	}
	return median(vs)
}

// measureHang is table 3: how long single calls take while a sink hangs.
//
// Before the first round so much is logged that the hanging sink has used up
// the buffer: what is measured is the state in which every segment that is
// begun takes the oldest from it.
func measureHang(p plan) (hangResults, error) {
	type entrant struct {
		name     string
		logger   *slog.Logger
		caughtUp func()
	}
	es := []entrant{{
		name:     "slog.MultiHandler, 3 JSONHandlers",
		logger:   slog.New(multi(3)(io.Discard)),
		caughtUp: func() {},
	}}
	for _, hanging := range []int{0, 1} {
		out, err := newFanout(64<<20, 3, func(i int) sinks.Sink {
			if i < hanging {
				return hangingSink{}
			}
			return &jsonSink{w: io.Discard}
		})
		if err != nil {
			return nil, err
		}
		defer out.Close() // fails where a sink hangs, as it should
		name := nameHealthy
		if hanging > 0 {
			name = nameHanging
		}
		es = append(es, entrant{
			name:     name,
			logger:   slog.New(fapilog.Handler(out, nil)),
			caughtUp: func() { awaitHealthy(out, hanging) },
		})
	}
	five := scenarios[0]
	for _, e := range es[1:] {
		for range 10 {
			five.run(e.logger, p.hangWarmUp/10)
			e.caughtUp()
		}
	}

	results := hangResults{false: {}, true: {}}
	order := rand.New(rand.NewPCG(3, 4))
	for range p.hangRounds {
		for _, paced := range []bool{false, true} {
			n := p.hangCalls
			if paced {
				n = p.pacedCalls
			}
			for _, i := range order.Perm(len(es)) {
				e := es[i]
				results[paced][e.name] = append(results[paced][e.name], timeCalls(e.logger, n, paced))
				e.caughtUp()
			}
		}
	}

	fmt.Print("\n## 3. Single calls while a sink hangs, 5 attributes\n")
	for _, paced := range []bool{false, true} {
		title := "As fast as the producer can"
		if paced {
			title = "Paced: 20 calls a millisecond"
		}
		fmt.Printf("\n### %s\n\n", title)
		t := newTable("contender", "p50 ns", "p99 ns", "p99.9 ns", "max ns")
		for _, e := range es {
			rs := results[paced][e.name]
			var most float64
			for _, r := range rs {
				most = max(most, r.max)
			}
			t.row(e.name, ns(medianOf(rs, p50Of)), ns(medianOf(rs, p99Of)), ns(medianOf(rs, p999Of)), ns(most))
		}
		t.print()
	}
	return results, nil
}

// awaitHealthy waits until every sink but the hanging ones, which come first,
// has delivered everything.
func awaitHealthy(out *fapilog.Fanout, hanging int) {
	for _, s := range out.Stats().Sinks[hanging:] {
		if s.Pending > 0 {
			time.Sleep(time.Millisecond)
			awaitHealthy(out, hanging)
			return
		}
	}
}

// timeCalls times n calls one by one. Each figure contains the reading of the
// clock, some 40 ns.
func timeCalls(l *slog.Logger, n int, paced bool) percentiles {
	const callsPerMilli = 20
	ctx := context.Background()
	took := make([]float64, n)
	next := time.Now()
	for i := range n {
		if paced && i%callsPerMilli == 0 {
			next = next.Add(time.Millisecond)
			time.Sleep(time.Until(next))
		}
		start := time.Now()
		l.LogAttrs(
			ctx, slog.LevelInfo, "request served",
			slog.String("path", "/api/v1/orders"),
			slog.Int("status", 200+i%2),
			slog.Bool("cached", true),
			slog.Duration("elapsed", 1532*time.Microsecond),
			slog.Float64("load", 0.725),
		)
		took[i] = float64(time.Since(start))
	}
	slices.Sort(took)
	at := func(q float64) float64 { return took[int(q*float64(n-1))] }
	return percentiles{at(0.50), at(0.99), at(0.999), took[n-1]}
}
