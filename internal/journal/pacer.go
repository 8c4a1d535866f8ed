package journal

import "time"

// tick is how often the pacer looks at the readers while records come in. It
// bounds how many wake-ups a stream of records costs, and how much earlier
// than its linger a batch that has filled up is noticed.
const tick = time.Millisecond

// Waking a goroutine costs an append between 0.6 and 17 µs, so readers are not
// woken by appends. An append wakes at most one goroutine, the pacer, and only
// if that sleeps, which is after a tick without a record. The pacer wakes each
// reader when a batch is due for it.

// pace runs until Stop.
func (j *Journal) pace() {
	defer close(j.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var paced uint64
	for {
		j.mu.Lock()
		now := time.Now()
		wait := j.wakeDue(now)
		if j.seq != paced {
			paced = j.seq
			wait = tick
		} else {
			j.asleep = true
			if wait == 0 && j.head == j.tail {
				j.memory.trim(kept)
			}
		}
		j.mu.Unlock()

		timer.Stop()
		if wait > 0 {
			timer.Reset(max(wait, tick))
		}
		select {
		case <-timer.C:
		case <-j.wake:
		case <-j.quit:
			return
		}
	}
}

// wakeDue wakes the waiting readers for which a batch is due, and returns the
// time until the next of the others becomes due, or 0 if they have nothing to
// read.
func (j *Journal) wakeDue(now time.Time) (next time.Duration) {
	for _, c := range j.cursors {
		if c.since.IsZero() && c.next <= j.seq {
			c.since = now // also for a reader that is busy: its linger runs
		}
		if !c.idle {
			continue
		}
		d, any := c.dueIn(now)
		switch {
		case !any:
		case d <= 0:
			c.signal()
		case next == 0 || d < next:
			next = d
		}
	}
	return next
}

// dueIn returns how long the reader is to wait for its batch. any is false if
// there is nothing to read; c.since is set if there is.
func (c *Cursor) dueIn(now time.Time) (d time.Duration, any bool) {
	switch {
	case c.full, c.next > c.j.seq:
		return 0, c.hurried()
	case c.j.closed,
		c.next <= c.hurry,
		c.j.space != nil,
		c.j.seq+1-c.next >= c.batch,
		c.j.written-c.read >= c.batchBytes:
		return 0, true
	default:
		return c.linger - now.Sub(c.since), true
	}
}

// hurried reports that nobody wants the reader to wait for more than what it has
// read: nothing more comes, or somebody awaits what it has not settled, or an
// append waits until it has room for more.
func (c *Cursor) hurried() bool {
	return c.j.closed ||
		c.abandoned ||
		c.taken > 0 && c.oldest <= c.hurry ||
		c.full && c.overflow == Block && c.j.space != nil && c.seg == c.j.head
}

// signal ends the reader's Wait.
func (c *Cursor) signal() {
	c.idle = false
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Wait returns true when a batch is due, and false when nothing is left to
// read and nothing will come, or the cursor was abandoned.
func (c *Cursor) Wait() bool {
	for {
		c.j.mu.Lock()
		now := time.Now()
		if c.since.IsZero() && c.next <= c.j.seq {
			c.since = now
		}
		d, any := c.dueIn(now)
		if c.abandoned || any && d <= 0 {
			more := !c.abandoned && c.next <= c.j.seq
			c.since = time.Time{}
			c.idle = false
			c.j.mu.Unlock()
			return more
		}
		c.idle = true
		wake := any && c.j.asleep // the pacer does not know of this linger
		c.j.mu.Unlock()
		if wake {
			c.j.wakePacer()
		}
		<-c.wake
	}
}

// WaitFor is Wait for a reader that has not settled what it has read, and gathers
// more of it, for d at most. If it is full, there is no batch that is due. WaitFor
// returns true if the reader should not wait any longer, because the journal was
// closed, or somebody awaits those records, or the room that a full one makes.
func (c *Cursor) WaitFor(d time.Duration, full bool) (hurried bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for over := false; ; {
		c.j.mu.Lock()
		now := time.Now()
		if c.since.IsZero() && c.next <= c.j.seq {
			c.since = now
		}
		c.full = full
		due, any := c.dueIn(now)
		hurried = c.hurried()
		if over || hurried || any && due <= 0 {
			c.since = time.Time{}
			c.idle = false
			c.full = false
			c.j.mu.Unlock()
			return hurried
		}
		c.idle = true
		wake := any && c.j.asleep // the pacer does not know of this linger
		c.j.mu.Unlock()
		if wake {
			c.j.wakePacer()
		}
		select {
		case <-c.wake:
		case <-timer.C:
			over = true
		}
	}
}

// Unread reports whether there is something to read.
func (c *Cursor) Unread() bool {
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	return !c.abandoned && c.next <= c.j.seq
}

// hurryLocked wakes all readers for which a batch is due now, at once.
func (j *Journal) hurryLocked() { j.wakeDue(time.Now()) }

func (j *Journal) wakePacer() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}
