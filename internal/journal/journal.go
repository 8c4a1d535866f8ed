// Package journal is the bounded append-only log between the program and the
// workers: one append per record, whatever the number of readers.
//
//	segment          segment          segment (tail)
//	+--------------+ +--------------+ +--------------+
//	|len frame|len | |len frame|... | |len frame|free|   <- Append
//	+--------------+ +--------------+ +--------------+
//	      ^                  ^                  ^
//	   cursor A           cursor B           cursor C
//
// Frames are opaque here. Each is preceded by its length, four bytes little
// endian, and has a dense sequence number: the first frame is 1, and a
// segment knows the number of its first, so what a cursor missed is a
// subtraction.
//
// One mutex guards everything but the bytes below a segment's length, which
// never change while a cursor reads them. It is held for a copy of one frame
// by Append, and for bookkeeping by everything else.
package journal

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"
	"time"
)

// Errors of Append. The record was not appended.
var (
	ErrClosed   = errors.New("closed")
	ErrTooLarge = errors.New("record larger than half of the buffer")
)

const prefixSize = 4 // the length before each frame

// Options are the bounds of a journal.
type Options struct {
	// Limit bounds the memory of all segments, in bytes.
	Limit int64
	// SegmentSize is the capacity of a segment in bytes, at most a quarter of
	// Limit. Zero means a 256th of Limit, between 4 KiB and 1 MiB. A larger frame
	// gets a segment of its own.
	SegmentSize int
	// OnNews is called, with the journal locked, when records were dropped or
	// rejected, or an append has waited. It must not block and must not call the
	// journal.
	OnNews func()
}

// A Journal is a log with any number of appenders and readers.
type Journal struct {
	limit       int64
	segmentSize int
	memory      memory
	onNews      func()

	wake chan struct{} // to the pacer: appended while it was asleep
	quit chan struct{} // closed by Stop
	done chan struct{} // closed when the pacer has returned

	mu      sync.Mutex
	closed  bool
	seq     uint64 // of the newest frame
	written uint64 // bytes appended so far, prefixes included
	asleep  bool   // the next append is to wake the pacer
	head    *segment
	tail    *segment
	size    int64 // capacity of the segments from head to tail
	cursors []*Cursor
	space   chan struct{} // closed when a cursor leaves the oldest segment; nil: nobody waits
}

// A segment is a stretch of the log.
type segment struct {
	buf     []byte // its length is what has been appended
	first   uint64 // sequence number of its first frame
	cursors int    // cursors whose position is in it
	readers int    // cursors that are copying from it
	next    *segment
}

// New returns an empty journal and starts the goroutine that paces its
// readers. Stop ends it.
func New(o Options) *Journal {
	if o.SegmentSize == 0 {
		o.SegmentSize = int(min(max(o.Limit/256, 4<<10), 1<<20))
	}
	o.SegmentSize = int(min(int64(o.SegmentSize), o.Limit/4))
	j := &Journal{
		limit:       o.Limit,
		segmentSize: o.SegmentSize,
		onNews:      o.OnNews,
		wake:        make(chan struct{}, 1),
		quit:        make(chan struct{}),
		done:        make(chan struct{}),
	}
	if j.onNews == nil {
		j.onNews = func() {}
	}
	j.addSegment(j.segmentSize)
	go j.pace()
	return j
}

// Append appends a copy of frame. It waits only for a reader whose overflow
// policy is [Block], and then at most its timeout.
func (j *Journal) Append(frame []byte) error {
	need := prefixSize + len(frame)
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return ErrClosed
	}
	if cap(j.tail.buf)-len(j.tail.buf) < need {
		if err := j.roll(need); err != nil {
			j.mu.Unlock()
			return err
		}
	}
	s := j.tail
	s.buf = append(binary.LittleEndian.AppendUint32(s.buf, uint32(len(frame))), frame...)
	j.seq++
	j.written += uint64(need)
	wake := j.asleep
	j.asleep = false
	j.mu.Unlock()
	if wake {
		j.wakePacer()
	}
	return nil
}

// roll makes room for need bytes in the tail. The journal is locked, but may
// have been unlocked in between.
func (j *Journal) roll(need int) error {
	size := max(need, j.segmentSize)
	if int64(size) > min(j.limit/2, math.MaxInt32) {
		return ErrTooLarge
	}
	var waited time.Duration
	for {
		switch {
		case j.closed:
			return ErrClosed
		case cap(j.tail.buf)-len(j.tail.buf) >= need:
			return nil // another append rolled while this one waited
		case j.size+int64(size) <= j.limit:
			j.addSegment(size)
			return nil
		}
		// The oldest segment has to go. Readers that hold on to it lose what
		// they have not read of it, each by its own policy.
		blockers, d := j.head.patience(j.cursors)
		if d -= waited; d > 0 {
			took := j.awaitSpace(d)
			waited += took
			for _, c := range blockers {
				c.account.Blocked += took
			}
			j.onNews()
			continue
		}
		if !j.dropHead() {
			// A reader is copying from it at this moment, which takes
			// microseconds: exceed the limit by a segment rather than wait.
			j.addSegment(size)
			return nil
		}
	}
}

// patience returns for which readers an append waits that are in s, and how
// long.
func (s *segment) patience(cursors []*Cursor) (blockers []*Cursor, d time.Duration) {
	for _, c := range cursors {
		if c.seg == s && c.overflow == Block {
			blockers, d = append(blockers, c), max(d, c.blockTimeout)
		}
	}
	return blockers, d
}

// awaitSpace unlocks the journal until a cursor has left the oldest segment or
// d has passed, and returns how long that took.
func (j *Journal) awaitSpace(d time.Duration) time.Duration {
	if j.space == nil {
		j.space = make(chan struct{})
	}
	space := j.space
	j.hurryLocked()
	j.mu.Unlock()
	start := time.Now()
	timer := time.NewTimer(d)
	select {
	case <-space:
	case <-timer.C:
	}
	timer.Stop()
	// Rounded up, so that the wait ends even where the clock is coarse.
	waited := max(time.Since(start), time.Microsecond)
	j.mu.Lock()
	return waited
}

// dropHead makes the cursors that are in the oldest segment skip what they
// have not read of it, and releases it. It fails if one of them is copying
// from it, or there is no other segment.
func (j *Journal) dropHead() bool {
	s := j.head
	if s.readers > 0 || s == j.tail {
		return false
	}
	for _, c := range j.cursors {
		if c.seg == s {
			c.skipTo(s.next)
		}
	}
	j.release()
	j.onNews()
	return true
}

// addSegment appends an empty segment with room for size bytes.
func (j *Journal) addSegment(size int) {
	s := j.memory.take(size, j.limit-j.size-int64(size))
	s.first = j.seq + 1
	j.size += int64(size)
	if j.tail == nil {
		j.head, j.tail = s, s
		return
	}
	old := j.tail
	old.next, j.tail = s, s
	for _, c := range j.cursors {
		if c.seg == old {
			c.leaveIfRead()
		}
	}
	j.release()
}

// release gives back the oldest segments, up to the first that a cursor is in.
func (j *Journal) release() {
	for j.head != j.tail && j.head.cursors == 0 && j.head.readers == 0 {
		s := j.head
		j.head = s.next
		j.size -= int64(cap(s.buf))
		if cap(s.buf) == j.segmentSize {
			j.memory.put(s)
		} else {
			free(s.buf)
		}
	}
	if j.head == j.tail && j.asleep {
		j.memory.trim(kept)
	}
}

// signalSpace makes the appends that wait look again.
func (j *Journal) signalSpace() {
	if j.space != nil {
		close(j.space)
		j.space = nil
	}
}

// Close refuses further appends, and lets every reader have what is left
// without lingering. Appends that wait are refused too.
func (j *Journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.closed = true
	j.signalSpace()
	j.hurryLocked()
}

// Stop ends the goroutine that New started, abandons all cursors, and frees
// the memory. The journal must be closed.
func (j *Journal) Stop() {
	close(j.quit)
	<-j.done
	for _, c := range j.cursors {
		c.Abandon()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.memory.trim(0)
	for s := j.head; s != nil; s = s.next {
		if s.readers == 0 { // else a cursor is copying from it at this moment: leave it
			free(s.buf)
		}
	}
	j.head, j.tail = nil, nil
}
