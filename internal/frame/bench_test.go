package frame_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/fapilog/fapilog/internal/frame"
)

var fiveAttrs = []slog.Attr{
	slog.String("method", "GET"),
	slog.Int("status", 200),
	slog.Bool("cached", true),
	slog.Duration("elapsed", 1_234_567*time.Nanosecond),
	slog.Float64("ratio", 0.8125),
}

var tenAttrs = []slog.Attr{
	slog.String("app", "shop"), slog.String("env", "production"), slog.String("region", "eu-central-1"),
	slog.String("version", "v1.22.333"), slog.Int("pid", 4711), slog.String("host", "ip-10-0-0-1"),
	slog.String("trace", "4bf92f3577b34da6a3ce929d0e0e4736"), slog.Bool("canary", false),
	slog.Float64("weight", 0.25), slog.Duration("ttl", time.Minute),
}

func benchRecord(attrs ...slog.Attr) slog.Record {
	var pc [1]uintptr
	runtime.Callers(1, pc[:])
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "request served", pc[0])
	r.AddAttrs(attrs...)
	return r
}

// BenchmarkAppend is what a log call costs its caller, besides slog and the
// journal.
func BenchmarkAppend(b *testing.B) {
	plain := frame.NewEncoder(nil)
	source := frame.NewEncoder(&slog.HandlerOptions{AddSource: true})
	replace := frame.NewEncoder(&slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return a }})
	for _, bm := range []struct {
		name string
		e    *frame.Encoder
		r    slog.Record
	}{
		{"0 attrs", plain, benchRecord()},
		{"5 attrs", plain, benchRecord(fiveAttrs...)},
		{"5 attrs, one a time", plain, benchRecord(append(fiveAttrs[:4:4], slog.Time("at", time.Now()))...)},
		{"5 attrs, 10 bound", plain.WithAttrs(tenAttrs), benchRecord(fiveAttrs...)},
		{"5 attrs, source", source, benchRecord(fiveAttrs...)},
		{"5 attrs, ReplaceAttr", replace, benchRecord(fiveAttrs...)},
		{"error", plain, benchRecord(slog.Any("err", errors.New("connection refused")))},
		{"strings", plain, benchRecord(slog.Any("tags", []string{"a", "b"}))},
	} {
		b.Run(bm.name, func(b *testing.B) {
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				buf = bm.e.Append(buf[:0], bm.r)
			}
			b.ReportMetric(float64(len(buf)), "frame-bytes")
		})
	}
}

// BenchmarkAppendJSON is what printing a frame costs a worker, next to what
// slog.JSONHandler costs the caller.
func BenchmarkAppendJSON(b *testing.B) {
	e := frame.NewEncoder(nil)
	zone := time.FixedZone("", 2*60*60)
	for _, bm := range []struct {
		name string
		e    *frame.Encoder
		r    slog.Record
	}{
		{"5 attrs", e, benchRecord(fiveAttrs...)},
		{"5 attrs, one a time", e, benchRecord(append(fiveAttrs[:4:4], slog.Time("at", time.Now().In(zone)))...)},
		{"5 attrs, 10 bound", e.WithAttrs(tenAttrs), benchRecord(fiveAttrs...)},
		{"escapes", e, benchRecord(slog.String("text", "a \"quoted\" word, and\nanother line: größer"))},
	} {
		b.Run(bm.name, func(b *testing.B) {
			f := frame.Frame(bm.e.Append(nil, bm.r))
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				dst = f.AppendJSON(dst[:0])
			}
		})
	}
	b.Run("slog.JSONHandler", func(b *testing.B) {
		h, r := slog.NewJSONHandler(io.Discard, nil), benchRecord(fiveAttrs...)
		b.ReportAllocs()
		for b.Loop() {
			_ = h.Handle(context.Background(), r)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	f := frame.Frame(frame.NewEncoder(nil).Append(nil, benchRecord(fiveAttrs...)))
	b.Run("Level", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n += int(f.Level())
		}
	})
	b.Run("Lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Lookup("elapsed")
		}
	})
	b.Run("Attrs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for range f.Attrs() {
			}
		}
	})
	b.Run("Record", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = f.Record()
		}
	})
}
