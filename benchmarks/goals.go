package main

import "fmt"

// printGoals is the last table: what the library is meant to reach, what it
// reached in this run, and whether that is enough. Ratios are those of the
// minima, and next to them, where there are rounds, those of the medians.
func printGoals(p plan, r results) {
	fmt.Print("\n## Goals\n\n")
	t := newTable("measure", "goal", "of minima", "of medians", "met")
	goal := func(what string, limit float64, values ...float64) {
		medians := ""
		if len(values) > 1 {
			medians = fmt.Sprintf("%.2f", values[1])
		}
		t.row(what, fmt.Sprintf("<= %.4g", limit), fmt.Sprintf("%.2f", values[0]), medians, verdict(p, values[0] <= limit))
	}
	ratio := func(what string, limit float64, a, b series, of func(sample) float64) {
		goal(what, limit, a.min(of)/b.min(of), a.median(of)/b.median(of))
	}

	if r.calls != nil {
		five := r.calls[callKey{fiveAttrs, false}]
		count := func(n int) series { return five[fmt.Sprintf(nameFapCount, n)] }
		rendered := func(n int) series { return five[fmt.Sprintf(nameFapJSON, n)] }
		held := func(n int) series { return five[fmt.Sprintf(nameFapHeld, n)] }

		ratio("call: 3 sinks / JSONHandler to io.Discard; workers held back", 0.45, held(3), five[nameJSON], callOf)
		ratio("the same, counting sinks at work", 0.45, count(3), five[nameJSON], callOf)
		ratio("the same, JSON sinks at work", 0.45, rendered(3), five[nameJSON], callOf)
		ratio("call: 3 sinks / MultiHandler of 3; workers held back", 0.20, held(3), five[nameMulti3], callOf)
		ratio("the same, counting sinks at work", 0.20, count(3), five[nameMulti3], callOf)
		ratio("the same, JSON sinks at work", 0.20, rendered(3), five[nameMulti3], callOf)
		ratio("call: 10 sinks / 1 sink, workers held back", 1.05, held(10), held(1), callOf)
		ratio("call: 10 sinks / 1 sink, counting sinks at work", 1.3, count(10), count(1), callOf)
		ratio("call: 10 sinks / 1 sink, JSON sinks at work", 1.3, rendered(10), rendered(1), callOf)
		for _, n := range []int{1, 3, 10} {
			// Not exactly 0: the runtime itself allocates now and then.
			s := held(n)
			goal(fmt.Sprintf("allocations per call, 5 attributes, %d sinks", n), 0.005, s.min(allocsOf), s.median(allocsOf))
		}
		disabled := r.calls[callKey{disabledLevel, false}]
		ratio("disabled call: 3 sinks / floor", 1.1, disabled[fmt.Sprintf(nameFapCount, 3)], disabled[nameFloor], callOf)
		ratio("CPU per record: 3 JSON sinks / MultiHandler of 3", 0.45, rendered(3), five[nameMulti3], cpuOf)
		goal("CPU ns per record of each further JSON sink", 150,
			(rendered(10).min(cpuOf)-rendered(3).min(cpuOf))/7, (rendered(10).median(cpuOf)-rendered(3).median(cpuOf))/7)
	}
	if r.files != nil {
		file := r.files[nameFileFapilog]
		ratio("CPU per record, one file: fapilog / JSONHandler", 0.5, file, r.files[nameFileJSON], cpuOf)
		ratio("CPU per record, one file: fapilog / JSONHandler on BufferedWriteSyncer", 1, file, r.files[nameFileBufJSON], cpuOf)
		ratio("CPU per record, one file: fapilog / zapslog on BufferedWriteSyncer", 1, file, r.files[nameFileZapslog], cpuOf)
	}
	if r.hangs != nil {
		for _, paced := range []bool{false, true} {
			what := "p99.9 of a call: one of 3 sinks hanging / none, unpaced"
			if paced {
				what = "p99.9 of a call: one of 3 sinks hanging / none, paced"
			}
			hanging, healthy := medianOf(r.hangs[paced][nameHanging], p999Of), medianOf(r.hangs[paced][nameHealthy], p999Of)
			t.row(what, "<= 1.2", "", fmt.Sprintf("%.2f", hanging/healthy), verdict(p, hanging/healthy <= 1.2))
		}
	}
	for _, run := range r.memory {
		if run.Hanging > 0 {
			t.row(fmt.Sprintf("memory MiB, buffer of %s: growth - buffer", mib(run.Buffer)), "<= 16", mib(run.Growth-run.Buffer), "",
				verdict(p, run.Growth-run.Buffer <= 16<<20))
		}
	}
	if r.rotating != nil {
		zipped, plain := r.rotating[true], r.rotating[false]
		against := func(all map[string]series, what, name string, limit float64) {
			ratio("CPU per record, rotated file, "+what+": fapilog / "+name, limit, all[nameRotFapilog], all[name], cpuOf)
		}
		for _, name := range []string{nameLumberjack, nameTimberjack} {
			against(zipped, "gzip", name, 0.5)
		}
		for _, name := range []string{nameRotBufJSON, nameRotZapslog, nameRotZap} {
			against(zipped, "gzip", name, 1)
		}
		against(plain, "not compressed", nameLumberjack, 0.5)
		against(plain, "not compressed", nameRotBufJSON, 1)
	}
	if r.webhooks != nil {
		const goal = 200_000
		s := r.webhooks[nameWebhook]
		best := perSecond(s.min(totalOf))
		t.row("webhook: records a second", fmt.Sprintf(">= %d", goal), fmt.Sprintf("%.0f", best), fmt.Sprintf("%.0f", perSecond(s.median(totalOf))),
			verdict(p, best >= goal))
	}
	printNetworkGoals(p, t, r.network)
	t.print()
}

func verdict(p plan, met bool) string {
	switch {
	case !p.fullReading:
		return "(quick)"
	case met:
		return "yes"
	default:
		return "NO"
	}
}
