package file

import (
	"context"
	"io/fs"
	"math"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/compress"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() { registry.Register("file", Open) }

// leastSize is the least value of max_size in a URI, in bytes: below it, there
// is a unit missing.
const leastSize = 1 << 10

// Open makes the sink of a URI with the scheme file, for which it is
// registered.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	path, err := uri.LocalPath()
	o := Options{
		Format:       Format(uri.Enum("format", string(JSON), string(JSON), string(Text))),
		Mode:         mode(uri),
		MaxSize:      uri.Size("max_size", 0),
		Rotate:       period(uri),
		Compress:     Compression(uri.Enum("compress", string(None), compress.Names()...)),
		MaxBackups:   uri.Int("max_backups", 0, 1, math.MaxInt),
		MaxAge:       uri.Duration("max_age", 0),
		MaxTotalSize: uri.Size("max_total_size", 0),
	}
	if err != nil {
		return nil, err
	}
	if o.MaxSize < leastSize && uri.Has("max_size") {
		uri.Reject("max_size", "less than 1KiB: write for example max_size=100MiB")
	}
	for name, zero := range map[string]bool{"max_age": o.MaxAge == 0, "max_total_size": o.MaxTotalSize == 0} {
		if zero && uri.Has(name) {
			uri.Reject(name, "not more than zero: leave it out to keep all rotated files")
		}
	}
	for _, p := range o.problems() {
		uri.Reject(p.name, p.reason)
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
	text := uri.Public("mode", "0600")
	m, err := strconv.ParseUint(text, 8, 32)
	if err != nil || m == 0 || m > 0o777 {
		uri.Reject("mode", "not the permissions of a file in octal: write for example mode=0640")
		return DefaultMode
	}
	return fs.FileMode(m)
}

// period returns the value of the parameter rotate.
func period(uri *registry.URI) time.Duration {
	text := uri.Public("rotate", "")
	switch strings.ToLower(text) {
	case "daily":
		return 24 * time.Hour
	case "hourly":
		return time.Hour
	}
	if text == "" && !uri.Has("rotate") {
		return 0
	}
	d, err := registry.ParseDuration(text)
	if err != nil || d < time.Second {
		uri.Reject("rotate", "neither daily nor hourly nor a duration of a second or more: write for example rotate=daily or rotate=15m")
		return 0
	}
	return d
}

// localPath makes a path of that of a URI: on Windows, file:///C:/logs/app.log
// has a slash before the drive.
func localPath(path string) string {
	if runtime.GOOS == "windows" && len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	return filepath.FromSlash(path)
}
