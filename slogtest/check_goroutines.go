package slogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Goroutines inherit the labels of the one that starts them, so labels tell the
// goroutines of one sink from those of all other tests that run at the same
// time, in whatever package their code is.
const labelKey = "fapilog/slogtest"

var labels atomic.Uint64 // so that each is used once

func newLabel(of string) string { return fmt.Sprintf("%s-%d", of, labels.Add(1)) }

// checkGoroutines looks for goroutines that a call of the sink has started when
// it is closed, and for those that were started when it was opened when its
// destination is gone too, because that may have been started there as well.
func checkGoroutines(r *run) error {
	// What a library starts once for the whole process is not a leak.
	first := r.live("first", newLabel("first"), newLabel("first"), false)
	if first.err != nil {
		return first.err
	}
	opening, calling := newLabel("open"), newLabel("call")
	second := r.live("second", opening, calling, true)
	if second.err != nil {
		return second.err
	}
	if second.left != "" {
		return fmt.Errorf("a goroutine that a call of the sink has started is left after Close:\n%s", second.left)
	}
	if left := r.left(opening); left != "" {
		return fmt.Errorf("a goroutine that was started when the sink was opened is left after Close:\n%s", left)
	}
	return nil
}

// A life is what came of the life of a sink.
type life struct {
	err  error
	left string // goroutines of its calls
}

// live opens a sink, uses it, closes it, looks for what is left, and takes its
// destination down.
func (r *run) live(name, opening, calling string, look bool) (l life) {
	r.t.Helper()
	r.t.Run(name, func(t *testing.T) {
		t.Helper()
		pprof.Do(context.Background(), pprof.Labels(labelKey, opening), func(ctx context.Context) {
			s := r.subject(t)
			pprof.Do(ctx, pprof.Labels(labelKey, calling), func(context.Context) {
				if !s.noProbe {
					l.err = s.call("Probe", s.sink.Probe)
				}
				l.err = errors.Join(
					l.err,
					s.deliverAll(writing(numbered("goroutines", 3)).events),
					s.deliverAll(writing(numbered("more goroutines", 3)).events),
					s.close())
			})
			if look && l.err == nil {
				l.left = r.left(calling)
			}
		})
	})
	return l
}

// left returns the stacks of goroutines with the given label, if they do not
// end soon.
func (r *run) left(label string) string {
	wait := time.Millisecond
	for began := time.Now(); ; wait = min(2*wait, 100*time.Millisecond) {
		stacks := labelled(label)
		if stacks == "" || time.Since(began) > r.linger {
			return stacks
		}
		pause(wait)
	}
}

// labelled returns the stacks of the goroutines with the given label.
func labelled(label string) string {
	var profile bytes.Buffer
	// A buffer does not fail.
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	var stacks []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, fmt.Sprintf("%q:%q", labelKey, label)) {
			stacks = append(stacks, stack)
		}
	}
	return strings.Join(stacks, "\n\n")
}
