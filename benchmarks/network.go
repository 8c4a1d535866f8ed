package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/fapilog/fapilog"
)

// A destination is a server, and those who send records to it.
type destination struct {
	name  string
	goals []networkGoal
	slow  int // rounds have as many times fewer records; zero: they do not
	// start starts the server, for rounds of burst records. The first contender is
	// the sink; the second is what the others are compared with.
	start func(t testing.TB, burst int) (*field, error)
}

// A field is the contenders for a server that has been started.
type field struct {
	title      string // what is sent, and how
	contenders []contender
}

// A networkGoal says how many times as many records a second a contender is to
// deliver as another one, and whether it is to use less CPU.
type networkGoal struct {
	name, against string
	times         float64
	lessCPU       bool
}

// destinations are in the order of their tables.
var destinations = []destination{toPostgres, toElasticsearch, toForgetfulElasticsearch, toRedis, toLoki, toForgetful}

// networkResults of table 7: by destination, then by contender. A destination
// whose server is missing has none.
type networkResults map[string]map[string]series

// measureNetwork is table 7: what arrives at a server.
func measureNetwork(p plan) (networkResults, error) {
	fmt.Printf("\n## 7. Network sinks against their servers, 5 attributes, %d records a round\n", p.networkBurst)
	results := networkResults{}
	for _, d := range destinations {
		fmt.Printf("\n### %s\n\n", d.name)
		var f *field
		skipped, err := withServers(func(t testing.TB) (err error) {
			burst := p.networkBurst / max(d.slow, 1)
			if f, err = d.start(t, burst); err != nil {
				return err
			}
			for i, c := range f.contenders {
				f.contenders[i].open = asRemote(c.open)
			}
			results[d.name], err = race(f.contenders, nil, orPost(networkRecords), 1, p.networkRounds, func(*entrant) int { return burst })
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
		if skipped != "" {
			fmt.Printf("Not measured: %s.\n", skipped)
			continue
		}
		printNetwork(f, results[d.name])
	}
	return results, nil
}

func printNetwork(f *field, all map[string]series) {
	fmt.Printf("%s.\n\n", f.title)
	t := newTable("contender", "records/s", "median", "/ the second", "median of rounds", "ns/call", "CPU ns/record", "median", "the server's")
	base := all[f.contenders[1].name]
	for _, c := range f.contenders {
		s := all[c.name]
		server := "–"
		if n := s.mean(serverOf); n > 0 {
			server = ns(n)
		}
		t.row(c.name, fmt.Sprintf("%.0f", perSecond(s.min(totalOf))), fmt.Sprintf("%.0f", perSecond(s.median(totalOf))),
			fmt.Sprintf("%.2f", base.min(totalOf)/s.min(totalOf)), fmt.Sprintf("%.2f", medianRatio(base, s, totalOf)),
			ns(s.min(callOf)), ns(s.min(cpuOf)), ns(s.median(cpuOf)), server)
	}
	t.print()
}

// printNetworkGoals adds the rows for the servers that were there. What is judged
// is the median of the ratios of rounds: the servers write to disks, collect
// garbage and compete for the processors, and who had the luckiest round of all
// says less.
func printNetworkGoals(p plan, t *table, results networkResults) {
	for _, d := range destinations {
		all := results[d.name]
		if all == nil {
			continue
		}
		for _, g := range d.goals {
			s, other := all[g.name], all[g.against]
			times := medianRatio(other, s, totalOf)
			t.row(fmt.Sprintf("%s: records/s, %s / %s", d.name, g.name, g.against), fmt.Sprintf(">= %.4g", g.times),
				fmt.Sprintf("%.2f", other.min(totalOf)/s.min(totalOf)), fmt.Sprintf("%.2f", times), verdict(p, times >= g.times))
			if g.lessCPU {
				cpu := medianRatio(s, other, cpuOf)
				t.row(fmt.Sprintf("%s: CPU per record, the same", d.name), "< 1",
					fmt.Sprintf("%.2f", s.min(cpuOf)/other.min(cpuOf)), fmt.Sprintf("%.2f", cpu), verdict(p, cpu < 1))
			}
		}
	}
}

// medianRatio is the median of a/b of each round.
func medianRatio(a, b series, of func(sample) float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = of(a[i]) / of(b[i])
	}
	return median(ratios)
}

// networkRecords are the records that are sent.
var networkRecords = scenarios[0]

// A poster does not log, but sends n records that it has. As a handler, it does
// nothing.
type poster interface {
	slog.Handler
	post(n int)
}

// orPost has posters post instead of logging.
func orPost(sc scenario) scenario {
	log := sc.run
	sc.run = func(l *slog.Logger, n int) {
		if p, ok := l.Handler().(poster); ok {
			p.post(n)
			return
		}
		log(l, n)
	}
	return sc
}

// A batcher is a poster of whole batches, one after the other.
type batcher struct {
	floor
	size int
	send func(n int) error // a batch of n records
	err  error
}

func (b *batcher) post(n int) {
	for n > 0 && b.err == nil {
		k := min(n, b.size)
		b.err = b.send(k)
		n -= k
	}
}

func (b *batcher) subject(close func() error) *subject {
	return &subject{handler: b, flush: func() error { return b.err }, close: close}
}

// rendered returns the records of a scenario as slog.JSONHandler prints them,
// without the newlines, and without some keys.
func rendered(sc scenario, n int, without ...string) [][]byte {
	var buf bytes.Buffer
	sc.run(slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && slices.Contains(without, a.Key) {
				return slog.Attr{}
			}
			return a
		},
	})), n)
	return bytes.Split(bytes.TrimSuffix(buf.Bytes(), []byte("\n")), []byte("\n"))
}

// openSink opens a fan-out with the sink of a URI, to which the parameters are
// added that keep everything: a round is smaller than the buffer, but not by much.
func openSink(uri string) (*subject, error) {
	out, err := fapilog.New(context.Background(), fapilog.Config{Sinks: []string{uri + "&overflow=block&block_timeout=1m"}})
	if err != nil {
		return nil, err
	}
	return subjectOf(out), nil
}

// asRemote has the CPU time of the server measured with that of the contender.
func asRemote(open func(io.Writer) (*subject, error)) func(io.Writer) (*subject, error) {
	return func(w io.Writer) (*subject, error) {
		s, err := open(w)
		if s != nil {
			s.remote = true
		}
		return s, err
	}
}
