package journal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tiny = 1 << 10 // bytes of a journal that is full at once: four segments of 256

func open(t *testing.T, o journal.Options) *journal.Journal {
	t.Helper()
	j := journal.New(o)
	t.Cleanup(func() {
		j.Close()
		j.Stop()
	})
	return j
}

func reader(j *journal.Journal, o journal.CursorOptions) *journal.Cursor {
	if o.Batch == 0 {
		o.Batch, o.BatchBytes = 1<<20, 1<<20
	}
	return j.NewCursor(o)
}

// record returns a frame of n bytes that tells its number.
func record(i uint64, n int) []byte {
	b := bytes.Repeat([]byte{byte(i)}, max(n, 8))
	binary.LittleEndian.PutUint64(b, i)
	return b
}

// readAll reads and settles what there is, and returns the sequence numbers.
func readAll(t *testing.T, c *journal.Cursor) (seqs []uint64) {
	t.Helper()
	for {
		_, chunk := c.Read(nil, 1<<20, 1<<20, true)
		if chunk.Gap.Last != 0 {
			continue
		}
		if chunk.Count == 0 {
			return seqs
		}
		n := 0
		for rest, seq := chunk.Frames, chunk.First; len(rest) > 0; seq++ {
			var f []byte
			f, rest = journal.Next(rest)
			require.Equal(t, seq, binary.LittleEndian.Uint64(f), "the frame of another record")
			require.Equal(t, record(seq, len(f)), f, "a damaged frame")
			seqs = append(seqs, seq)
			n++
		}
		require.Equal(t, chunk.Count, n)
		c.Settle(journal.Outcome{Delivered: uint64(n)}, 0)
	}
}

func read(c *journal.Cursor, dst []byte, records, size int, larger bool) journal.Chunk {
	_, chunk := c.Read(dst, records, size, larger)
	return chunk
}

func requireExact(t *testing.T, j *journal.Journal) {
	t.Helper()
	accounts, appended := j.Accounts()
	for i, a := range accounts {
		assert.Equal(t, appended, a.Filtered+a.Delivered+a.Rejected+a.Drops.Total()+a.Pending, "cursor %d: %+v", i, a)
	}
}

func TestEveryReaderGetsEveryRecordOnceInOrder(t *testing.T) {
	t.Parallel()
	j := open(t, journal.Options{Limit: 1 << 20})
	a, b := reader(j, journal.CursorOptions{}), reader(j, journal.CursorOptions{})
	var want []uint64
	for i := range uint64(1000) {
		require.NoError(t, j.Append(record(i+1, int(i%300))))
		want = append(want, i+1)
	}
	late := reader(j, journal.CursorOptions{})
	require.Equal(t, want, readAll(t, a))
	require.Equal(t, want, readAll(t, b))
	require.Empty(t, readAll(t, late), "a reader starts with what is appended after it")
	requireExactly(t, a, 1000)
	requireExactly(t, late, 0)
}

func requireExactly(t *testing.T, c *journal.Cursor, delivered uint64) {
	t.Helper()
	require.Equal(t, journal.Account{Delivered: delivered}, c.Account())
}

func TestFullJournalDropsTheOldestOfTheLaggardAlone(t *testing.T) {
	t.Parallel()
	drops := 0
	j := open(t, journal.Options{Limit: tiny, OnNews: func() { drops++ }})
	slow, fast := reader(j, journal.CursorOptions{}), reader(j, journal.CursorOptions{})
	var got []uint64
	for i := range uint64(100) {
		require.NoError(t, j.Append(record(i+1, 60)))
		got = append(got, readAll(t, fast)...)
	}
	require.Len(t, got, 100, "the other reader lost something")
	require.Zero(t, fast.Account().Drops)

	dropped := slow.Account().Drops.Overflow
	require.Positive(t, dropped)
	require.Positive(t, drops, "nobody was told")
	chunk := read(slow, nil, 1, 1<<20, false)
	require.Equal(t, journal.Gap{First: 1, Last: dropped}, chunk.Gap, "the gap is what was dropped")
	require.Zero(t, chunk.Count)
	chunk = read(slow, nil, 1, 1<<20, false)
	require.Empty(t, chunk.Gap, "a gap is told once")
	require.Equal(t, dropped+1, chunk.First)
	require.Equal(t, 1, chunk.Count)
	slow.Settle(journal.Outcome{Delivered: 1}, 0)
	left := readAll(t, slow)
	require.Equal(t, uint64(100), left[len(left)-1], "it is the oldest that is dropped")
	require.Equal(t, 100-dropped, uint64(len(left)+1))
	requireExact(t, j)
}

func TestRecordLargerThanASegment(t *testing.T) {
	t.Parallel()
	j := open(t, journal.Options{Limit: tiny})
	c := reader(j, journal.CursorOptions{})
	require.NoError(t, j.Append(record(1, 10)))
	require.NoError(t, j.Append(record(2, tiny/2-4)), "half of the journal fits")
	require.NoError(t, j.Append(record(3, 10)))
	require.ErrorIs(t, j.Append(record(4, tiny/2-3)), journal.ErrTooLarge)
	require.Equal(t, []uint64{1, 2, 3}, readAll(t, c))
	_, appended := j.Accounts()
	require.Equal(t, uint64(3), appended, "a refused record has no number")
}

func TestReadKeepsWithinBounds(t *testing.T) {
	t.Parallel()
	j := open(t, journal.Options{Limit: 1 << 20})
	c := reader(j, journal.CursorOptions{})
	for i := range uint64(10) {
		require.NoError(t, j.Append(record(i+1, 96))) // 100 with the length
	}
	require.Equal(t, 3, read(c, nil, 3, 1000, false).Count, "records")
	require.Equal(t, 2, read(c, nil, 10, 299, false).Count, "bytes")
	require.Equal(t, 0, read(c, nil, 10, 99, false).Count, "not even one")
	require.Equal(t, 1, read(c, nil, 10, 99, true).Count, "one, whatever its size")
	require.Equal(t, uint64(10), c.Account().Pending, "what is read is pending until it is settled")
}

func TestBlockedAppendWaitsForTheReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Options{Limit: tiny})
		c := reader(j, journal.CursorOptions{Overflow: journal.Block, BlockTimeout: time.Minute})
		start := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			readAll(t, c)
		}()
		for i := range uint64(20) {
			require.NoError(t, j.Append(record(i+1, 60)))
		}
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Zero(t, c.Account().Drops)
		requireExact(t, j)
	})
}

func TestBlockedAppendGivesUpAndDrops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Options{Limit: tiny})
		stuck := reader(j, journal.CursorOptions{Overflow: journal.Block, BlockTimeout: time.Second})
		fast := reader(j, journal.CursorOptions{Overflow: journal.Block, BlockTimeout: time.Hour})
		start, got := time.Now(), 0
		for i := range uint64(20) {
			require.NoError(t, j.Append(record(i+1, 60)))
			got += len(readAll(t, fast))
		}
		require.Equal(t, 20, got)
		dropped := stuck.Account().Drops.Overflow
		require.Positive(t, dropped)
		segments := int(dropped) / 4 // records of 64 bytes in a segment of 256
		require.Equal(t, time.Duration(segments)*time.Second, time.Since(start), "one timeout for each segment")
		requireExact(t, j)
	})
}

func TestCloseRefusesAppendsAlsoThoseThatWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Options{Limit: tiny})
		c := reader(j, journal.CursorOptions{Overflow: journal.Block, BlockTimeout: time.Hour})
		time.AfterFunc(time.Second, j.Close)
		var err error
		for i := uint64(1); err == nil; i++ {
			err = j.Append(record(i, 60))
		}
		require.ErrorIs(t, err, journal.ErrClosed)
		require.ErrorIs(t, j.Append(nil), journal.ErrClosed)
		require.True(t, c.Wait(), "there is something left to read")
		readAll(t, c)
		require.False(t, c.Wait(), "there is nothing left, and never will be")
	})
}

func TestWaitPaces(t *testing.T) {
	t.Parallel()
	const linger = time.Minute
	append1 := func(j *journal.Journal) { _ = j.Append(record(1, 60)) }
	tests := []struct {
		name string
		then func(j *journal.Journal, c *journal.Cursor)
		want time.Duration
	}{
		{"until the linger is over", func(*journal.Journal, *journal.Cursor) {}, linger},
		{"less if the batch is full", func(j *journal.Journal, _ *journal.Cursor) {
			for range 9 {
				append1(j)
			}
		}, 0},
		{"less if the bytes are enough", func(j *journal.Journal, _ *journal.Cursor) {
			_ = j.Append(make([]byte, 500))
		}, 0},
		{"less if somebody waits for it", func(_ *journal.Journal, c *journal.Cursor) { c.Await(1) }, 0},
		{"less if the journal is closed", func(j *journal.Journal, _ *journal.Cursor) { j.Close() }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := open(t, journal.Options{Limit: 1 << 20})
				c := reader(j, journal.CursorOptions{Batch: 10, BatchBytes: 500, Linger: linger})
				var first time.Time
				go func() {
					time.Sleep(time.Hour) // everything is asleep by then
					first = time.Now()
					append1(j)
					time.Sleep(time.Second)
					test.then(j, c)
				}()
				require.True(t, c.Wait())
				want := test.want
				if want == 0 {
					want = time.Second // when then was called
				}
				got := time.Since(first)
				require.LessOrEqual(t, want, got)
				require.LessOrEqual(t, got, want+10*time.Millisecond)
			})
		})
	}
}

func TestAwaitEndsWithTheLastRecordUpToTheTarget(t *testing.T) {
	t.Parallel()
	j := open(t, journal.Options{Limit: 1 << 20})
	c := reader(j, journal.CursorOptions{})
	for i := range uint64(5) {
		require.NoError(t, j.Append(record(i+1, 60)))
	}
	two, _ := c.Await(2)
	five, forget := c.Await(5)
	require.Equal(t, 4, read(c, nil, 4, 1000, false).Count)
	require.Equal(t, uint64(2), c.Unsettled(2))
	c.Settle(journal.Outcome{Filtered: 1}, 2)
	require.Equal(t, uint64(1), c.Unsettled(2))
	requireOpen(t, two)
	c.Settle(journal.Outcome{Rejected: 1}, 3)
	<-two // although the batch is not done
	require.Zero(t, c.Unsettled(2))
	requireOpen(t, five)
	c.Settle(journal.Outcome{Delivered: 1}, 3) // the fourth
	require.Equal(t, uint64(2), c.Unsettled(5), "the third and the fifth")
	forget()
	c.Settle(journal.Outcome{Delivered: 1}, 0)
	readAll(t, c)
	requireOpen(t, five)
	again, _ := c.Await(5)
	<-again
}

func requireOpen(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
		t.Fatal("told too early")
	default:
	}
}

func TestAbandonSettlesEverything(t *testing.T) {
	t.Parallel()
	j := open(t, journal.Options{Limit: tiny})
	c, other := reader(j, journal.CursorOptions{}), reader(j, journal.CursorOptions{})
	for i := range uint64(3) {
		require.NoError(t, j.Append(record(i+1, 60)))
	}
	require.Equal(t, 2, read(c, nil, 2, 1000, false).Count)
	c.Settle(journal.Outcome{Delivered: 1}, 2)
	done, _ := c.Await(3)
	j.Close()
	c.Abandon()
	<-done
	want := journal.Account{Delivered: 1, Drops: journal.Drops{Shutdown: 2}}
	require.Equal(t, want, c.Account())
	c.Settle(journal.Outcome{Delivered: 1}, 0) // by a sink that returned after all
	c.Abandon()
	require.Zero(t, read(c, nil, 10, 1000, true).Count)
	require.False(t, c.Wait())
	require.Equal(t, want, c.Account())
	require.Len(t, readAll(t, other), 3)
	requireExact(t, j)
}

// Random appenders and readers, of which some are slow, on journals of a few
// segments: nothing is lost that is not counted, nothing is read twice or out
// of order, and the account is exact at any time.
func TestAccountIsExactWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			j := open(t, journal.Options{Limit: 256 + rnd.Int64N(4<<10), SegmentSize: 32 + rnd.IntN(200)})
			var readers sync.WaitGroup
			for range 1 + rnd.IntN(4) {
				o := journal.CursorOptions{
					Batch: 1 + rnd.IntN(20), BatchBytes: 1 + rnd.IntN(500), Linger: time.Duration(rnd.IntN(3)) * time.Microsecond,
					Overflow: journal.Overflow(rnd.IntN(2)), BlockTimeout: time.Millisecond,
				}
				c, rnd := j.NewCursor(o), rand.New(rand.NewPCG(seed, rnd.Uint64()))
				readers.Go(func() { readRandomly(t, j, c, o, rnd) })
			}
			var appenders sync.WaitGroup
			for range 3 {
				rnd := rand.New(rand.NewPCG(seed, rnd.Uint64()))
				appenders.Go(func() {
					for range 300 {
						err := j.Append(make([]byte, rnd.IntN(100)))
						if err != nil {
							require.ErrorIs(t, err, journal.ErrTooLarge)
						}
						if rnd.IntN(50) == 0 {
							requireExact(t, j)
						}
					}
				})
			}
			appenders.Wait()
			j.Close()
			readers.Wait()
			accounts, appended := j.Accounts()
			for _, a := range accounts {
				require.Zero(t, a.Pending)
				require.Equal(t, appended, a.Filtered+a.Delivered+a.Rejected+a.Drops.Total())
			}
		})
	}
}

func readRandomly(t *testing.T, j *journal.Journal, c *journal.Cursor, o journal.CursorOptions, rnd *rand.Rand) {
	next := uint64(1)
	for c.Wait() {
		if rnd.IntN(3) == 0 {
			requireExact(t, j)
		}
		for left := o.Batch; left > 0; {
			_, chunk := c.Read(nil, left, o.BatchBytes, left == o.Batch)
			if chunk.Gap.Last > 0 {
				assert.Equal(t, next, chunk.Gap.First)
				next = chunk.Gap.Last + 1
				continue
			}
			assert.Equal(t, next, chunk.First)
			if chunk.Count == 0 {
				break
			}
			next += uint64(chunk.Count)
			left -= chunk.Count
			n := uint64(rnd.IntN(chunk.Count + 1))
			c.Settle(journal.Outcome{Filtered: n}, chunk.First+n)
			c.Settle(journal.Outcome{Delivered: uint64(chunk.Count) - n}, 0)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	j := open(t, journal.Options{Limit: 1 << 20})
	reader(j, journal.CursorOptions{Linger: time.Hour}) // stuck
	frame := []byte(strings.Repeat("x", 150))
	fill := func() {
		for range 20_000 {
			_ = j.Append(frame)
		}
	}
	fill()
	require.Zero(t, int(testing.AllocsPerRun(1, fill)/100), "segments are recycled")
}

func BenchmarkAppend(b *testing.B) {
	j := journal.New(journal.Options{Limit: 64 << 20})
	defer j.Stop()
	defer j.Close()
	frame := []byte(strings.Repeat("x", 150))
	b.ReportAllocs()
	for b.Loop() {
		_ = j.Append(frame)
	}
}

// A reader that blocks appends is all that they wait for, even if another one
// keeps the segment that they need.
func TestBlockedAppendDoesNotWaitForALaggard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Options{Limit: tiny})
		stuck := reader(j, journal.CursorOptions{})
		blocking := reader(j, journal.CursorOptions{Overflow: journal.Block, BlockTimeout: time.Hour})
		ticks := time.NewTicker(time.Second)
		defer ticks.Stop()
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-ticks.C:
					readAll(t, blocking)
				case <-stop:
					return
				}
			}
		}()
		start := time.Now()
		for i := range uint64(40) {
			require.NoError(t, j.Append(record(i+1, 60)))
		}
		close(stop)
		synctest.Wait()
		require.Less(t, time.Since(start), 10*time.Second)
		require.Zero(t, blocking.Account().Drops)
		require.Positive(t, stuck.Account().Drops.Overflow)
	})
}

func TestIdleJournalGivesMemoryBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Options{Limit: 8 << 20})
		c := reader(j, journal.CursorOptions{})
		for i := range uint64(7000) {
			require.NoError(t, j.Append(record(i+1, 1000)))
		}
		time.Sleep(time.Minute) // the pacer sleeps
		readAll(t, c)
		require.LessOrEqual(t, j.Unused(), int64(1<<20))
	})
}

// The time that a record waits for a batch to fill begins when it is there,
// also while the reader is busy with another batch.
func TestLingerBeginsWithTheRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Options{Limit: 1 << 20})
		c := reader(j, journal.CursorOptions{Batch: 10, BatchBytes: 1000, Linger: 10 * time.Second})
		require.NoError(t, j.Append(record(1, 60)))
		require.True(t, c.Wait())
		require.Equal(t, 1, read(c, nil, 10, 1000, true).Count)
		require.NoError(t, j.Append(record(2, 60)))
		time.Sleep(9 * time.Second) // busy
		c.Settle(journal.Outcome{Delivered: 1}, 0)
		start := time.Now()
		require.True(t, c.Wait())
		require.LessOrEqual(t, time.Since(start), 1100*time.Millisecond)
	})
}

// What ends the wait of a reader that has a batch, and gathers more.
func TestWaitForPaces(t *testing.T) {
	t.Parallel()
	const d = time.Hour
	fill := func(n int) func(*journal.Journal, *journal.Cursor) {
		return func(j *journal.Journal, _ *journal.Cursor) {
			for i := range n {
				_ = j.Append(record(uint64(i+2), 60))
			}
		}
	}
	block := journal.CursorOptions{Overflow: journal.Block, BlockTimeout: time.Minute}
	for name, test := range map[string]struct {
		full    bool
		options journal.CursorOptions
		other   *journal.CursorOptions // of a reader that has read nothing
		then    func(j *journal.Journal, c *journal.Cursor)
		hurried bool
		late    bool // after d
	}{
		"nothing":                        {then: fill(0), late: true},
		"nothing, full":                  {then: fill(0), full: true, late: true},
		"more":                           {then: fill(10)},
		"less than a batch more":         {then: fill(9), late: true},
		"more, full":                     {then: fill(11), full: true, late: true},
		"awaited":                        {then: func(_ *journal.Journal, c *journal.Cursor) { c.Await(1) }, hurried: true},
		"awaited, full":                  {then: func(_ *journal.Journal, c *journal.Cursor) { c.Await(1) }, full: true, hurried: true},
		"closed":                         {then: func(j *journal.Journal, _ *journal.Cursor) { j.Close() }, hurried: true},
		"closed, full":                   {then: func(j *journal.Journal, _ *journal.Cursor) { j.Close() }, full: true, hurried: true},
		"appends wait":                   {then: fill(30), options: block},
		"appends wait, full":             {then: fill(30), options: block, full: true, hurried: true},
		"appends wait for another, full": {then: fill(3), options: block, other: &block, full: true, late: true},
		"overflow, full":                 {then: fill(30), full: true, late: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limit := int64(tiny)
				if !strings.Contains(name, "append") && !strings.Contains(name, "overflow") {
					limit = 1 << 20
				}
				j := open(t, journal.Options{Limit: limit})
				test.options.Batch, test.options.BatchBytes, test.options.Linger = 10, 1<<20, 2*d
				c := reader(j, test.options)
				require.NoError(t, j.Append(record(1, 60)))
				require.Equal(t, 1, read(c, nil, 1, 1000, true).Count)
				if test.other != nil {
					reader(j, *test.other)
					for i := range uint64(13) {
						require.NoError(t, j.Append(record(i+2, 60)))
					}
					require.Equal(t, 3, read(c, nil, 10, 1000, true).Count)
				}
				start := time.Now()
				over := make(chan struct{})
				go func() {
					defer close(over)
					time.Sleep(d / 2) // everything is asleep by then
					test.then(j, c)
				}()
				require.Equal(t, test.hurried, c.WaitFor(d, test.full))
				took := time.Since(start)
				if test.late {
					require.Equal(t, d, took)
				} else {
					require.Less(t, took, d/2+10*time.Millisecond)
				}
				j.Close()
				<-over
			})
		})
	}
}
