package line_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fapilog/fapilog/internal/line"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 4, 12, 0, 1, 5e6, time.UTC)

func event(level slog.Level, msg string, args ...any) sinks.Event {
	r := slog.NewRecord(noon, level, msg, 0)
	r.Add(args...)
	return sinks.NewEvent(r)
}

// printed returns what a buffer makes of events.
func printed(t *testing.T, f line.Format, color bool, events ...sinks.Event) string {
	t.Helper()
	b, err := line.New(f, color)
	require.NoError(t, err)
	var out bytes.Buffer
	b.Render(events)
	_, err = b.Flush(&out, line.Verdict)
	require.NoError(t, err)
	return out.String()
}

func TestFormats(t *testing.T) {
	t.Parallel()
	events := []sinks.Event{
		event(slog.Level(math.MinInt32), "trace", "n", 1),
		event(slog.LevelInfo, "two words", slog.Group("g", "a b", "c d"), "err", errors.New("broken")),
	}
	require.Equal(t, string(events[0].JSON())+string(events[1].JSON()), printed(t, line.JSON, true, events...))
	require.Equal(t, `time=2026-03-04T12:00:01.005Z level=DEBUG-2147483644 msg=trace n=1
time=2026-03-04T12:00:01.005Z level=INFO msg="two words" "g.a b"="c d" err=broken
`, printed(t, line.Text, true, events...))
	require.Equal(t, `12:00:01.005 DBG-2147483644 trace n=1
12:00:01.005 INF two words "g.a b"="c d" err=broken
`, printed(t, line.Pretty, false, events...))
	require.Equal(t, "\x1b[2m12:00:01.005\x1b[0m \x1b[92mINF\x1b[0m x \x1b[2ma=\x1b[0mb\n",
		printed(t, line.Pretty, true, event(slog.LevelInfo, "x", "a", "b")))
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	_, err := line.New("xml", false)
	require.ErrorContains(t, err, `unknown format "xml"`)
}

// Whatever is logged, a record is one line, no escape sequence of its own gets
// to the terminal, and nothing is lost.
func TestPrettyIsSafe(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{
		"\x1b[2J", `\x1b[2J`, `a b \x1b[2J`, "a\x1b]0;title\x07b", "a\nb", "a\rb", "a\x7fb", "\u009b31m",
		"a\xffb", "a\ufffdb", "\u202eabc", "\x1b", "\"\x1b", "",
	} {
		for _, color := range []bool{false, true} {
			e := event(slog.LevelWarn, evil+"message",
				"plain", evil+"value", evil+"key", 1, "err", errors.New(evil+"error"), "bytes", []byte(evil), "any", []string{evil},
				slog.Group(evil+"group", evil+"inner", evil+"nested"))
			out := printed(t, line.Pretty, color, e)
			what := fmt.Sprintf("%q in color=%v: %q", evil, color, out)
			require.Equal(t, len(out)-1, strings.IndexByte(out, '\n'), what)
			for _, own := range []string{"\x1b[0m", "\x1b[2m", "\x1b[93m"} {
				if color {
					out = strings.ReplaceAll(out, own, "")
				}
			}
			for _, bad := range []string{"\x1b", "\r", "\x07", "\x7f", "\u009b", "\u202e", "\xff"} {
				require.NotContains(t, out, bad, what)
			}
			for _, word := range []string{"message", "value", "key", "=1", "error", "nested"} {
				require.Contains(t, out, word, what)
			}
		}
	}
}

// A record that cannot be rendered takes no other with it. An event that was
// not made for anything is such a record.
func TestRecordThatCannotBeRendered(t *testing.T) {
	t.Parallel()
	b, err := line.New(line.JSON, false)
	require.NoError(t, err)
	var out bytes.Buffer
	b.Render([]sinks.Event{event(0, "one"), {}, event(0, "two")})
	_, err = b.Flush(&out, line.Verdict)
	require.Equal(t, 2, strings.Count(out.String(), "\n"))
	var items *sinks.BatchError
	require.ErrorAs(t, err, &items)
	require.Len(t, items.Items, 1)
	kind, _, _ := verdict.Of(items.Items[1])
	require.Equal(t, verdict.Permanent, kind)
	require.ErrorContains(t, items.Items[1], "render record")

	// If there is nothing but such records, nothing is written.
	b.Render([]sinks.Event{{}})
	n, err := b.Flush(nil, line.Verdict)
	require.Zero(t, n)
	require.ErrorAs(t, err, &items)
}

// cutter is a stream that takes only so many bytes before each failure.
type cutter struct {
	bytes.Buffer
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.left >= len(p) {
		c.left -= len(p)
		return c.Buffer.Write(p)
	}
	n, _ := c.Buffer.Write(p[:c.left])
	c.left = 0
	return n, syscall.EIO
}

// Wherever the stream fails, and however often, its content is that of one that
// does not fail.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	batch := []sinks.Event{event(0, "one"), event(0, "two", "a", 1), event(0, "three")}
	want := printed(t, line.Text, false, batch...)
	for first := range len(want) + 1 {
		for second := 0; first+second <= len(want); second++ {
			b, err := line.New(line.Text, false)
			require.NoError(t, err)
			out := &cutter{}
			todo := batch
			for _, left := range []int{first, second, 1 << 20} {
				out.left = left
				if todo = deliver(t, b, out, todo); todo == nil {
					break
				}
			}
			require.Equal(t, want, out.String(), "cut at %d and %d more", first, second)
			require.Zero(t, b.Torn())
		}
	}
}

// A torn line whose record was given up ends with a newline.
func TestTornLineOfARecordGivenUp(t *testing.T) {
	t.Parallel()
	b, err := line.New(line.JSON, false)
	require.NoError(t, err)
	out := &cutter{left: 20}
	left := deliver(t, b, out, []sinks.Event{event(0, "one")})
	require.Len(t, left, 1)
	require.Equal(t, 20, b.Torn())

	other := sinks.NewEvent(slog.NewRecord(time.Time{}, 0, "two", 0)) // begins differently
	require.Len(t, deliver(t, b, out, []sinks.Event{other}), 1)       // not a byte
	require.Equal(t, 20, b.Torn())
	out.left = 1
	require.Len(t, deliver(t, b, out, []sinks.Event{other}), 1) // the newline
	require.Zero(t, b.Torn())
	out.left = 1 << 20
	require.Empty(t, deliver(t, b, out, []sinks.Event{other}))
	lines := strings.SplitAfter(out.String(), "\n")
	require.Equal(t, []string{string(event(0, "one").JSON()[:20]) + "\n", string(other.JSON()), ""}, lines)
}

func TestRandomCuts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		b, err := line.New(line.JSON, false)
		require.NoError(t, err)
		out := &cutter{}
		var want bytes.Buffer
		for range 1 + rng.IntN(10) {
			var batch []sinks.Event
			for range 1 + rng.IntN(5) {
				e := event(0, strings.Repeat("x", rng.IntN(40)), "n", rng.Int())
				want.Write(e.JSON())
				batch = append(batch, e)
			}
			for batch != nil {
				out.left = rng.IntN(300)
				batch = deliver(t, b, out, batch)
			}
		}
		require.Equal(t, want.String(), out.String(), "seed %d", seed)
	}
}

// deliver does what a worker does: it returns the records that are left.
func deliver(t *testing.T, b *line.Buffer, out *cutter, batch []sinks.Event) (left []sinks.Event) {
	t.Helper()
	before := out.Len()
	b.Render(batch)
	b.Resume()
	n, err := b.Flush(out, line.Verdict)
	require.Equal(t, out.Len()-before, n)
	if err == nil {
		return nil
	}
	var items *sinks.BatchError
	require.ErrorAs(t, err, &items)
	require.NotEmpty(t, items.Items)
	for i, e := range batch {
		if items.Items[i] != nil {
			left = append(left, e)
		}
	}
	return left
}

func TestWriterThatTakesNothing(t *testing.T) {
	t.Parallel()
	b, err := line.New(line.JSON, false)
	require.NoError(t, err)
	b.Render([]sinks.Event{event(0, "one")})
	_, err = b.Flush(lazy{}, line.Verdict)
	require.ErrorContains(t, err, "short write")
}

type lazy struct{}

func (lazy) Write([]byte) (int, error) { return 0, nil }

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	b, err := line.New(line.JSON, false)
	require.NoError(t, err)
	batch := []sinks.Event{event(0, "one"), event(0, "two")}
	var out bytes.Buffer
	write := func() {
		out.Reset()
		b.Render(batch)
		b.Resume()
		if _, err := b.Flush(&out, line.Verdict); err != nil {
			t.Fatal(err)
		}
	}
	write()
	require.Zero(t, testing.AllocsPerRun(100, write))
}

func BenchmarkRender(b *testing.B) {
	events := make([]sinks.Event, 256)
	for i := range events {
		events[i] = event(0, "request served", "path", "/api/v1/orders", "status", 200, "cached", true)
	}
	for _, f := range []line.Format{line.JSON, line.Text, line.Pretty} {
		b.Run(string(f), func(b *testing.B) {
			buf, err := line.New(f, true)
			require.NoError(b, err)
			b.ReportAllocs()
			for range b.N/len(events) + 1 {
				buf.Render(events)
			}
		})
	}
}

// writes notes the sizes of writes.
type writes struct {
	bytes.Buffer
	each []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.each = append(w.each, string(p))
	return w.Buffer.Write(p)
}

func TestAtomicWritesAreWholeLines(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var events []sinks.Event
		for range 1 + rnd.IntN(30) {
			events = append(events, event(slog.LevelInfo, strings.Repeat("x", rnd.IntN(300))))
		}
		b, err := line.New(line.JSON, false)
		require.NoError(t, err)
		b.Atomic(256)
		b.Render(events)
		var w writes
		_, err = b.Flush(&w, line.Verdict)
		require.NoError(t, err)
		require.Equal(t, printed(t, line.JSON, false, events...), w.String())
		for i, p := range w.each {
			require.True(t, strings.HasSuffix(p, "\n"))
			require.True(t, len(p) <= 256 || strings.Count(p, "\n") == 1, "%d bytes, %d lines", len(p), strings.Count(p, "\n"))
			if i > 0 {
				first, _, _ := strings.Cut(p, "\n")
				require.Greater(t, len(w.each[i-1])+len(first)+1, 256, "the line would have fit into the write before")
			}
		}
	}
}
