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
//	color   auto, always or never (default auto)
//
// where json is what [slog.JSONHandler] prints, text is what [slog.TextHandler]
// prints, except that values that only encoding/json can render are rendered by
// it, and pretty is for people: the time of day, the level and the message.
// Format auto is pretty on a terminal, and json otherwise, whatever is said
// about colors: what reads a pipe or a file is a program.
//
// Only pretty has colors. With color auto, a terminal has them and nothing else
// has, unless the environment says otherwise. The first of these variables that
// is set decides:
//
//	NO_COLOR        not empty: no colors (https://no-color.org)
//	CLICOLOR_FORCE  neither empty nor 0: colors, also in pipes and files
//	                (https://bixense.com/clicolors)
//	CLICOLOR        0: no colors
//	TERM            dumb: no colors
//
// The parameter goes before all of them: always and never mean what they say.
//
// The output is os.Stdout or os.Stderr as it is when the sink is opened. If it
// has been closed, or is open for reading only, opening the sink fails. On Unix,
// a program that is started with a closed standard output (>&-) does not get
// there: the Go runtime opens /dev/null in its place.
//
// A Windows console shows Unicode whatever its code page is. It is made to
// interpret colors when the sink is opened, and stays so; one that is too old
// for that has none.
//
// # Delivery
//
// A batch is one write of whole lines, and several to a pipe: each so small that
// the system does not mix it with what others write to the same pipe, unless a
// single line is larger than that (4 KiB on Linux, 512 bytes elsewhere). A
// record is delivered when the operating system has taken its line. After a
// write that took a part of the batch, only the records that are not out
// completely are tried again, and a line that was torn is continued where it
// broke off: there are no duplicates.
//
// A reader that stalls, or a terminal that was stopped with Ctrl-S, blocks
// Write, and with it this sink alone. It goes on as soon as the reader does.
// What happens at the sink's timeout depends on the mode of the output. One that
// is in blocking mode, as nearly all are, cannot be called off: the sink is
// reported as hanging, and a goroutine is left waiting at the end if the reader
// still stalls. One in non-blocking mode is called off: the sink is reported as
// retrying, and nothing is left behind. The sink does not change the mode, for
// it is that of all programs that have the output open.
//
// # Errors
//
// When the reader of a pipe has exited, or the window of a terminal was closed,
// the records are refused ([sinks.Permanent]): each one is counted as rejected,
// at the cost of one write for a batch, and the program goes on. Held back they
// would fill the buffer, where a sink with overflow=block would slow down the
// program, and delay its end, for the sake of a reader that does not come back.
// If one does, as with a named pipe, it gets what is logged from then on. The
// signal SIGPIPE, which ends a Go program that writes to a closed standard
// output, is not raised. SIGHUP, which a program gets when its terminal is
// closed, is the program's affair.
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
	"time"

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
	Format Format // default Auto
	Color  Color  // default ColorAuto
}

// A Sink writes lines to a stream.
type Sink struct {
	out      io.Writer
	own      *os.File // out, if it is a descriptor of the sink's own
	deadline bool     // that can be given a deadline
	terminal bool
	lines    *line.Buffer
	close    func() error // of own
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.GapMarker = (*Sink)(nil)
	_ io.Closer       = (*Sink)(nil)
)

// Open makes the sink of a URI with the scheme stdout or stderr. It is
// registered for both.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	o := Options{
		Format: Format(uri.Enum("format", string(Auto), string(Auto), string(JSON), string(Text), string(Pretty))),
		Color:  Color(uri.Enum("color", string(ColorAuto), string(ColorAuto), string(ColorAlways), string(ColorNever))),
	}
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
//
// Anything else is no terminal, nor an output of the program: the variables of
// the environment that ask for colors are not meant for it, and ColorAuto is
// ColorNever.
//
// It is an error if w is a file that is closed or not open for writing.
func New(w io.Writer, o Options) (*Sink, error) {
	s := &Sink{out: w, close: func() error { return nil }}
	f, isFile := w.(*os.File)
	if isFile {
		own, err := descriptor.Duplicate(f)
		if err != nil {
			return nil, fmt.Errorf("stdio: open %s: redirect it if it is closed, for example to %s: %w", nameOf(f), os.DevNull, err)
		}
		if own != f {
			s.out, s.own, s.close = own, own, sync.OnceValue(own.Close)
			s.deadline = own.SetWriteDeadline(time.Time{}) == nil
		}
		s.terminal = isTerminal(f)
	} else if o.Color == ColorAuto || o.Color == "" {
		o.Color = ColorNever
	}
	if o.Format == Auto || o.Format == "" {
		o.Format = JSON
		if s.terminal {
			o.Format = Pretty
		}
	}
	color, colorErr := o.Color.wanted(s.terminal)
	if color && s.terminal && o.Format == Pretty {
		color = enableColor(f)
	}
	lines, err := line.New(line.Format(o.Format), color)
	if err = errors.Join(colorErr, err); err != nil {
		return nil, errors.Join(fmt.Errorf("stdio: new sink: %w", err), s.close())
	}
	s.lines = lines
	if isFile && isPipe(f) {
		lines.Atomic(pipeBuf())
	}
	return s, nil
}

// nameOf returns the name of f, which is nil where a program has no standard
// output.
func nameOf(f *os.File) string {
	if f == nil {
		return "the output"
	}
	return f.Name()
}

// pipeBuf returns PIPE_BUF, the size up to which a write to a pipe is atomic:
// 4096 bytes on Linux (pipe(7)), and 512, the least that POSIX allows, elsewhere.
func pipeBuf() int {
	if runtime.GOOS == "linux" {
		return 4096
	}
	return 512
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

func isTerminal(f *os.File) (is bool) {
	_ = descriptor.Control(f, func(fd uintptr) { is = term.IsTerminal(int(fd)) })
	return is
}

// Write writes a batch. It returns when ctx ends if the output is in
// non-blocking mode. Otherwise it does not heed its context: such a write
// cannot be called off.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	s.lines.Render(batch)
	s.lines.Resume()
	if s.deadline {
		defer s.callOff(ctx)()
	}
	_, err := s.lines.Flush(s.out, s.verdict)
	return err
}

// callOff has the writes to own fail when ctx ends, until the function that it
// returns is called.
func (s *Sink) callOff(ctx context.Context) (end func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = s.own.SetWriteDeadline(time.Unix(1, 0)) // long past; an error would mean that it is closed
	})
	return func() {
		if !stop() {
			<-done // lest the next batch meets the deadline of this one
			_ = s.own.SetWriteDeadline(time.Time{})
		}
	}
}

func (s *Sink) verdict(err error) error {
	switch {
	case line.Gone(err), s.terminal && line.HungUp(err):
		return sinks.Permanent(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The output itself is what to wait for, not a backoff.
		return sinks.RetryAfter(fmt.Errorf("the reader stalls: %w", err), 0)
	default:
		return line.Verdict(err)
	}
}

// MarksGaps returns true: the lines are read in order.
func (s *Sink) MarksGaps() bool { return true }

// Close gives up the sink's own descriptor.
func (s *Sink) Close() error { return s.close() }
