package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/DeRuina/timberjack"
	"github.com/fapilog/fapilog"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"
)

// The names that the goals refer to.
const (
	nameLumberjack = "slog.JSONHandler on lumberjack"
	nameTimberjack = "slog.JSONHandler on timberjack"
	nameRotBufJSON = "slog.JSONHandler on zap's BufferedWriteSyncer on lumberjack"
	nameRotZapslog = "zapslog on zap's BufferedWriteSyncer on lumberjack"
	nameRotZap     = "zap's own API on its BufferedWriteSyncer on lumberjack"
	nameRotFapilog = "fapilog file sink"
	nameOneFapilog = "fapilog file sink, no rotation"
)

// rotateMiB is the size of a file. The rotating libraries count in MiB, and
// name a rotated file by the millisecond: of two in the same one, the second
// takes the place of the first. A file of a MiB takes several.
const rotateMiB = 1

// A rotation is a set of contenders that write to files that are rotated, each
// in a directory of its own in dir. Where they are compressed, it is with gzip:
// the rotating libraries use the default level, fapilog the fastest.
type rotation struct {
	dir        string
	compressed bool
	files      map[string]*rotatedFile // of the opened contenders
}

// A target is what a contender without a sink writes to.
type target struct {
	*rotatedFile
	io.WriteCloser
}

func (r *rotation) begin(name string, rotated bool) (*rotatedFile, error) {
	dir, err := os.MkdirTemp(r.dir, "")
	f := &rotatedFile{dir: dir, path: filepath.Join(dir, "app.log"), compressed: r.compressed, rotated: rotated}
	r.files[name] = f
	return f, err
}

func (r *rotation) lumberjack(name string) (target, error) {
	f, err := r.begin(name, true)
	return target{f, &lumberjack.Logger{Filename: f.path, MaxSize: rotateMiB, Compress: r.compressed}}, err
}

func (r *rotation) timberjack(name string) (target, error) {
	f, err := r.begin(name, true)
	w := &timberjack.Logger{Filename: f.path, MaxSize: rotateMiB, Compression: "none"}
	if r.compressed {
		w.Compression = "gzip"
	}
	return target{f, w}, err
}

// direct is slog.JSONHandler on a library.
func (r *rotation) direct(name string, on func(name string) (target, error)) contender {
	return contender{name: name, open: func(io.Writer) (*subject, error) {
		f, err := on(name)
		if err != nil {
			return nil, err
		}
		return f.watch(&subject{handler: slog.NewJSONHandler(f, nil), close: f.Close}), nil
	}}
}

// onBuffer is a handler on a buffer in front of lumberjack.
func (r *rotation) onBuffer(name string, handler func(*zapcore.BufferedWriteSyncer) slog.Handler) contender {
	return contender{name: name, later: true, open: func(io.Writer) (*subject, error) {
		f, err := r.lumberjack(name)
		if err != nil {
			return nil, err
		}
		return f.watch(buffered(f, handler)), nil
	}}
}

// sink is fapilog.
func (r *rotation) sink(name string, rotated bool) contender {
	return contender{name: name, later: true, open: func(io.Writer) (*subject, error) {
		f, err := r.begin(name, rotated)
		if err != nil {
			return nil, err
		}
		uri := url.URL{Scheme: "file", Path: f.path}
		if rotated {
			uri.RawQuery = fmt.Sprintf("max_size=%dMiB", rotateMiB)
		}
		if rotated && r.compressed {
			uri.RawQuery += "&compress=gzip"
		}
		out, err := fapilog.New(context.Background(), fapilog.Config{Sinks: []string{uri.String()}})
		if err != nil {
			return nil, err
		}
		return f.watch(subjectOf(out)), nil
	}}
}

func (r *rotation) contenders() []contender {
	return []contender{
		r.direct(nameLumberjack, r.lumberjack),
		r.direct(nameTimberjack, r.timberjack),
		r.onBuffer(nameRotBufJSON, func(w *zapcore.BufferedWriteSyncer) slog.Handler { return slog.NewJSONHandler(w, nil) }),
		r.onBuffer(nameRotZapslog, func(w *zapcore.BufferedWriteSyncer) slog.Handler { return zapslog.NewHandler(zapCore(w)) }),
		r.onBuffer(nameRotZap, func(w *zapcore.BufferedWriteSyncer) slog.Handler { return zapNative{Logger: zap.New(zapCore(w))} }),
		r.sink(nameRotFapilog, true),
		r.sink(nameOneFapilog, false),
	}
}

// A rotatedFile is a file and those that were made of it, alone in a directory.
type rotatedFile struct {
	dir, path           string
	rotated, compressed bool

	lines, size, files int // of the rotated files that were counted and deleted
}

// perRecord returns the bytes on the disk for each record in rotated files.
func (f *rotatedFile) perRecord() string {
	return fmt.Sprintf("%.1f", float64(f.size)/float64(max(f.lines, 1)))
}

// watch has a round of s end when all rotated files are compressed, and counts
// what there is in them: s has delivered what can be read back. The files of a
// round are deleted before the next one.
func (f *rotatedFile) watch(s *subject) *subject {
	flush := s.flush
	s.hold = f.sweep
	s.flush = func() error {
		if flush != nil {
			if err := flush(); err != nil {
				return err
			}
		}
		return f.settle()
	}
	s.delivered = func() uint64 {
		err := f.sweep()
		current, countErr := countLines(f.path)
		if err != nil || countErr != nil {
			panic(fmt.Sprint(err, countErr))
		}
		return uint64(f.lines + current)
	}
	return s
}

// settle waits until no rotated file is left that is to be compressed.
func (f *rotatedFile) settle() error {
	if !f.rotated || !f.compressed {
		return nil
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		entries, err := os.ReadDir(f.dir)
		if err != nil {
			return err
		}
		left := 0
		for _, e := range entries {
			if e.Name() != filepath.Base(f.path) && filepath.Ext(e.Name()) != ".gz" {
				left++
			}
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d rotated files are not compressed after a minute", left)
		}
	}
}

// sweep counts what the rotated files have, and deletes them. The file that is
// written to stays: its size is known to the one that writes it.
func (f *rotatedFile) sweep() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		if path == f.path && f.rotated {
			continue
		}
		n, err := countLines(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		f.lines, f.size, f.files = f.lines+n, f.size+int(info.Size()), f.files+1
		if path == f.path {
			err = os.Truncate(path, 0)
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// countLines returns the number of lines in a file, whether it is compressed or
// not, and none for one that does not exist.
func countLines(path string) (int, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return 0, err
		}
	}
	var n lineCounter
	_, err = io.Copy(&n, from)
	return int(n), err
}

// A lineCounter counts the lines that are written to it.
type lineCounter int

func (c *lineCounter) Write(p []byte) (int, error) {
	*c += lineCounter(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// rotatingResults of table 5: with gzip or not, then by contender.
type rotatingResults map[bool]map[string]series

// measureRotating is table 5: writing a real file that is rotated.
func measureRotating(p plan) (rotatingResults, error) {
	dir, err := os.MkdirTemp(p.dir, "benchmarks-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	results := rotatingResults{}
	zip := &rotation{dir: dir, compressed: true, files: map[string]*rotatedFile{}}
	for _, r := range []*rotation{zip, {dir: dir, files: map[string]*rotatedFile{}}} {
		results[r.compressed], err = race(r.contenders(), nil, fileScenario(), 1, p.rotateRounds, func(*entrant) int { return p.rotateBurst })
		if err != nil {
			return nil, err
		}
	}

	fmt.Printf("\n## 5. One real file, rotated at %d MiB, 5 attributes\n\n", rotateMiB)
	t := newTable("contender", "gzip: ns/call", "median", "CPU ns/record, compressed", "median", "CPU / lumberjack", "bytes/record",
		"not compressed: CPU ns/record", "median", "CPU / lumberjack")
	zipped, plain := results[true], results[false]
	for _, c := range zip.contenders() {
		z, q := zipped[c.name], plain[c.name]
		t.row(c.name, ns(z.min(callOf)), ns(z.median(callOf)), ns(z.min(cpuOf)), ns(z.median(cpuOf)),
			fmt.Sprintf("%.2f", z.min(cpuOf)/zipped[nameLumberjack].min(cpuOf)),
			zip.files[c.name].perRecord(),
			ns(q.min(cpuOf)), ns(q.median(cpuOf)), fmt.Sprintf("%.2f", q.min(cpuOf)/plain[nameLumberjack].min(cpuOf)))
	}
	t.print()
	return results, nil
}
