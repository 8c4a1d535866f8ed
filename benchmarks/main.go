package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"
)

// A plan says how much is measured.
type plan struct {
	rounds     int           // of each contender in each scenario, table 1
	burst      int           // calls in a round of a contender that delivers later
	round      time.Duration // aimed length of a round of the others
	fileRounds int           // table 2
	fileBurst  int           // calls in a round of table 2
	hangRounds int           // table 3
	hangCalls  int           // calls in an unpaced round of table 3
	pacedCalls int           // calls in a paced round of table 3
	hangWarmUp int           // calls before the first round of table 3
	memory     int           // records of a run of table 4

	rotateRounds, rotateBurst   int // table 5
	webhookRounds, webhookBurst int // table 6
	networkRounds, networkBurst int // table 7

	dir         string // where tables 2 and 5 put their files
	fullReading bool   // whether the figures mean anything
}

var full = plan{
	rounds: 30, burst: 20_000, round: 8 * time.Millisecond,
	fileRounds: 60, fileBurst: 20_000,
	hangRounds: 15, hangCalls: 100_000, pacedCalls: 10_000, hangWarmUp: 1_000_000,
	memory:       10_000_000,
	rotateRounds: 20, rotateBurst: 40_000,
	webhookRounds: 20, webhookBurst: 200_000,
	networkRounds: 15, networkBurst: 100_000,
	fullReading: true,
}

// quick runs everything once, to see that it works.
var quick = plan{
	rounds: 1, burst: 200, round: 100 * time.Microsecond,
	fileRounds: 1, fileBurst: 200,
	hangRounds: 1, hangCalls: 1000, pacedCalls: 100, hangWarmUp: 1000,
	memory:       20_000,
	rotateRounds: 1, rotateBurst: 10_000, // more than a file
	webhookRounds: 1, webhookBurst: 10_000,
	networkRounds: 1, networkBurst: 10_000,
}

func main() {
	var (
		isQuick = flag.Bool("quick", false, "run everything once, briefly: shows that it works, measures nothing")
		records = flag.Int("records", 0, "records of a memory run (default 10 million)")
		rounds  = flag.Int("rounds", 0, "rounds of each contender in each scenario (default 15 to 60, by table)")
		dir     = flag.String("dir", os.TempDir(), "directory for the files of tables 2 and 5")
		tables  = flag.String("tables", "1,2,3,4,5,6,7", "the tables to measure")
		profile = flag.String("cpuprofile", "", "file for a CPU profile, in which samples have the label contender")
		child   = flag.String("memory-child", "", "used by the program itself: run one memory measurement and exit")
	)
	flag.Parse()
	if *child != "" {
		exitOn(memoryChild(*child, *records))
		return
	}

	p := full
	if *isQuick {
		p = quick
	}
	if *records > 0 {
		p.memory = *records
	}
	if *rounds > 0 {
		p.rounds, p.fileRounds, p.hangRounds, p.rotateRounds, p.webhookRounds, p.networkRounds = *rounds, *rounds, *rounds, *rounds, *rounds, *rounds
	}
	p.dir = *dir

	var r results
	measures := map[string]func() error{
		"1": func() (err error) { r.calls, err = measureCalls(p); return err },
		"2": func() (err error) { r.files, err = measureFiles(p); return err },
		"3": func() (err error) { r.hangs, err = measureHang(p); return err },
		"4": func() (err error) { r.memory, err = measureMemory(p); return err },
		"5": func() (err error) { r.rotating, err = measureRotating(p); return err },
		"6": func() (err error) { r.webhooks, err = measureWebhook(p); return err },
		"7": func() (err error) { r.network, err = measureNetwork(p); return err },
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		exitOn(err)
		exitOn(pprof.StartCPUProfile(f))
		defer pprof.StopCPUProfile()
	}
	start := time.Now()
	printHeader(p)
	var took []string
	for table := range strings.SplitSeq(*tables, ",") {
		measure, ok := measures[table]
		if !ok {
			exitOn(fmt.Errorf("no table %q: there are 1 to %d", table, len(measures)))
		}
		begin := time.Now()
		exitOn(measure())
		took = append(took, fmt.Sprintf("%.0f s for table %s", time.Since(begin).Seconds(), table))
	}
	printGoals(p, r)
	fmt.Printf("\n%.0f s in all: %s.\n", time.Since(start).Seconds(), strings.Join(took, ", "))
}

// results of the tables; nil for those that were not measured.
type results struct {
	calls    callResults
	files    map[string]series
	hangs    hangResults
	memory   []memoryRun
	rotating rotatingResults
	webhooks map[string]series
	network  networkResults
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// printHeader says what ran where.
func printHeader(p plan) {
	fmt.Printf("# Benchmarks\n\n%s %s/%s, GOMAXPROCS=%d", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	if cpu := cpuName(); cpu != "" {
		fmt.Printf(", %s", cpu)
	}
	fmt.Print(".\n")
	if info, ok := debug.ReadBuildInfo(); ok {
		var mods []string
		for _, m := range info.Deps {
			if m.Replace == nil && measured[m.Path] {
				mods = append(mods, m.Path+" "+m.Version)
			}
		}
		fmt.Printf("Compared with %s.\n", strings.Join(mods, ", "))
	}
	if !p.fullReading {
		fmt.Println("\n**A quick run: it shows that everything works. The figures mean nothing.**")
	}
}

// measured are the modules of the contenders, as against their dependencies.
var measured = map[string]bool{
	"github.com/samber/slog-multi":                 true,
	"go.uber.org/zap":                              true,
	"go.uber.org/zap/exp":                          true,
	"github.com/phuslu/log":                        true,
	"github.com/rs/zerolog":                        true,
	"go.opentelemetry.io/contrib/bridges/otelslog": true,
	"gopkg.in/natefinch/lumberjack.v2":             true,
	"github.com/DeRuina/timberjack":                true,
	"github.com/jackc/pgx/v5":                      true,
	"github.com/redis/go-redis/v9":                 true,
	"github.com/grafana/loki-client-go":            true,
}
