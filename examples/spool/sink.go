package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() { registry.Register("spool", open) }

// A spoolSink puts each batch into a file of its own, for another program to
// pick up.
type spoolSink struct {
	dir  string
	mode fs.FileMode // of the files
}

// open makes the sink of a URI such as spool:///var/spool/logs?shared=true. It
// asks for all parameters, checks them, and only then does something.
func open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	dir, err := uri.LocalPath()
	s := &spoolSink{dir: filepath.FromSlash(dir), mode: 0o600}
	if uri.Bool("shared", false) {
		s.mode = 0o644
	}
	if err := errors.Join(err, uri.Check()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return s, nil
}

// Write makes one file of a batch. A batch that is tried again has the same
// records, so its file gets the same name, and there are no duplicates.
func (s *spoolSink) Write(_ context.Context, batch []sinks.Event) error {
	var lines bytes.Buffer
	for _, e := range batch {
		lines.Write(e.JSON())
	}
	first, last := batch[0].ID(), batch[len(batch)-1].ID()
	name := fmt.Sprintf("%s-%020d-%020d.ndjson", first.Log, first.Seq, last.Seq)
	temp := filepath.Join(s.dir, "."+name) // nobody picks up half a file
	err := os.WriteFile(temp, lines.Bytes(), s.mode)
	if err == nil {
		err = os.Rename(temp, filepath.Join(s.dir, name))
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return sinks.Hold(err) // until somebody has made room, or mended the directory
	}
	return err // nil: delivered; anything else: again, later
}
