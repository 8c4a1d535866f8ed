// Package stdio writes records to standard output and standard error, as
// lines.
//
// # URI
//
//	stdout://
//	stderr://?format=json
//
// There is no host and no path. The parameters are
//
//	format  auto, json, text or pretty (default auto)
//
// where json is what [slog.JSONHandler] prints, text is what [slog.TextHandler]
// prints, except that values that only encoding/json can render are rendered by
// it, and pretty is for people: the time of day, the level and the message,
// in color. Auto is pretty on a terminal, and json otherwise. There are no
// colors if the output is not a terminal, if the environment variable NO_COLOR
// is not empty (https://no-color.org), and if TERM is dumb.
//
// The output is os.Stdout or os.Stderr as it is when the sink is opened.
//
// # Delivery
//
// A batch is one write of whole lines, and several to a pipe: each so small that
// the system does not mix it with what others write to the same pipe, unless a
// single line is larger than that (4 KiB on Linux, 512 bytes elsewhere). A record is delivered when the operating
// system has taken its line. After a write that took a part of the batch, only
// the records that are not out completely are tried again, and a line that was
// torn is continued where it broke off: there are no duplicates.
//
// A reader that stalls blocks Write, and with it this sink alone. A pipe that
// is not in blocking mode is waited for as well.
//
// # Errors
//
// When the reader of a pipe has exited, the records are refused
// ([sinks.Permanent]): each one is counted as rejected, at the cost of one
// write for a batch, and the program goes on. Held back they would fill the
// buffer, where a sink with overflow=block would slow down the program, and
// delay its end, for the sake of a reader that does not come back. If one does,
// as with a named pipe, it gets what is logged from then on. The signal SIGPIPE,
// which ends a Go program that writes to a closed standard output, is not
// raised.
//
// If the output is a file and its disk is full or fails, the data is kept
// ([sinks.Hold]). Any other error is tried again. A record that cannot be
// rendered is refused, by itself.
package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/term"

	"github.com/fapilog/fapilog/internal/descriptor"
	"github.com/fapilog/fapilog/internal/line"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() {
	registry.Register("stdout", Open)
	registry.Register("stderr", Open)
}

// Format says what a line looks like.
type Format string

// The formats. The zero value is Auto.
const (
	Auto   Format = "auto"
	JSON   Format = "json"
	Text   Format = "text"
	Pretty Format = "pretty"
)

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	Format  Format // default Auto
	NoColor bool   // no colors, not even on a terminal
}

// A Sink writes lines to a stream.
type Sink struct {
	out   io.Writer
	lines *line.Buffer
	close func() error
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.GapMarker = (*Sink)(nil)
	_ io.Closer       = (*Sink)(nil)
)

// Open makes the sink of a URI with the scheme stdout or stderr. It is
// registered for both.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	o := Options{Format: Format(uri.Enum("format", string(Auto), string(Auto), string(JSON), string(Text), string(Pretty)))}
	if _, hasPassword := uri.Password(); uri.Host != "" || uri.Path != "" || uri.User() != "" || hasPassword {
		return nil, fmt.Errorf("it takes no host and no path: write %s:// or for example %[1]s://?format=json", uri.Scheme)
	}
	if err := uri.Check(); err != nil {
		return nil, err
	}
	out := os.Stdout
	if uri.Scheme == "stderr" {
		out = os.Stderr
	}
	s, err := New(out, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// New makes a sink that writes to w. If w is an [*os.File], it is written to
// through a descriptor of the sink's own, so that w may be closed, and, on
// Unix, so that os.Stdout does not raise SIGPIPE. Closing the sink does not
// close w.
func New(w io.Writer, o Options) (*Sink, error) {
	s := &Sink{out: w, close: func() error { return nil }}
	color := false
	if f, ok := w.(*os.File); ok {
		own, err := descriptor.Duplicate(f)
		if err != nil {
			return nil, fmt.Errorf("stdio: open %s: %w", f.Name(), err)
		}
		if own != f {
			s.out, s.close = own, sync.OnceValue(own.Close)
		}
		terminal := isTerminal(f)
		if o.Format == Auto || o.Format == "" {
			o.Format = JSON
			if terminal {
				o.Format = Pretty
			}
		}
		color = terminal && o.Format == Pretty && !o.NoColor && wantsColor() && enableColor(f)
	} else if o.Format == Auto || o.Format == "" {
		o.Format = JSON
	}
	lines, err := line.New(line.Format(o.Format), color)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stdio: new sink: %w", err), s.close())
	}
	s.lines = lines
	if isPipe(w) {
		lines.Atomic(pipeBuf())
	}
	return s, nil
}

// pipeBuf returns PIPE_BUF, the size up to which a write to a pipe is atomic:
// 4096 bytes on Linux (pipe(7)), and 512, the least that POSIX allows, elsewhere.
func pipeBuf() int {
	if runtime.GOOS == "linux" {
		return 4096
	}
	return 512
}

func isPipe(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

func isTerminal(f *os.File) (is bool) {
	_ = descriptor.Control(f, func(fd uintptr) { is = term.IsTerminal(int(fd)) })
	return is
}

// wantsColor reports that the user has nothing against colors.
func wantsColor() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// Write writes a batch. It does not heed its context: a write cannot be
// called off.
func (s *Sink) Write(_ context.Context, batch []sinks.Event) error {
	s.lines.Render(batch)
	s.lines.Resume()
	_, err := s.lines.Flush(s.out, verdict)
	return err
}

func verdict(err error) error {
	if line.Gone(err) {
		return sinks.Permanent(err)
	}
	return line.Verdict(err)
}

// MarksGaps returns true: the lines are read in order.
func (s *Sink) MarksGaps() bool { return true }

// Close gives up the sink's own descriptor.
func (s *Sink) Close() error { return s.close() }
