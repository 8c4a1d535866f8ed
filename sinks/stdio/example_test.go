package stdio_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks/stdio"
)

// Lines as slog prints them itself.
func Example() {
	out, err := fapilog.Open(context.Background(), "stdout://?format=text")
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	log.Info("listening", "port", 8080)
	out.Close()
	// Output: level=INFO msg=listening port=8080
}

// A program that has decided how its output looks passes a sink instead of a
// URI.
func ExampleNew() {
	sink, err := stdio.New(os.Stdout, stdio.Options{Format: stdio.Pretty, Color: stdio.ColorNever})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := fapilog.New(context.Background(), fapilog.Config{Targets: []fapilog.Target{{Sink: sink}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	log.Warn("almost full", "disk", "/var", "percent", 91)
	out.Close()
	// Output: WRN almost full disk=/var percent=91
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
