package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"os"
	"path/filepath"

	"github.com/fapilog/fapilog"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"
)

// The names that the goals refer to.
const (
	nameFileJSON    = "slog.JSONHandler on the file"
	nameFileBufJSON = "slog.JSONHandler on zap's BufferedWriteSyncer"
	nameFileZapslog = "zapslog on zap's BufferedWriteSyncer"
	nameFileFapilog = "fapilog file sink"
)

// fileContenders write to files of their own in dir. All of them open the file
// for appending, so that it can be truncated between rounds.
func fileContenders(dir string) []contender {
	appendTo := func(name string) (*os.File, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	onBuffer := func(name string, handler func(*zapcore.BufferedWriteSyncer) slog.Handler) func(io.Writer) (*subject, error) {
		return func(io.Writer) (*subject, error) {
			f, err := appendTo(name)
			if err != nil {
				return nil, err
			}
			return buffered(f, handler), nil
		}
	}
	return []contender{
		{name: nameFileJSON, open: func(io.Writer) (*subject, error) {
			f, err := appendTo("stdlib")
			if err != nil {
				return nil, err
			}
			return &subject{handler: slog.NewJSONHandler(f, nil), close: f.Close}, nil
		}},
		{name: "slog.JSONHandler on lumberjack", open: func(io.Writer) (*subject, error) {
			w := &lumberjack.Logger{Filename: filepath.Join(dir, "lumberjack"), MaxSize: math.MaxInt32}
			return &subject{handler: slog.NewJSONHandler(w, nil), close: w.Close}, nil
		}},
		{name: nameFileBufJSON, later: true, open: onBuffer("stdlib-buffered", func(w *zapcore.BufferedWriteSyncer) slog.Handler {
			return slog.NewJSONHandler(w, nil)
		})},
		{name: nameFileZapslog, later: true, open: onBuffer("zapslog", func(w *zapcore.BufferedWriteSyncer) slog.Handler {
			return zapslog.NewHandler(zapCore(w))
		})},
		{name: "zap's own API on its BufferedWriteSyncer", later: true, open: onBuffer("zap", func(w *zapcore.BufferedWriteSyncer) slog.Handler {
			return zapNative{Logger: zap.New(zapCore(w))}
		})},
		{name: nameFileFapilog, later: true, open: func(io.Writer) (*subject, error) {
			uri := url.URL{Scheme: "file", Path: filepath.Join(dir, "fapilog")}
			out, err := fapilog.New(context.Background(), fapilog.Config{Sinks: []string{uri.String()}})
			if err != nil {
				return nil, err
			}
			return subjectOf(out), nil
		}},
	}
}

// buffered is a contender on a buffer in front of w.
func buffered(w io.WriteCloser, handler func(*zapcore.BufferedWriteSyncer) slog.Handler) *subject {
	b := &zapcore.BufferedWriteSyncer{WS: noSync{w}}
	return &subject{
		handler: handler(b), flush: b.Sync,
		close: func() error { return errors.Join(b.Stop(), w.Close()) },
	}
}

// noSync is a file that is flushed, but not synced to the disk: no contender
// waits for the disk.
type noSync struct{ io.Writer }

func (noSync) Sync() error { return nil }

// zapNative carries a zap.Logger past slog: the scenario calls the logger
// directly.
type zapNative struct {
	floor
	*zap.Logger
}

// fileScenario is the scenario of five attributes, in zap's own words where
// the contender is zap itself.
func fileScenario() scenario {
	sc := scenarios[0]
	viaSlog := sc.run
	sc.run = func(l *slog.Logger, n int) {
		z, ok := l.Handler().(zapNative)
		if !ok {
			viaSlog(l, n)
			return
		}
		for i := range n {
			z.Info(
				"request served",
				zap.String("path", "/api/v1/orders"),
				zap.Int("status", 200+i%2),
				zap.Bool("cached", true),
				zap.Duration("elapsed", 1532000),
				zap.Float64("load", 0.725),
			)
		}
	}
	return sc
}

// measureFiles is table 2: writing one real file.
func measureFiles(p plan) (map[string]series, error) {
	dir, err := os.MkdirTemp(p.dir, "benchmarks-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	cs := fileContenders(dir)
	for i := range cs {
		cs[i].open = checked(dir, cs[i].open)
	}
	all, err := race(cs, nil, fileScenario(), 1, p.fileRounds, func(*entrant) int { return p.fileBurst })
	if err != nil {
		return nil, err
	}

	fmt.Print("\n## 2. One real file, 5 attributes\n\n")
	t := newTable("contender", "ns/call", "median", "CPU ns/record, flushed", "median", "CPU / JSONHandler")
	base := all[nameFileJSON].min(cpuOf)
	for _, c := range cs {
		s := all[c.name]
		t.row(c.name, ns(s.min(callOf)), ns(s.median(callOf)), ns(s.min(cpuOf)), ns(s.median(cpuOf)),
			fmt.Sprintf("%.2f", s.min(cpuOf)/base))
	}
	t.print()
	return all, nil
}

// checked truncates all the files before a round, and so keeps the disk out of
// it, and fails if a contender left the last round's records somewhere else
// than in its file.
func checked(dir string, open func(io.Writer) (*subject, error)) func(io.Writer) (*subject, error) {
	return func(w io.Writer) (*subject, error) {
		s, err := open(w)
		if err != nil {
			return nil, err
		}
		flush, rounds := s.flush, 0
		s.hold = func() error {
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil {
				return err
			}
			for _, f := range files {
				if err := os.Truncate(f, 0); err != nil {
					return err
				}
			}
			return nil
		}
		s.flush = func() error {
			if flush != nil {
				if err := flush(); err != nil {
					return err
				}
			}
			if rounds++; rounds == 1 {
				return wroteLines(dir, 100)
			}
			return nil
		}
		return s, nil
	}
}

// wroteLines fails unless the files in dir have n lines together.
func wroteLines(dir string, n int) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	lines := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		lines += bytes.Count(data, []byte("\n"))
	}
	if lines != n {
		return fmt.Errorf("the file has %d lines instead of %d", lines, n)
	}
	return nil
}
