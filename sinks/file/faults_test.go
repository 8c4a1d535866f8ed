package file_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/file"
)

// faulty opens a sink on a new file that fails with ENOSPC.
func faulty(t *testing.T) (*file.Sink, *file.Faulty) {
	t.Helper()
	f := &file.Faulty{Err: syscall.ENOSPC}
	s, err := file.NewFaulty(filepath.Join(t.TempDir(), "app.log"), file.Options{Format: file.JSON}, f)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, f
}

// attempt does what a worker does: it returns the records that are left, which
// must be held back.
func attempt(t *testing.T, s *file.Sink, batch []sinks.Event) (left []sinks.Event) {
	t.Helper()
	err := s.Write(context.Background(), batch)
	if err == nil {
		return nil
	}
	var items *sinks.BatchError
	if !errors.As(err, &items) {
		kind, _, _ := verdict.Of(err)
		require.Equal(t, verdict.Hold, kind, err)
		return batch
	}
	require.NotEmpty(t, items.Items)
	for i, e := range batch {
		if items.Items[i] != nil {
			kind, _, _ := verdict.Of(items.Items[i])
			require.Equal(t, verdict.Hold, kind)
			left = append(left, e)
		}
	}
	return left
}

func joined(events ...sinks.Event) string {
	var b strings.Builder
	for _, e := range events {
		b.Write(e.JSON())
	}
	return b.String()
}

// Wherever the disk is full, and full again, in the end the file has each line
// once. At no time has it anything but lines in order and the beginning of the
// next.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	batch := []sinks.Event{event("one"), event("two", "a", 1), event("three")}
	want := joined(batch...)
	for first := range len(want) {
		for second := 0; first+second < len(want); second += 1 + first%3 {
			s, f := faulty(t)
			todo := batch
			for _, f.Left = range []int{first, second, 1 << 20} {
				todo = attempt(t, s, todo)
				require.True(t, strings.HasPrefix(want, read(t, f.Name())))
			}
			require.Empty(t, todo)
			require.Equal(t, want, read(t, f.Name()), "cut at %d and %d more", first, second)
		}
	}
}

func TestRandomCuts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s, f := faulty(t)
		f.NoTruncate = rng.IntN(2) == 0
		var all []sinks.Event
		for range 1 + rng.IntN(10) {
			var batch []sinks.Event
			for range 1 + rng.IntN(5) {
				batch = append(batch, event(strings.Repeat("x", rng.IntN(40)), "n", rng.Int()))
			}
			all = append(all, batch...)
			for batch != nil {
				f.Left = rng.IntN(300)
				batch = attempt(t, s, batch)
			}
		}
		require.Equal(t, joined(all...), read(t, f.Name()), "seed %d", seed)
	}
}

// If the record of a torn line is given up, the piece disappears.
func TestTornLineOfARecordGivenUp(t *testing.T) {
	t.Parallel()
	one, two, other := event("one"), event("two"), event("other")
	for cut := range len(two.JSON()) {
		for _, noTruncate := range []bool{false, true} {
			s, f := faulty(t)
			f.NoTruncate = noTruncate
			f.Left = len(one.JSON()) + cut
			require.Len(t, attempt(t, s, []sinks.Event{one, two}), 1)
			f.Left = 1 << 20
			require.Empty(t, attempt(t, s, []sinks.Event{other}))
			want := []string{joined(one, other)}
			if noTruncate {
				want = append(want, joined(one)+string(two.JSON()[:cut])+"\n"+joined(other))
			}
			require.Contains(t, want, read(t, f.Name()), "cut at %d", cut)
		}
	}
}

// So it does if the sink is closed.
func TestTornLineAtTheEnd(t *testing.T) {
	t.Parallel()
	one := event("one")
	s, f := faulty(t)
	f.Left = len(one.JSON()) + 5
	require.Len(t, attempt(t, s, []sinks.Event{one, event("two")}), 1)
	require.NoError(t, s.Close())
	require.Equal(t, joined(one), read(t, f.Name()))
}

// What another program has written is neither cut off nor run into.
func TestFileOfTwoPrograms(t *testing.T) {
	t.Parallel()
	one, two, three := event("one"), event("two"), event("three")
	for _, theirs := range []string{"theirs\n", "theirs"} {
		for cut := range len(two.JSON()) {
			s, f := faulty(t)
			f.AfterFailed = func(name string) error {
				other, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				defer other.Close()
				_, err = other.WriteString(theirs)
				return err
			}
			f.Left = len(one.JSON()) + cut
			left := attempt(t, s, []sinks.Event{one, two, three})
			require.Len(t, left, 2)
			f.AfterFailed = nil
			require.Len(t, attempt(t, s, left), 2) // not a byte
			f.Left = 1 << 20
			require.Empty(t, attempt(t, s, left))
			want := joined(one) + string(two.JSON()[:cut]) + strings.TrimSpace(theirs) + "\n" + joined(two, three)
			require.Equal(t, want, read(t, f.Name()), "cut at %d", cut)

			// From here on, the file is known again.
			f.Left = 7
			left = attempt(t, s, []sinks.Event{one})
			f.Left = 1 << 20
			require.Empty(t, attempt(t, s, left))
			require.Equal(t, want+joined(one), read(t, f.Name()))
		}
	}
}

// Two sinks share a file on a disk that is full. The one that can write first
// when there is room again does not run into what the other has torn.
func TestFullDiskUnderASharedFile(t *testing.T) {
	t.Parallel()
	one, two, three := event("one"), event("two"), event("three")
	for cut := range len(two.JSON()) {
		s, f := faulty(t)
		g := &file.Faulty{Err: syscall.ENOSPC, Left: 1 << 20}
		other, err := file.NewFaulty(f.Path, file.Options{}, g)
		require.NoError(t, err)
		write(t, other, one)
		f.Left = len(one.JSON()) + cut
		left := attempt(t, s, []sinks.Event{one, two})
		require.Len(t, left, 1)
		g.Left = 0
		require.Len(t, attempt(t, other, []sinks.Event{three}), 1)
		f.Left, g.Left = 1<<20, 1<<20
		require.Empty(t, attempt(t, other, []sinks.Event{three}))
		require.Empty(t, attempt(t, s, left))
		torn := ""
		if cut > 0 {
			torn = string(two.JSON()[:cut]) + "\n"
		}
		require.Equal(t, joined(one, one)+torn+joined(three, two), read(t, f.Path), "cut at %d", cut)
		require.NoError(t, other.Close())
	}
}

// A file that was emptied while a line was torn begins with a whole line.
func TestFileThatIsEmptied(t *testing.T) {
	t.Parallel()
	s, f := faulty(t)
	f.Left = 5
	left := attempt(t, s, []sinks.Event{event("one")})
	require.NoError(t, os.Truncate(f.Name(), 0))
	f.Left = 1 << 20
	require.Empty(t, attempt(t, s, left))
	require.Equal(t, joined(left...), read(t, f.Name()))
}

// The newline that ends somebody else's line may be all that there is room
// for, or not even that.
func TestFullDiskAfterATornLine(t *testing.T) {
	t.Parallel()
	one := event("one")
	for cut := range len(one.JSON()) {
		s, f := faulty(t)
		require.NoError(t, os.WriteFile(f.Name(), []byte("torn"), 0o600))
		f.Left = cut
		left := attempt(t, s, []sinks.Event{one})
		require.Len(t, left, 1)
		f.Left = 1 << 20
		require.Empty(t, attempt(t, s, left))
		require.Equal(t, "torn\n"+joined(one), read(t, f.Name()), "cut at %d", cut)
	}
}
