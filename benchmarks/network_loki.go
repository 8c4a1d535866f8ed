package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapilog/fapilog/internal/testserver"
	sink "github.com/fapilog/fapilog/sinks/loki"
	"github.com/grafana/loki-client-go/loki"
	"github.com/grafana/loki/pkg/push"
	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/common/model"
)

// The names that the goals refer to.
const (
	nameLoki        = "fapilog loki sink"
	nameLokiClient  = "raw: Client of loki-client-go, rendered before"
	nameLokiHandler = "slog.JSONHandler on the Client of loki-client-go"
)

const lokiPush = "/loki/api/v1/push"

var toLoki = destination{
	name: "Loki",
	goals: []networkGoal{
		{name: nameLoki, against: nameLokiClient, times: 1.5, lessCPU: true},
		{name: nameLoki, against: nameLokiHandler, times: 1.5, lessCPU: true},
	},
	start: startLoki,
}

func startLoki(t testing.TB, burst int) (*field, error) {
	server := testserver.StartLoki(t, testserver.LokiConfig{Own: true, Limits: testserver.LokiTakesAll})
	began := time.Now()
	return lokiField(server.Address, "", burst, func(app string) uint64 {
		n, err := server.Count("", fmt.Sprintf("{app=%q}", app), time.Since(began)+time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return uint64(n)
	}), nil
}

// lokiField is those who send to the server at an address, which has counted the
// records of each of their streams. A round has burst records.
func lokiField(address, where string, burst int, count func(app string) uint64) *field {
	size := new(sink.Sink).Batching().Records
	lines := rendered(networkRecords, size)
	total := 0 // bytes
	for _, line := range lines {
		total += len(line)
	}
	delivered := func(app string) func() uint64 { return func() uint64 { return count(app) } }
	return &field{
		title: fmt.Sprintf("%d records a request, %d KiB of lines, one stream%s", size, total>>10, where),
		contenders: []contender{
			{name: nameLoki, later: true, open: func(io.Writer) (*subject, error) {
				s, err := openSink("loki://" + address + "?labels=app=sink,env=bench&label_keys=level&service_label=none")
				if err != nil {
					return nil, err
				}
				s.delivered = delivered("sink")
				return s, nil
			}},
			{name: nameLokiClient, later: true, open: func(io.Writer) (*subject, error) {
				c, err := newLokiClient(address, "raw", total)
				if err != nil {
					return nil, err
				}
				b := &batcher{size: size, send: func(n int) error {
					for _, line := range lines[:n] {
						if err := c.Handle(c.labels, time.Now(), string(line)); err != nil {
							return err
						}
					}
					return nil
				}}
				return c.subject(b, delivered("raw")), nil
			}},
			{name: nameLokiHandler, later: true, open: func(io.Writer) (*subject, error) {
				c, err := newLokiClient(address, "handler", total)
				if err != nil {
					return nil, err
				}
				return c.subject(slog.NewJSONHandler(c, nil), delivered("handler")), nil
			}},
			{name: "bound: a bare client, requests encoded before", later: true, open: func(io.Writer) (*subject, error) {
				return newLokiRequests(address, lines, burst).subject(delivered("bound")), nil
			}},
		},
	}
}

// A lokiClient is a Client of loki-client-go, and a new one in each round: it
// has nothing but its end to wait for until everything is sent.
type lokiClient struct {
	*loki.Client
	config loki.Config
	labels model.LabelSet
	errs   lokiErrors
}

func newLokiClient(address, app string, batch int) (*lokiClient, error) {
	config, err := loki.NewDefaultConfig((&url.URL{Scheme: "http", Host: address, Path: lokiPush}).String())
	config.BatchSize = batch
	return &lokiClient{config: config, labels: model.LabelSet{"app": model.LabelValue(app), "env": "bench", "level": "info"}}, err
}

func (c *lokiClient) subject(h slog.Handler, delivered func() uint64) *subject {
	return &subject{
		handler: h,
		hold: func() (err error) {
			c.Client, err = loki.NewWithLogger(c.config, &c.errs)
			return err
		},
		flush:     func() error { c.Stop(); return c.errs.first },
		delivered: delivered,
	}
}

// Write takes a line.
func (c *lokiClient) Write(line []byte) (int, error) {
	return len(line), c.Handle(c.labels, time.Now(), strings.TrimSuffix(string(line), "\n"))
}

// lokiErrors is what a Client logs to: what it did not send, or not at once.
type lokiErrors struct{ first error }

// Log is called by the Client's goroutine, before its Stop returns.
func (e *lokiErrors) Log(keyvals ...any) error {
	if e.first == nil {
		e.first = fmt.Errorf("loki-client-go: %s", strings.TrimSpace(fmt.Sprintln(slices.Clone(keyvals)...)))
	}
	return nil
}

// lokiRequests is what is left without logging: it posts requests that were
// encoded before the round.
type lokiRequests struct {
	batcher
	client *http.Client
	url    string
	lines  []string
	burst  int
	ready  [][]byte // requests for a round
}

func newLokiRequests(address string, lines [][]byte, burst int) *lokiRequests {
	r := &lokiRequests{client: &http.Client{Transport: new(http.Transport)}, url: "http://" + address + lokiPush, burst: burst}
	for _, line := range lines {
		r.lines = append(r.lines, string(line))
	}
	r.batcher = batcher{size: len(lines), send: r.next}
	return r
}

func (r *lokiRequests) subject(delivered func() uint64) *subject {
	s := r.batcher.subject(func() error { r.client.CloseIdleConnections(); return nil })
	s.hold, s.delivered = r.encodeRound, delivered
	return s
}

func (r *lokiRequests) encodeRound() error {
	r.ready = r.ready[:0]
	for range r.burst / r.size {
		request, err := r.encode(r.size)
		if err != nil {
			return err
		}
		r.ready = append(r.ready, request)
	}
	return nil
}

func (r *lokiRequests) encode(n int) ([]byte, error) {
	entries := make([]push.Entry, n)
	for i := range entries {
		entries[i] = push.Entry{Timestamp: time.Now(), Line: r.lines[i]}
	}
	stream := push.Stream{Labels: `{app="bound", env="bench", level="info"}`, Entries: entries}
	plain, err := (&push.PushRequest{Streams: []push.Stream{stream}}).Marshal()
	return snappy.Encode(nil, plain), err
}

// next posts a request. One that is smaller than a batch is of the warm-up, and
// not ready.
func (r *lokiRequests) next(n int) error {
	var request []byte
	if n == r.size && len(r.ready) > 0 {
		request, r.ready = r.ready[0], r.ready[1:]
	} else {
		var err error
		if request, err = r.encode(n); err != nil {
			return err
		}
	}
	resp, err := r.client.Post(r.url, "application/x-protobuf", bytes.NewReader(request))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusNoContent {
		err = errors.New(resp.Status)
	}
	return err
}
