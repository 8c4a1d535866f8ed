package file_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks/file"
)

// A file by its URI.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	path := filepath.Join(dir, "logs", "app.log")
	out, err := fapilog.Open(context.Background(), "file://"+path)
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	log.Info("listening", "port", 8080)
	out.Close() // delivers what is left

	text, err := os.ReadFile(path)
	fmt.Print(string(text), err)
	// Output:
	// {"level":"INFO","msg":"listening","port":8080}
	// <nil>
}

// A program that has values instead of a URI.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	path := filepath.Join(dir, "audit.log")
	sink, err := file.New(path, file.Options{Format: file.Text, Mode: 0o640})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets: []fapilog.Target{{Name: "audit", Sink: sink, Level: slog.LevelWarn}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	log.Info("not for the audit")
	log.Warn("access denied", "user", "eve")
	out.Close()

	text, err := os.ReadFile(path)
	fmt.Print(string(text), err)
	// Output:
	// level=WARN msg="access denied" user=eve
	// <nil>
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
