package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/slogtest"
)

func TestConformance(t *testing.T) {
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		dir := filepath.Join(t.TempDir(), "spool")
		uri, err := registry.Parse("spool://" + filepath.ToSlash(dir))
		if err != nil {
			t.Fatal(err)
		}
		sink, err := open(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		return slogtest.Subject{
			Sink: sink,
			Records: func() ([]map[string]any, error) {
				files, err := filepath.Glob(filepath.Join(dir, "*.ndjson")) // in order
				var all []byte
				for _, name := range files {
					text, err := os.ReadFile(name)
					if err != nil {
						return nil, err
					}
					all = append(all, text...)
				}
				if err != nil {
					return nil, err
				}
				return slogtest.ParseJSON(all)
			},
			// The destination can be made to fail, so what Write makes of that
			// is tested, too.
			Faults: []slogtest.Fault{{
				Name:  "directory moved away",
				Begin: func() { _ = os.Rename(dir, dir+".away") },
				End:   func() { _ = os.Rename(dir+".away", dir) },
				Want:  slogtest.Hold,
			}},
			Idempotent: true,
		}
	})
}

func TestURI(t *testing.T) {
	slogtest.TestURI(t, "spool://"+filepath.ToSlash(t.TempDir())+"?shared=true", "shared=perhaps")
}
