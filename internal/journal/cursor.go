package journal

import (
	"encoding/binary"
	"slices"
	"time"
)

// Overflow is what happens when the journal is full and a reader is what
// keeps its oldest segment.
type Overflow uint8

const (
	// DropOldest makes the reader skip the oldest segment.
	DropOldest Overflow = iota
	// Block makes appends wait for the reader, up to its timeout, and then
	// the reader skip the segment.
	Block
)

// CursorOptions are a reader's policies.
type CursorOptions struct {
	Overflow     Overflow
	BlockTimeout time.Duration
	// A batch is due when there are Batch records or BatchBytes bytes to
	// read, or Linger after the first was seen. BatchBytes is a part of the
	// journal's limit, or records are lost before a batch is full.
	Batch      int
	BatchBytes int
	Linger     time.Duration
}

// An Account says what became of the records of a journal for one reader:
//
//	appended = Filtered + Delivered + Rejected + Drops.Total() + Pending
//
// Each of them is counted where it happens, none derived from the others.
type Account struct {
	Filtered  uint64
	Delivered uint64
	Rejected  uint64
	Pending   uint64 // not read, or read and not settled
	Drops     Drops
	Bytes     uint64        // size of the delivered frames
	Blocked   time.Duration // that appends have waited for the reader, added up
}

// Drops counts dropped records by reason.
type Drops struct {
	Overflow uint64 // the buffer was full
	Expired  uint64 // undelivered for longer than the reader's limit
	Shutdown uint64 // undelivered when the journal was shut down
}

// Total returns the sum over all reasons.
func (d Drops) Total() uint64 { return d.Overflow + d.Expired + d.Shutdown }

// A Gap is a run of records that a reader was made to skip. It is empty if
// Last is 0.
type Gap struct{ First, Last uint64 }

// A Cursor is a reader's position. One goroutine reads and settles; the other
// methods may be called from any.
type Cursor struct {
	j            *Journal
	overflow     Overflow
	blockTimeout time.Duration
	batch        uint64
	batchBytes   uint64
	linger       time.Duration
	wake         chan struct{} // from the pacer: a batch is due

	// Guarded by j.mu.
	seg       *segment
	off       int       // in seg.buf, of the next frame to read
	next      uint64    // sequence number of that frame
	read      uint64    // bytes of the log up to that frame
	taken     uint64    // records read and not settled
	oldest    uint64    // sequence number of the oldest of them
	gap       Gap       // skipped since the last read
	idle      bool      // the reader waits for a batch to be due
	full      bool      // the reader waits, and has no room for more
	since     time.Time // when the pacer first saw something to read
	hurry     uint64    // up to this record, a batch is due without lingering
	abandoned bool
	account   Account // but for Pending
	waiters   []*waiter
}

// A waiter waits for all records up to target to be settled.
type waiter struct {
	target uint64
	done   chan struct{}
}

// NewCursor returns a reader that starts with the next record appended.
func (j *Journal) NewCursor(o CursorOptions) *Cursor {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &Cursor{
		j:            j,
		overflow:     o.Overflow,
		blockTimeout: o.BlockTimeout,
		batch:        uint64(max(o.Batch, 1)),
		batchBytes:   uint64(max(o.BatchBytes, 1)),
		linger:       o.Linger,
		wake:         make(chan struct{}, 1),
		seg:          j.tail,
		off:          len(j.tail.buf),
		next:         j.seq + 1,
		read:         j.written,
	}
	j.tail.cursors++
	j.cursors = append(j.cursors, c)
	return c
}

// A Chunk is a run of consecutive frames, copied out of the journal, or a gap.
type Chunk struct {
	Frames []byte // as in the log: each preceded by its length; a part of what Read returned
	First  uint64 // sequence number of the first frame
	Count  int
	Gap    Gap // what was skipped; if it is not empty, there are no frames
}

// Next splits the first frame off frames, a [Chunk]'s.
func Next(frames []byte) (frame, rest []byte) {
	n := prefixSize + int(binary.LittleEndian.Uint32(frames))
	return frames[prefixSize:n:n], frames[n:]
}

// Read appends the next frames to dst: at most the given number of records and
// size in bytes, but with larger, one frame whatever its size. It reads from
// one segment only; nothing more fits, or is there, when there are neither
// frames nor a gap. What it returns is pending until it is settled.
func (c *Cursor) Read(dst []byte, records, size int, larger bool) ([]byte, Chunk) {
	j := c.j
	j.mu.Lock()
	chunk := Chunk{First: c.next, Gap: c.gap}
	c.gap = Gap{}
	if c.abandoned || chunk.Gap.Last != 0 || c.off == len(c.seg.buf) {
		j.mu.Unlock()
		return dst, chunk
	}
	s, off, log := c.seg, c.off, c.seg.buf
	s.readers++ // keeps s, and c in it, while it is read without the lock
	j.mu.Unlock()

	stop := off
	for chunk.Count < records && stop < len(log) {
		n := prefixSize + int(binary.LittleEndian.Uint32(log[stop:]))
		if stop+n-off > size && !(larger && chunk.Count == 0) {
			break
		}
		stop += n
		chunk.Count++
	}
	start := len(dst)
	dst = append(dst, log[off:stop]...)
	chunk.Frames = dst[start:]

	j.mu.Lock()
	defer j.mu.Unlock()
	s.readers--
	defer j.release()
	if c.abandoned {
		// Abandon has accounted for these already.
		return dst, Chunk{}
	}
	if c.taken == 0 {
		c.oldest = c.next
	}
	c.off = stop
	c.next += uint64(chunk.Count)
	c.read += uint64(stop - off)
	c.taken += uint64(chunk.Count)
	c.leaveIfRead()
	return dst, chunk
}

// leaveIfRead moves the cursor out of segments that it has read to the end of
// and that nothing will be appended to any more.
func (c *Cursor) leaveIfRead() {
	for c.off == len(c.seg.buf) && c.seg.next != nil {
		c.enter(c.seg.next)
	}
}

func (c *Cursor) enter(s *segment) {
	if c.seg == c.j.head {
		c.j.signalSpace() // it may be the one that an append waits for
	}
	c.seg.cursors--
	c.seg, c.off = s, 0
	s.cursors++
}

// skipTo moves the cursor to the beginning of a later segment, and counts
// what it skips as dropped.
func (c *Cursor) skipTo(s *segment) {
	n := s.first - c.next
	if n > 0 {
		if c.gap.Last == 0 {
			c.gap.First = c.next
		}
		c.gap.Last = s.first - 1
		c.account.Drops.Overflow += n
	}
	c.read += uint64(len(c.seg.buf) - c.off)
	c.next = s.first
	c.enter(s)
	c.leaveIfRead()
	c.tell()
}

// An Outcome is what became of records that were read.
type Outcome struct {
	Filtered, Delivered, Rejected, Expired, Shutdown uint64
	Bytes                                            uint64
}

// Settle accounts for records that were read. oldest is the sequence number of
// the oldest that is left of them, and zero only if none is.
func (c *Cursor) Settle(o Outcome, oldest uint64) {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	if c.abandoned {
		return
	}
	c.oldest = oldest
	c.taken -= o.Filtered + o.Delivered + o.Rejected + o.Expired + o.Shutdown
	c.account.Filtered += o.Filtered
	c.account.Delivered += o.Delivered
	c.account.Rejected += o.Rejected
	c.account.Drops.Expired += o.Expired
	c.account.Drops.Shutdown += o.Shutdown
	c.account.Bytes += o.Bytes
	if o.Rejected+o.Expired+o.Shutdown > 0 {
		c.j.onNews()
	}
	c.tell()
}

// Abandon counts everything that is pending as dropped by the shutdown and
// reads nothing any more. What a reader that still runs settles later counts
// no longer.
func (c *Cursor) Abandon() {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	if c.abandoned {
		return
	}
	if pending := c.pending(); pending > 0 {
		c.account.Drops.Shutdown += pending
		c.j.onNews()
	}
	c.abandoned = true
	c.taken, c.next = 0, c.j.seq+1
	c.seg.cursors--
	c.seg = nil
	c.j.signalSpace()
	c.j.release()
	c.tell()
	c.signal()
}

func (c *Cursor) pending() uint64 { return c.j.seq + 1 - c.next + c.taken }

// Account returns the account of this cursor.
func (c *Cursor) Account() Account {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	return c.accountLocked()
}

func (c *Cursor) accountLocked() Account {
	a := c.account
	a.Pending = c.pending()
	return a
}

// Accounts returns the accounts of all cursors, in the order they were made,
// and the number of records appended, all of one moment.
func (j *Journal) Accounts() (accounts []Account, appended uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.cursors {
		accounts = append(accounts, c.accountLocked())
	}
	return accounts, j.seq
}

// settled returns the sequence number up to which all records are settled.
func (c *Cursor) settled() uint64 {
	if c.taken > 0 {
		return c.oldest - 1
	}
	return c.next - 1
}

// Unsettled returns how many records up to target are not settled, counting
// those in the batch that is under way as if none after its oldest were.
func (c *Cursor) Unsettled(target uint64) uint64 {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	if done := c.settled(); done < target {
		return min(target-done, c.pending())
	}
	return 0
}

// Await hurries the reader on to the record target and returns a channel that
// is closed when all records up to it are settled. Whoever stops waiting for it
// calls forget.
func (c *Cursor) Await(target uint64) (done <-chan struct{}, forget func()) {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	w := &waiter{target, make(chan struct{})}
	c.waiters = append(c.waiters, w)
	c.hurry = max(c.hurry, target)
	c.tell()
	c.j.hurryLocked()
	return w.done, func() {
		c.j.mu.Lock()
		defer c.j.mu.Unlock()
		c.waiters = slices.DeleteFunc(c.waiters, func(other *waiter) bool { return other == w })
	}
}

// tell closes the channels of the waiters whose records are settled.
func (c *Cursor) tell() {
	if len(c.waiters) == 0 {
		return
	}
	settled := c.settled()
	c.waiters = slices.DeleteFunc(c.waiters, func(w *waiter) bool {
		if w.target > settled {
			return false
		}
		close(w.done)
		return true
	})
}
