package frame

import (
	"log/slog"
	"runtime"
	"sync/atomic"
)

// source is a call site: where it is in the source code, and the tokens that
// say so in a frame.
type source struct {
	pc     uintptr
	src    slog.Source
	tokens []byte
	next   *source // in its bucket
}

// sources holds the call sites seen so far. To resolve a program counter takes
// hundreds of nanoseconds and several allocations, and a program has no more
// call sites than it has log statements, so they are never removed. A bucket
// is a list that only grows at its head: readers need no lock.
var sources [1 << sourceBits]atomic.Pointer[source]

const sourceBits = 10

var noSource source

// sourceAt returns the call site of pc, and the zero source if there is none.
func sourceAt(pc uintptr) *source {
	if pc == 0 {
		return &noSource
	}
	bucket := &sources[uint64(pc)*0x9e3779b97f4a7c15>>(64-sourceBits)] // Fibonacci hashing
	for s := bucket.Load(); s != nil; s = s.next {
		if s.pc == pc {
			return s
		}
	}
	return resolve(bucket, pc)
}

func resolve(bucket *atomic.Pointer[source], pc uintptr) *source {
	fr, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	s := &source{pc: pc, src: slog.Source{Function: fr.Function, File: fr.File, Line: fr.Line}}
	if s.src == (slog.Source{}) {
		return &noSource // not kept: there is no limit to the number of wrong ones
	}
	var st state
	st.source(slog.SourceKey, &s.src)
	s.tokens = st.buf
	for {
		// Two goroutines may add the same call site; that does no harm.
		s.next = bucket.Load()
		if bucket.CompareAndSwap(s.next, s) {
			return s
		}
	}
}
