package loki_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// at is the time of records whose time does not matter.
var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func record(t time.Time, msg string, args ...any) slog.Record {
	r := slog.NewRecord(t, slog.LevelInfo, msg, 0)
	r.Add(args...)
	return r
}

// uriOf makes a URI of a URL.
func uriOf(url, parameters string) string {
	return "loki" + strings.TrimPrefix(url, "http") + "?" + parameters
}
