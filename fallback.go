package fapilog

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/fapilog/fapilog/internal/frame"
)

const (
	// reportEvery is how often the reporter writes about a sink at most, so
	// that one that loses a million records does not write a million lines.
	reportEvery = 10 * time.Second
	// lookEvery is how often the reporter looks at losses at most.
	lookEvery = time.Second
	// maxSaid bounds the lines that quote a record.
	maxSaid = 16
	// lateWait bounds how long a record that comes too late waits for the
	// fallback output.
	lateWait = 50 * time.Millisecond
)

// A reporter says on the fallback output what happens to the sinks: that one
// fails or works again, and how many records were lost, and why. It compares
// the statistics with those that it reported last, so whatever happens in
// between, nothing is left out of the numbers.
//
// It has a goroutine of its own. An output that stalls stops only that.
type reporter struct {
	fanout  *Fanout
	changes chan struct{} // a sink's state has changed
	losses  chan struct{} // something was lost, or is to be said, or a sink warns
	quit    chan struct{}
	done    chan struct{}

	// Of the goroutine.
	sinks []reported // of each sink
	large uint64     // records too large, as reported
	quiet time.Time  // when to report of anything but a sink at the earliest

	said struct {
		sync.Mutex
		lines []string
		more  int // lines that did not fit
	}
	late atomic.Int32 // records logged after the shutdown

	outMu sync.Mutex
	out   io.Writer
}

func newReporter(out io.Writer, f *Fanout) *reporter {
	return &reporter{
		fanout:  f,
		changes: make(chan struct{}, 1),
		losses:  make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		out:     out,
	}
}

// changed asks for a report of a sink's state. It never blocks.
func (r *reporter) changed() { signal(r.changes) }

// lost asks for a report of what was lost. It never blocks, and wakes nobody
// more often than once in lookEvery: it is called where the program logs, and
// with every segment of records that a sink loses.
func (r *reporter) lost() { signal(r.losses) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// say adds a line to the next report.
func (r *reporter) say(line string) {
	r.said.Lock()
	if len(r.said.lines) < maxSaid {
		r.said.lines = append(r.said.lines, line)
	} else {
		r.said.more++
	}
	r.said.Unlock()
	r.lost()
}

// sayLate writes a record that was logged after the shutdown began, which may
// be why the program ends. It does not wait long for an output that stalls.
func (r *reporter) sayLate(record []byte) {
	n := r.late.Add(1)
	if n > maxSaid {
		return
	}
	line := fmt.Sprintf("logged after the shutdown, and delivered to no sink: %s", frame.Frame(record).AppendJSON(nil))
	if n == maxSaid {
		line = "more records are logged after the shutdown, and not shown"
	}
	written := make(chan struct{})
	go func() {
		r.print([]string{line})
		close(written)
	}()
	timer := time.NewTimer(lateWait)
	defer timer.Stop()
	select {
	case <-written:
	case <-timer.C:
		r.late.Add(maxSaid) // it stalls: no more
	}
}

func (r *reporter) start() {
	for _, s := range r.fanout.Stats().Sinks {
		r.sinks = append(r.sinks, reported{stats: s})
	}
	go r.run()
}

// stop writes a last report and ends the goroutine, or leaves it behind if
// the output stalls.
func (r *reporter) stop() {
	close(r.quit)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
	}
}

func (r *reporter) run() {
	defer close(r.done)
	later := time.NewTimer(0) // to report what was not to be reported yet
	defer later.Stop()
	listen := time.NewTimer(0) // to losses again
	defer listen.Stop()
	losses := r.losses
	for {
		select {
		case <-losses:
			losses = nil
			listen.Reset(lookEvery)
		case <-listen.C:
			losses = r.losses
			continue
		case <-r.changes:
		case <-later.C:
		case <-r.quit:
			r.report(true)
			return
		}
		later.Stop()
		if wait := r.report(false); wait > 0 {
			later.Reset(wait)
		}
	}
}

// report writes what is new, except about sinks that it has written about a
// moment ago, unless it is the last report or they need an operator. It
// returns after what time there may be more to write, or 0.
func (r *reporter) report(last bool) (wait time.Duration) {
	stats, now := r.fanout.Stats(), time.Now()
	var lines []string
	at := func(t time.Time) {
		if d := t.Sub(now); !t.IsZero() && (wait == 0 || d < wait) {
			wait = max(d, 1)
		}
	}
	for i, s := range stats.Sinks {
		told := &r.sinks[i]
		news := told.compare(s, now)
		urgent := s.State != told.stats.State && (s.State == StateHeld || s.State == StateHanging)
		if len(news) > 0 && now.Before(told.next) && !last && !urgent {
			at(told.next)
			continue
		}
		for _, n := range news {
			lines = append(lines, fmt.Sprintf("%s: %s", r.fanout.targets[i], n))
		}
		told.note(s, now, len(news) > 0)
		at(told.reminder(s))
	}
	if !now.Before(r.quiet) || last {
		if others := r.others(); len(others) > 0 {
			lines = append(lines, others...)
			r.quiet = now.Add(reportEvery)
		}
	} else {
		at(r.quiet)
	}
	r.print(lines)
	return wait
}

// others returns the lines that are about no sink.
func (r *reporter) others() (lines []string) {
	if large := r.fanout.refused.large.Load(); large > r.large {
		lines = append(lines, fmt.Sprintf("%s refused: larger than half of the buffer (%d so far)", records(large-r.large), large))
		r.large = large
	}
	r.said.Lock()
	defer r.said.Unlock()
	lines = append(lines, r.said.lines...)
	if r.said.more > 0 {
		lines = append(lines, fmt.Sprintf("%d more lines like these left out", r.said.more))
	}
	r.said.lines, r.said.more = nil, 0
	return lines
}

func (r *reporter) print(lines []string) {
	if len(lines) == 0 {
		return
	}
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "fapilog: %s: %s\n", time.Now().UTC().Format(time.RFC3339), oneLine(line))
	}
	r.outMu.Lock()
	defer r.outMu.Unlock()
	// There is nowhere to report that the fallback output fails. One that
	// panics, as that of a test that has ended, is not used again.
	defer func() {
		if recover() != nil {
			r.out = io.Discard
		}
	}()
	_, _ = r.out.Write([]byte(b.String()))
}

// oneLine keeps the text of an error from looking like lines of ours, and a
// terminal from obeying it.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", " | ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
