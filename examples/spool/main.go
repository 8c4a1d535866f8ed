// Command spool has the sink that docs/writing-a-sink.md explains, in sink.go,
// with its conformance test. It logs a few records to a spool directory and
// says which files are there then.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fapilog/fapilog"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() (err error) {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	out, err := fapilog.Open(context.Background(), "spool://"+filepath.ToSlash(dir)+"?batch=2")
	if err != nil {
		return err
	}
	log := slog.New(fapilog.Handler(out, nil))
	for i := range 5 {
		log.Info("order received", "order", 4711+i)
	}
	if err := out.Close(); err != nil {
		return err
	}

	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Printf("a file with %d records\n%s", bytes.Count(text, []byte("\n")), text)
	}
	return nil
}
