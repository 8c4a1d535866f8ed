// Command quickstart is a web service that logs with log/slog to three sinks
// at once:
//
//   - the console, which gets warnings and errors only;
//   - a file;
//   - a collector over HTTP, by a sink of its own (sink.go). The collector goes
//     down in the middle and comes back.
//
// After four seconds it ends, prints the account of every sink, and compares it
// with what is in the file and what the collector has got. It exits with 0 only
// if the account is exact.
//
//	go run ./examples/quickstart
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/fapilog/fapilog"
)

func main() {
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		fatal(err)
	}
	if err := run(dir); err != nil {
		fatal(err)
	}
}

// fatal does not use package log, whose output slog.SetDefault sends to the
// sinks, which are closed by now.
func fatal(err error) {
	fmt.Fprintln(os.Stderr, "quickstart:", err)
	os.Exit(1)
}

func run(dir string) error {
	col := &collector{addr: "127.0.0.1:0", arrivals: map[string]int{}}
	if err := col.start(); err != nil {
		return err
	}
	file := filepath.Join(dir, "shop.log")

	// A program needs these four statements and no others.
	out, err := fapilog.Open(context.Background(),
		"stdout://?name=console&level=warn",
		"file:"+filepath.ToSlash(file),
		"collector://"+col.addr)
	if err != nil {
		return err
	}
	defer out.Close()
	slog.SetDefault(slog.New(fapilog.Handler(out, nil)))

	say("The service runs. Its log is in %[1]s; look at it with: tail -n 3 %[1]s", file)
	if err := serve(col, out); err != nil {
		return err
	}
	if err := out.Close(); err != nil { // delivers what is left
		return err
	}
	if err := col.stop(); err != nil {
		return err
	}
	say("The service has ended.")
	return settle(out.Stats(), file, col)
}

// third is a third of the time that the service runs.
const third = 1200 * time.Millisecond

// serve runs the service. The collector is down for the second third.
func serve(col *collector, out *fapilog.Fanout) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	service := &http.Server{Handler: newService()}
	defer service.Close()
	go service.Serve(l)
	customer := &customer{url: "http://" + l.Addr().String()}

	if err := customer.order(third); err != nil {
		return err
	}
	if err := col.stop(); err != nil {
		return err
	}
	say("The collector is down.")
	if err := customer.order(third); err != nil {
		return err
	}
	say("The collector comes back. %d records wait for it.", out.Stats().Sinks[2].Pending)
	if err := col.start(); err != nil {
		return err
	}
	return customer.order(third)
}

func say(format string, args ...any) { fmt.Printf("==> "+format+"\n", args...) }

// settle prints the account of every sink, and returns an error unless all are
// exact.
func settle(stats fapilog.Stats, file string, col *collector) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	received, repeats := col.received()
	arrived := map[string]int{"file": bytes.Count(text, []byte("\n")), "collector": received}

	exact := true
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "sink\tappended\tdelivered\tretried\tfiltered\tdropped\trejected\tpending\tarrived\taccount\t")
	for _, s := range stats.Sinks {
		account, there := "exact", "-"
		if stats.Appended != s.Delivered+s.Filtered+s.Dropped+s.Rejected+s.Pending {
			account = "WRONG"
		}
		if n, ok := arrived[s.Name]; ok { // the console cannot be read back
			there = fmt.Sprint(n)
			if uint64(n) != s.Delivered {
				account = "WRONG"
			}
		}
		exact = exact && account == "exact"
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", s.Name, stats.Appended, s.Delivered, s.Retries,
			s.Filtered, s.Dropped, s.Rejected, s.Pending, there, account)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !exact {
		return errors.New("the account is not exact")
	}
	say("Every record is accounted for. %d reached the collector more than once.", repeats)
	return nil
}
