// Package file appends records to a file, as lines.
//
// # URI
//
//	file:logs/app.log
//	file:///var/log/app.log?format=text&mode=0640
//
// The first form is relative to the working directory that the program has when
// the sink is opened, the second absolute. file://logs/app.log, where "logs"
// would be a host, is an error. The parameters are
//
//	format  json or text (default json)
//	mode    permissions of the file if it is created, in octal (default 0600)
//
// where json is what [slog.JSONHandler] prints, and text is what
// [slog.TextHandler] prints, except for values that only encoding/json can
// render: these are rendered when they are logged, and so text has
// tags="[\"a\"]" for []string{"a"}, where slog.TextHandler prints tags=[a].
//
// Missing directories are created, with the mode of the file and in addition
// the right to enter for everyone with the right to read: 0700 for 0600, 0755
// for 0644. As always, the umask takes away from both. What exists keeps its
// permissions. Named pipes and sockets are refused.
//
// # Delivery
//
// A batch is one write of whole lines to a file that is opened for appending,
// so several programs can write to one file. A record is delivered when the
// operating system has taken its line: it survives the end of the program,
// however it comes, but not a power failure, because the disk is not waited
// for, neither after a batch nor at the end.
//
// The file stays open. Programs such as logrotate are to copy and truncate it
// (copytruncate): after a file was renamed or deleted, the sink goes on writing
// to it until the program is restarted.
//
// A file that does not end with a newline, because a program was killed while
// it wrote, gets one before the first record.
//
// # Errors
//
// A disk that is full, over quota, read-only or failing is for an operator to
// see to: the data is kept ([sinks.Hold]). Any other error is tried again. A
// record that cannot be rendered is refused, by itself.
//
// After a write that took a part of the batch, only the records that are not
// in the file completely are tried again, and a line that was torn is continued
// where it broke off: there are no duplicates, and no lines that are torn or run
// into each other. If the line will not be continued, because its record was
// given up or the sink is closed, the piece is cut off the end of the file. If
// another program has written to the file in between, nothing can be continued
// or cut off: then a newline ends the piece, and the record is written again.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/fapilog/fapilog/internal/line"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() { registry.Register("file", Open) }

// DefaultMode is the mode of a file that is created.
const DefaultMode fs.FileMode = 0o600

// Format says what a line looks like.
type Format string

// The formats. The zero value is JSON.
const (
	JSON Format = "json"
	Text Format = "text"
)

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	Format Format      // default JSON
	Mode   fs.FileMode // permissions of the file if it is created, before umask; default DefaultMode
}

// Open makes the sink of a URI with the scheme file, for which it is
// registered.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	path, err := uri.LocalPath()
	o := Options{
		Format: Format(uri.Enum("format", string(JSON), string(JSON), string(Text))),
		Mode:   mode(uri),
	}
	if err != nil {
		return nil, err
	}
	if err := uri.Check(); err != nil {
		return nil, err
	}
	s, err := New(localPath(path), o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// mode returns the value of the parameter mode.
func mode(uri *registry.URI) fs.FileMode {
	text := uri.Text("mode", "")
	if text == "" && !uri.Has("mode") {
		return DefaultMode
	}
	m, err := strconv.ParseUint(text, 8, 32)
	if err != nil || m == 0 || m > 0o777 {
		uri.Reject("mode", "not the permissions of a file in octal: write for example mode=0640")
		return DefaultMode
	}
	return fs.FileMode(m)
}

// localPath makes a path of that of a URI: on Windows, file:///C:/logs/app.log
// has a slash before the drive.
func localPath(path string) string {
	if runtime.GOOS == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	return filepath.FromSlash(path)
}

// A Sink appends to a file.
type Sink struct {
	file  handle
	plain bool // an ordinary file, which has a size and can be truncated
	lines *line.Buffer
	close func() error

	// size is what the file has if nobody else writes to it. If unsure is set,
	// what it ends with may be anything; if not, and it has that size, it ends
	// with the torn line in lines, if there is one, or with a newline.
	size   int64
	unsure bool
}

// handle is what the sink needs of an [os.File].
type handle interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.GapMarker = (*Sink)(nil)
	_ io.Closer       = (*Sink)(nil)
)

// New opens the file with the given path for appending, and creates it and its
// directories if need be.
func New(path string, o Options) (*Sink, error) {
	if o.Mode == 0 {
		o.Mode = DefaultMode
	}
	if o.Format == "" {
		o.Format = JSON
	}
	if o.Mode&^fs.ModePerm != 0 {
		return nil, fmt.Errorf("file: open %s: mode %v is more than permissions", path, o.Mode)
	}
	if o.Format != JSON && o.Format != Text {
		return nil, fmt.Errorf("file: open %s: unknown format %q: it is json or text", path, string(o.Format))
	}
	f, err := open(path, o.Mode)
	if err != nil {
		return nil, err
	}
	s, err := newSink(f, o.Format)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

func open(path string, mode fs.FileMode) (*os.File, error) {
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return nil, fmt.Errorf("file: open %s: it is the path of a directory: add the name of a file", path)
	}
	// The working directory may change later.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("file: open: %w", err)
	}
	// To open a named pipe would wait for a reader.
	if info, err := os.Stat(path); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		hint := ""
		if strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/") {
			hint = ": write stdout:// or stderr://"
		}
		return nil, fmt.Errorf("file: open %s: it is a pipe or a socket%s", path, hint)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700|mode|(mode&0o444)>>2); err != nil {
		return nil, fmt.Errorf("file: open %s: create directory: %w", path, err)
	}
	// Reading serves to find out whether the file ends with a newline. It is
	// not worth failing for.
	const flags = os.O_APPEND | os.O_CREATE
	f, err := os.OpenFile(path, flags|os.O_RDWR, mode)
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.OpenFile(path, flags|os.O_WRONLY, mode)
	}
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return f, nil
}

func newSink(f handle, format Format) (*Sink, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("file: open %s: it is a directory", info.Name())
	}
	lines, err := line.New(line.Format(format), false)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	s := &Sink{file: f, plain: info.Mode().IsRegular(), lines: lines, size: info.Size(), unsure: true}
	s.close = sync.OnceValue(s.closeFile)
	return s, nil
}

// Write appends a batch. It does not heed its context: a write cannot be
// called off.
func (s *Sink) Write(_ context.Context, batch []sinks.Event) error {
	s.lines.Render(batch)
	if s.lines.Torn() > 0 || s.unsure {
		s.mend()
	}
	n, err := s.lines.Flush(s.file, line.Verdict)
	s.size += int64(n)
	if n > 0 {
		s.unsure = false // the file ends with what was written
	}
	if err != nil {
		if size, statErr := s.stat(); statErr != nil || size != s.size {
			s.unsure = true
		}
	}
	return err
}

// MarksGaps returns true: the lines are read in order.
func (s *Sink) MarksGaps() bool { return true }

// Close closes the file.
func (s *Sink) Close() error { return s.close() }

func (s *Sink) closeFile() error {
	if s.lines.Torn() > 0 {
		s.cut()
	}
	return s.file.Close()
}
