package main

import (
	"fmt"
	"io"
	"runtime"
)

// results of table 1: by scenario and number of goroutines, then by contender.
type callResults map[callKey]map[string]series

type callKey struct {
	scenario string
	parallel bool
}

// measureCalls is table 1: what a call costs its caller, and what a record
// costs the process.
func measureCalls(p plan) (callResults, error) {
	results := callResults{}
	fmt.Println("\n## 1. A call")
	for _, sc := range scenarios {
		var cs []contender
		for _, c := range contenders() {
			if sc.disabled && (c.noLevel || c.onlyCalls) {
				continue
			}
			cs = append(cs, c)
		}
		for _, parallel := range []bool{false, true} {
			procs := 1
			if parallel {
				procs = runtime.GOMAXPROCS(0)
			}
			all, err := race(cs, io.Discard, sc, procs, p.rounds, func(e *entrant) int {
				return p.callsInRound(e, sc, procs)
			})
			if err != nil {
				return nil, err
			}
			results[callKey{sc.name, parallel}] = all
		}
		printCalls(sc, cs, results)
	}
	return results, nil
}

// callsInRound returns how many calls make a round. Where all the work is done
// in the call, as many as fit in the round's length.
func (p plan) callsInRound(e *entrant, sc scenario, procs int) int {
	if e.later && !sc.disabled {
		return p.burst
	}
	wall, n := run(sc, e.logger, 1000, procs)
	e.logged += uint64(n)
	most := p.burst
	if sc.disabled {
		most *= 50
	}
	return min(max(int(p.round*1000/max(wall, 1)), p.burst/20), most)
}

func printCalls(sc scenario, cs []contender, results callResults) {
	serial, parallel := results[callKey{sc.name, false}], results[callKey{sc.name, true}]
	base := serial[nameJSON].min(callOf)
	fmt.Printf("\n### %s\n\n", sc.name)
	t := newTable("contender", "ns/call", "median", "/ JSONHandler", "allocs/call", "CPU ns/record", "median",
		"parallel: ns/call", "CPU ns/record")
	for _, c := range cs {
		s, q := serial[c.name], parallel[c.name]
		cpu, cpuMedian, parallelCPU := "", "", ""
		if !c.onlyCalls && !sc.disabled {
			cpu, cpuMedian, parallelCPU = ns(s.min(cpuOf)), ns(s.median(cpuOf)), ns(q.min(cpuOf))
		}
		t.row(c.name, ns(s.min(callOf)), ns(s.median(callOf)), fmt.Sprintf("%.2f", s.min(callOf)/base),
			fmt.Sprintf("%.2f", s.min(allocsOf)), cpu, cpuMedian, ns(q.min(callOf)), parallelCPU)
	}
	t.print()
}
