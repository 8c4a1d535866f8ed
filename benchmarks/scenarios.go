package main

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// A scenario is one way of logging. Its loop contains the call itself, as a
// program would write it, so that nothing but the call is measured.
type scenario struct {
	name     string
	bind     []slog.Attr // bound before, by Logger.With
	run      func(l *slog.Logger, n int)
	disabled bool // nothing is logged
}

const fiveAttrs = "5 attributes"

var errRefused = errors.New("dial tcp 10.0.0.7:5432: connect: connection refused")

var scenarios = []scenario{
	{
		name: fiveAttrs,
		run: func(l *slog.Logger, n int) {
			ctx := context.Background()
			for i := range n {
				l.LogAttrs(
					ctx, slog.LevelInfo, "request served",
					slog.String("path", "/api/v1/orders"),
					slog.Int("status", 200+i%2),
					slog.Bool("cached", true),
					slog.Duration("elapsed", 1532*time.Microsecond),
					slog.Float64("load", 0.725),
				)
			}
		},
	},
	{
		name: "10 attributes and an error",
		run: func(l *slog.Logger, n int) {
			ctx := context.Background()
			for i := range n {
				l.LogAttrs(
					ctx, slog.LevelError, "request failed",
					slog.String("method", "POST"),
					slog.String("path", "/api/v1/orders"),
					slog.Int("status", 500+i%2),
					slog.Bool("cached", false),
					slog.Duration("elapsed", 1532*time.Microsecond),
					slog.Float64("load", 0.725),
					slog.String("user", "u-5c1f9a"),
					slog.String("trace", "4bf92f3577b34da6a3ce929d0e0e4736"),
					slog.Int64("bytes", 48213),
					slog.Time("started", epoch),
					slog.Any("error", errRefused),
				)
			}
		},
	},
	{
		name: "10 attributes bound with With",
		bind: []slog.Attr{
			slog.String("method", "POST"),
			slog.String("path", "/api/v1/orders"),
			slog.Int("shard", 7),
			slog.Bool("cached", false),
			slog.Duration("limit", 250*time.Millisecond),
			slog.Float64("load", 0.725),
			slog.String("user", "u-5c1f9a"),
			slog.String("trace", "4bf92f3577b34da6a3ce929d0e0e4736"),
			slog.Int64("quota", 48213),
			slog.Time("started", epoch),
		},
		run: func(l *slog.Logger, n int) {
			ctx := context.Background()
			for range n {
				l.LogAttrs(ctx, slog.LevelInfo, "request served")
			}
		},
	},
	{
		name: disabledLevel,
		run: func(l *slog.Logger, n int) {
			ctx := context.Background()
			for i := range n {
				l.LogAttrs(
					ctx, slog.LevelDebug, "request served",
					slog.String("path", "/api/v1/orders"),
					slog.Int("status", 200+i%2),
					slog.Bool("cached", true),
					slog.Duration("elapsed", 1532*time.Microsecond),
					slog.Float64("load", 0.725),
				)
			}
		},
		disabled: true,
	},
}

const disabledLevel = "disabled level, 5 attributes"

var epoch = time.Date(2026, 3, 14, 15, 9, 26, 535897932, time.UTC)
