// Package file appends records to a file, as lines, and rotates it.
//
// # URI
//
//	file:logs/app.log
//	file:///var/log/app.log?format=text&mode=0640
//	file:///var/log/app.log?max_size=100MiB&rotate=daily&compress=gzip&max_age=30d
//
// The first form is relative to the working directory that the program has when
// the sink is opened, the second absolute. file://logs/app.log, where "logs"
// would be a host, is an error. The parameters are
//
//	format          json or text (default json)
//	mode            permissions of the file if it is created, in octal (default 0600)
//	max_size        size that the file does not exceed, 1KiB or more (default none)
//	rotate          daily, hourly, or a duration of 1s or more: how long one file is written to (default without end)
//	compress        none, gzip, or zstd: what becomes of rotated files (default none)
//	max_backups     number of rotated files that are kept, 1 or more (default all)
//	max_age         age of the oldest rotated file that is kept (default any)
//	max_total_size  size that all rotated files together do not exceed (default none)
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
// # Rotation
//
// Without max_size and rotate, there is one file, which grows until the disk is
// full or somebody else rotates it. Without max_backups, max_age and
// max_total_size, rotated files are kept for ever. These and compress are for
// files that the sink has rotated, and an error where it rotates none; so is
// the rotation of a device.
//
// With max_size, a line that does not fit any more begins a new file. A line
// that is larger than max_size gets a file of its own, and the newline that ends
// what a killed program has left does not count. With rotate, the first
// record of a period begins a new file, so a program that logs nothing has no
// empty files; the periods are counted in UTC, from midnight of a Monday long ago:
// daily (24h) is a day, hourly (1h) an hour, 168h or 7d a week from Monday, and 5h
// begins at other hours each day. The period of a file is that of the last write
// to it: a program that is started again in the same period goes on with the file.
// If the clock is set back, the file is written on until the next period begins.
//
// A rotated file has the time of the last write to it, in UTC and milliseconds,
// in its name, and stays in the directory: app.log becomes
// app-20261121T235959.998Z.log, or app-20261121T235959.998Z.log.gz when it is
// compressed. The names sort in the order in which the files were written: where
// they would not, because the clock was set back or a file is full within a
// millisecond, the name has a later time. If the path is a symbolic link, what it
// points to is rotated, in the directory where that is. The new file has the
// permissions of the one before and, if the system lets the program do that, its
// owner and group.
//
// Rotated files are compressed and deleted by one goroutine, when the first batch
// is written, and after each rotation: first those that max_backups and max_age
// exclude are deleted, then what is left is compressed, oldest first, then the
// oldest are deleted until all are within max_total_size. Age is by the time in
// the name, or of the last change if the clock was set back and that time has not
// come yet. Only regular files that are named exactly as above are touched. A file
// is compressed under a name that begins with a dot, .app-20261121T235959.998Z.log.gz.tmp,
// and takes the place of the original when it is on the disk. Closing the sink
// interrupts that; what is left is done when it is opened again. While the disk is
// full, files are not compressed, and deleted as ever.
//
// # External rotation
//
// Before each batch the sink looks whether the path still leads to the file that
// it has open. If the file was renamed or deleted, or a symbolic link now points
// elsewhere, it opens the path anew, and creates it if need be, with the mode of
// the URI. If the file was emptied, it goes on at its beginning. So logrotate
// needs no signal and no script: nocreate is best, create and copytruncate work.
// With compress, delaycompress leaves a batch that is being written the time to
// end. With copytruncate, what is written between the copy and the truncation is
// lost, as always.
//
// # Several programs
//
// Sinks and programs that do not rotate can share a file: each batch is one write
// of whole lines to a file that is opened for appending. One that rotates must have
// the file to itself. The sinks see to that with an advisory lock on the file
// (flock, LockFileEx), shared or exclusive: where two collide, the one that comes
// later creates, writes and rotates nothing, and is held (see Errors) until the
// other has ended. So at start-up it is an error, unless the sink has
// soft_start=true, as is useful where a new process is started before the old one
// ends. Some network file systems have no locks; there it is up to the operator.
//
// # Delivery
//
// A record is delivered when the operating system has taken its line: it survives
// the end of the program, however it comes, but not a power failure, because the
// disk is not waited for, neither after a batch nor at the end.
//
// A file that does not end with a newline, because a program was killed while
// it wrote, gets one before the next record.
//
// # Errors
//
// A disk that is full, over quota, read-only or failing, permissions that are
// missing, and a file that another sink has locked, are for an operator to see to:
// the data is kept ([sinks.Hold]). Any other error is tried again. That is true
// for writing as for rotating: a file that cannot be rotated is not written on
// beyond its end. A record that cannot be rendered is refused, by itself.
//
// After a write that took a part of the batch, only the records that are not
// in the file completely are tried again, and a line that was torn is continued
// where it broke off: there are no duplicates, and no lines that are torn or run
// into each other. If the line will not be continued, because its record was
// given up, or the file was renamed, or the sink is closed, the piece is cut off
// the end of the file. If another program has written to the file in between,
// nothing can be continued or cut off: then a newline ends the piece, and the
// record is written again. A program that shares the file and had no failure of
// its own does not look for such a piece, and may run into it.
//
// What goes wrong with compressing and deleting rotated files holds no record up.
// It is a warning ([sinks.Warn]) with the next batch, or an error of Close, and
// the file is tried again after the next rotation. A file that could not be
// compressed stays as it is.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fapilog/fapilog/internal/compress"
	"github.com/fapilog/fapilog/internal/line"
)

// DefaultMode is the mode of a file that is created.
const DefaultMode fs.FileMode = 0o600

// Format says what a line looks like.
type Format string

// The formats. The zero value is JSON.
const (
	JSON Format = "json"
	Text Format = "text"
)

// Compression says what becomes of rotated files.
type Compression string

// The compressions. The zero value is None. Zstd needs the import of
// github.com/fapilog/fapilog/zstd.
const (
	None Compression = compress.None
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// Options configure a sink. The zero value of each field means its default.
// The package comment has the details.
type Options struct {
	Format Format      // default JSON
	Mode   fs.FileMode // permissions of the file if it is created, before umask; default DefaultMode

	MaxSize int64         // bytes that a file does not exceed, unless a single line does; default: no limit
	Rotate  time.Duration // length of the periods, in UTC, that each get a file; a second or more; default: no periods

	// For rotated files. They need MaxSize or Rotate.
	Compress     Compression   // default None
	MaxBackups   int           // how many are kept; default: all
	MaxAge       time.Duration // age of the oldest that is kept; default: any
	MaxTotalSize int64         // bytes that all together do not exceed; default: no limit
}

func (o Options) rotates() bool { return o.MaxSize > 0 || o.Rotate > 0 }

func (o Options) retains() bool { return o.MaxBackups > 0 || o.MaxAge > 0 || o.MaxTotalSize > 0 }

func (o *Options) setDefaults() {
	if o.Mode == 0 {
		o.Mode = DefaultMode
	}
	if o.Format == "" {
		o.Format = JSON
	}
	if o.Compress == "" {
		o.Compress = None
	}
}

// A problem is what is wrong with an option, under the name it has in a URI.
type problem struct{ name, reason string }

// problems returns all that is wrong.
func (o Options) problems() (all []problem) {
	add := func(wrong bool, name, reason string) {
		if wrong {
			all = append(all, problem{name, reason})
		}
	}
	add(o.Mode&^fs.ModePerm != 0, "mode", "more than permissions")
	add(o.Format != JSON && o.Format != Text, "format", fmt.Sprintf("%q is not one of json, text", string(o.Format)))
	add(o.MaxSize < 0, "max_size", "negative")
	add(o.Rotate < 0 || o.Rotate > 0 && o.Rotate < time.Second, "rotate", "less than a second: write for example rotate=daily")
	add(o.MaxBackups < 0, "max_backups", "negative")
	add(o.MaxAge < 0, "max_age", "negative")
	add(o.MaxTotalSize < 0, "max_total_size", "negative")
	if _, err := compress.Lookup(string(o.Compress)); err != nil {
		add(true, "compress", err.Error())
	}
	if !o.rotates() {
		const reason = "is for rotated files: set max_size or rotate, too"
		add(o.Compress != None, "compress", reason)
		add(o.MaxBackups > 0, "max_backups", reason)
		add(o.MaxAge > 0, "max_age", reason)
		add(o.MaxTotalSize > 0, "max_total_size", reason)
	}
	add(o.Compress == None && o.MaxTotalSize > 0 && o.MaxTotalSize < o.MaxSize, "max_total_size",
		"less than max_size: no rotated file would be kept")
	return all
}

// New opens the file with the given path for appending, and creates it and its
// directories if need be. The sink locks the file when it is probed or written
// to for the first time.
func New(path string, o Options) (*Sink, error) { return newSink(path, o, realSystem) }

func newSink(path string, o Options, sys system) (*Sink, error) {
	o.setDefaults()
	var problems []error
	for _, p := range o.problems() {
		problems = append(problems, fmt.Errorf("file: open %s: %s: %s", path, p.name, p.reason))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return nil, fmt.Errorf("file: open %s: it is the path of a directory: add the name of a file", path)
	}
	// The working directory may change later.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("file: open: %w", err)
	}
	lines, err := line.New(line.Format(o.Format), false)
	if err != nil {
		return nil, fmt.Errorf("file: open %s: %w", path, err)
	}
	format, err := compress.Lookup(string(o.Compress))
	if err != nil {
		return nil, fmt.Errorf("file: open %s: %w", path, err)
	}
	s := new(Sink)
	s.out = output{path: path, options: o, sys: sys, lines: lines, troubles: &s.troubles}
	if o.rotates() {
		s.out.keeper = newKeeper(o, format, sys, &s.troubles)
	}
	if err := s.out.reopen(); err != nil {
		return nil, err
	}
	return s, nil
}
