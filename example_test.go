package fapilog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/fapilog/fapilog"
	"github.com/fapilog/fapilog/sinks"
)

// dropTime is a ReplaceAttr that removes the time, which would make the output
// of the examples different each time.
func dropTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// The four statements that a program needs. Everything else logs with log/slog.
func Example() {
	out, err := fapilog.Open(context.Background(), "stdout://?format=json")
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: dropTime}))

	log.Info("order placed", "order", 41, slog.Group("customer", "id", 7, "country", "IT"))

	if err := out.Close(); err != nil { // delivers what is left
		fmt.Println(err)
	}
	// Output:
	// {"level":"INFO","msg":"order placed","order":41,"customer":{"id":7,"country":"IT"}}
}

// Open reports everything that is wrong at once, and shows no password.
func ExampleOpen_misconfigured() {
	_, err := fapilog.Open(context.Background(),
		"stdout://?levle=warn",
		"stderr://?format=yaml&timeout=10",
		"sttdout://user:swordfish@host")
	fmt.Println(err)
	// Output:
	// fapilog: open sink 1: registry: check stdout://: parameter levle: unknown: did you mean level?
	// fapilog: open sink 2: registry: check stderr://: parameter format: not one of auto, json, text, pretty
	// fapilog: open sink 2: registry: check stderr://: parameter timeout: not a duration of zero or more, with its unit: write for example timeout=250ms, timeout=1m30s or timeout=7d
	// fapilog: open sink 3: registry: open sttdout://host: unknown scheme: did you mean stdout? registered are file, stderr, stdout
}

// A sink that has been built already, such as any handler, is a Target. This
// one gets only what concerns billing, and the other one only errors.
func ExampleNew() {
	var billing, failures bytes.Buffer
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets: []fapilog.Target{
			{
				Name:  "billing",
				Sink:  sinks.FromHandler(slog.NewTextHandler(&billing, nil)),
				Match: "component=billing",
			},
			{
				Name:  "failures",
				Sink:  sinks.FromHandler(slog.NewTextHandler(&failures, nil)),
				Level: slog.LevelError,
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: dropTime}))
	log.Info("invoice sent", "component", "billing")
	log.Info("page served", "component", "web")
	log.Error("disk full", "component", "web")
	log.Error("card refused", "component", "billing")

	if err := out.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("billing:\n%sfailures:\n%s", &billing, &failures)
	// Output:
	// billing:
	// level=INFO msg="invoice sent" component=billing
	// level=ERROR msg="card refused" component=billing
	// failures:
	// level=ERROR msg="disk full" component=web
	// level=ERROR msg="card refused" component=billing
}

// The options are those of slog.NewJSONHandler, and apply to all sinks. Each
// call makes a handler of its own for the same sinks.
func ExampleHandler() {
	out, err := fapilog.Open(context.Background(), "stdout://?format=json")
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: dropTime}))
	audit := slog.New(fapilog.Handler(out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == "password" {
				return slog.String(a.Key, "***")
			}
			return dropTime(groups, a)
		},
	})).WithGroup("audit")

	log.Debug("not logged")
	log.Info("service started")
	audit.Debug("login", "user", "gopher", "password", "swordfish")

	if err := out.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"level":"INFO","msg":"service started"}
	// {"level":"DEBUG","msg":"login","audit":{"user":"gopher","password":"***"}}
}

// A program that sets some things itself and leaves the rest to the environment.
func ExampleConfigFromEnv() {
	defer setenv("FAPILOG_SINKS", "stdout://")()
	defer setenv("FAPILOG_SINKS_BILLING_API", "stdout://, loki://loki:3100?labels=app=billing,env=prod")()
	defer setenv("FAPILOG_SERVICE", "billing-api")()
	defer setenv("FAPILOG_BUFFER", "16MiB")()

	cfg, err := fapilog.ConfigFromEnv()
	if err != nil {
		fmt.Println(err)
		return
	}
	if cfg.Level == nil {
		cfg.Level = slog.LevelWarn
	}
	fmt.Println(cfg.Service, cfg.Buffer, cfg.Level)
	for _, uri := range cfg.Sinks {
		fmt.Println(uri)
	}
	// Output:
	// billing-api 16777216 WARN
	// stdout://
	// loki://loki:3100?labels=app=billing,env=prod
}

// setenv sets a variable and returns what sets it back.
func setenv(name, value string) (restore func()) {
	old, found := os.LookupEnv(name)
	os.Setenv(name, value)
	return func() {
		if found {
			os.Setenv(name, old)
		} else {
			os.Unsetenv(name)
		}
	}
}

// Logging does not wait for sinks, so a test of what was logged flushes before
// it looks.
func ExampleFanout_Flush() {
	ctx := context.Background()
	var logged bytes.Buffer
	out, err := fapilog.New(ctx, fapilog.Config{
		Targets: []fapilog.Target{{Sink: sinks.FromHandler(slog.NewTextHandler(&logged, nil))}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close()
	log := slog.New(fapilog.Handler(out, &slog.HandlerOptions{ReplaceAttr: dropTime}))

	log.Info("order placed", "order", 41)
	if err := out.Flush(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Print(&logged)
	// Output: level=INFO msg="order placed" order=41
}

// An invoicer takes what has an invoice, and refuses the rest.
type invoicer struct{}

func (invoicer) Write(_ context.Context, batch []sinks.Event) error {
	for _, e := range batch {
		if _, ok := e.Lookup("invoice"); !ok {
			return sinks.Permanent(errors.New("no invoice"))
		}
	}
	return nil
}

// The account of a sink is exact: every record that was appended is in one of
// its columns, and in no other.
func ExampleFanout_Stats() {
	out, err := fapilog.New(context.Background(), fapilog.Config{
		Targets:  []fapilog.Target{{Name: "invoices", Sink: invoicer{}, Match: "component=billing"}},
		Fallback: io.Discard, // by default, standard error: it would tell of the record that was refused
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := slog.New(fapilog.Handler(out, nil))
	log.Info("invoice sent", "component", "billing", "invoice", 1)
	log.Info("no invoice sent", "component", "billing")
	log.Info("invoice sent", "component", "billing", "invoice", 2)
	log.Info("page served", "component", "web")

	if err := out.Close(); err != nil {
		fmt.Println(err)
	}
	stats := out.Stats()
	s := stats.Sinks[0]
	fmt.Printf("%d appended = %d filtered + %d delivered + %d dropped + %d rejected + %d pending\n",
		stats.Appended, s.Filtered, s.Delivered, s.Dropped, s.Rejected, s.Pending)
	fmt.Println(s.Name, s.State, s.LastError)
	// Output:
	// 4 appended = 1 filtered + 2 delivered + 0 dropped + 1 rejected + 0 pending
	// invoices closed no invoice
}
