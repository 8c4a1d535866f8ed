package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A host is what the servers of internal/testserver take for a test: it stops
// them, and learns why one is missing. Of [testing.TB], it has what they call.
type host struct {
	testing.TB // nil
	cleanups   []func()
	skipped    string // why
	err        error
}

// withServers calls use with a host, and stops all that was started on it. If a
// server is missing, it says what to install.
func withServers(use func(t testing.TB) error) (skipped string, err error) {
	h := new(host)
	defer func() {
		for len(h.cleanups) > 0 {
			last := len(h.cleanups) - 1
			do := h.cleanups[last]
			h.cleanups = h.cleanups[:last]
			do()
		}
		skipped, err = h.skipped, h.err
	}()
	defer func() {
		if p := recover(); p != nil && p != any(h) {
			panic(p)
		}
	}()
	if err := use(h); err != nil {
		h.err = errors.Join(h.err, err)
	}
	return
}

// stop ends use, as a test ends with runtime.Goexit.
func (h *host) stop() { panic(h) }

func (h *host) Helper()                   {}
func (h *host) Cleanup(do func())         { h.cleanups = append(h.cleanups, do) }
func (h *host) Failed() bool              { return h.err != nil }
func (h *host) Log(args ...any)           { fmt.Fprintln(os.Stderr, args...) }
func (h *host) Error(args ...any)         { h.err = errors.Join(h.err, errors.New(fmt.Sprint(args...))) }
func (h *host) Fatal(args ...any)         { h.Error(args...); h.stop() }
func (h *host) Skip(args ...any)          { h.skipped = fmt.Sprint(args...); h.stop() }
func (h *host) Logf(f string, a ...any)   { h.Log(fmt.Sprintf(f, a...)) }
func (h *host) Fatalf(f string, a ...any) { h.Fatal(fmt.Sprintf(f, a...)) }

// childrenCPU returns the CPU time that the children of this process, their
// children and so on have used, including those that have ended. The kernel
// counts it in hundredths of a second. It is 0 where there is no /proc.
func childrenCPU() time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on all that Go runs on
	type process struct {
		parent    int
		own, ends int64 // ticks of its own, and of its children that have ended
	}
	all := map[int]process{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is not malformed
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// proc_pid_stat(5): pid (name) state ppid ... utime stime cutime cstime, the
		// last of which are the fields 14 to 17. The name may have anything in it.
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(f) < 15 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		field := func(i int) int64 {
			n, _ := strconv.ParseInt(f[i], 10, 64)
			return n
		}
		all[pid] = process{int(field(1)), field(11) + field(12), field(13) + field(14)}
	}
	self := os.Getpid()
	sum := all[self].ends
	for pid, p := range all {
		for pid != 0 && pid != self {
			if pid = all[pid].parent; pid == self {
				sum += p.own + p.ends
			}
		}
	}
	return time.Duration(sum) * tick
}
