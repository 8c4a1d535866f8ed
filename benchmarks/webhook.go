package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/fapilog/fapilog"
	_ "github.com/fapilog/fapilog/sinks/webhook" // the scheme http
)

// The names that the goals refer to.
const (
	nameWebhook     = "fapilog webhook sink"
	nameWebhookGzip = "fapilog webhook sink, gzip"
)

// webhookContenders send to the server at url. The bounds send bodies that the
// sink has made before, again and again.
func webhookContenders(url string, body []byte) []contender {
	sink := func(compress string) func(io.Writer) (*subject, error) {
		return func(io.Writer) (*subject, error) {
			// Nothing is to be lost: a round is smaller than the buffer, but
			// not by much.
			uri := url + "?format=ndjson&overflow=block&block_timeout=1m&compress=" + compress
			out, err := fapilog.New(context.Background(), fapilog.Config{Sinks: []string{uri}})
			if err != nil {
				return nil, err
			}
			return subjectOf(out), nil
		}
	}
	bare := func(compress bool) func(io.Writer) (*subject, error) {
		return func(io.Writer) (*subject, error) {
			c := newBareClient(url, body)
			if compress {
				var err error
				if c.packer, err = gzip.NewWriterLevel(nil, gzip.BestSpeed); err != nil {
					return nil, err
				}
			}
			return &subject{
				handler: c, flush: func() error { return c.err }, delivered: func() uint64 { return c.sent },
				close: func() error { c.CloseIdleConnections(); return nil },
			}, nil
		}
	}
	return []contender{
		{name: nameWebhook, later: true, open: sink("none")},
		{name: "bound: a bare client, lines rendered before", later: true, open: bare(false)},
		{name: nameWebhookGzip, later: true, open: sink("gzip")},
		{name: "bound: a bare client, lines rendered before, gzip", later: true, open: bare(true)},
	}
}

// A bareClient is what is left of a webhook without logging. As a handler, it
// does nothing: the scenario calls post.
type bareClient struct {
	floor
	*http.Client
	url    string
	body   []byte
	ends   []int        // of the lines in it
	packer *gzip.Writer // nil: not compressed
	packed bytes.Buffer
	sent   uint64
	err    error
}

func newBareClient(url string, body []byte) *bareClient {
	c := &bareClient{Client: &http.Client{Transport: new(http.Transport)}, url: url, body: body}
	for i, b := range body {
		if b == '\n' {
			c.ends = append(c.ends, i+1)
		}
	}
	return c
}

// post sends n lines.
func (c *bareClient) post(n int) {
	for n > 0 && c.err == nil {
		k := min(n, len(c.ends))
		c.err = c.send(c.body[:c.ends[k-1]])
		c.sent += uint64(k)
		n -= k
	}
}

func (c *bareClient) send(body []byte) error {
	if c.packer != nil {
		c.packed.Reset()
		c.packer.Reset(&c.packed)
		_, err := c.packer.Write(body)
		if err = errors.Join(err, c.packer.Close()); err != nil {
			return err
		}
		body = c.packed.Bytes()
	}
	req, err := http.NewRequest(http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if c.packer != nil {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusNoContent {
		err = errors.New(resp.Status)
	}
	return err
}

// A receiver is the server. It throws away what it gets, unless it is told to
// look at it.
type receiver struct {
	mu       sync.Mutex
	looks    bool
	lines    int
	requests int
	largest  []byte // body
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := r.receive(req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) receive(req *http.Request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.looks {
		_, err := io.Copy(io.Discard, req.Body)
		return err
	}
	var from io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if from, err = gzip.NewReader(from); err != nil {
			return err
		}
	}
	body, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	r.requests++
	r.lines += bytes.Count(body, []byte("\n"))
	if len(body) > len(r.largest) {
		r.largest = body
	}
	return nil
}

// look has c log a round, and looks at every line of it.
func (r *receiver) look(c contender, sc scenario, n int) error {
	r.mu.Lock()
	r.looks, r.lines, r.requests = true, 0, 0
	r.mu.Unlock()
	s, err := c.open(nil)
	if err != nil {
		return err
	}
	sc.run(slog.New(s.handler), n)
	if err := errors.Join(s.flush(), s.close()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks = false
	if r.lines != n {
		return fmt.Errorf("%s: %d records have arrived instead of %d", c.name, r.lines, n)
	}
	return nil
}

// measureWebhook is table 6: posting to a server of this process.
func measureWebhook(p plan) (map[string]series, error) {
	all, requests, size, err := raceWebhooks(p)
	if err != nil {
		return nil, err
	}
	fmt.Printf("\n## 6. Webhook, 5 attributes, %d records a request, %d KiB each\n\n", p.webhookBurst/requests, size>>10)
	t := newTable("contender", "records/s", "median", "ns/call", "CPU ns/record, delivered", "median")
	for _, c := range webhookContenders("", nil) {
		s := all[c.name]
		t.row(c.name, fmt.Sprintf("%.0f", perSecond(s.min(totalOf))), fmt.Sprintf("%.0f", perSecond(s.median(totalOf))),
			ns(s.min(callOf)), ns(s.min(cpuOf)), ns(s.median(cpuOf)))
	}
	t.print()
	return all, nil
}

// raceWebhooks returns the figures, and of the sink's requests how many it made
// in a round, and the size of the largest in bytes.
func raceWebhooks(p plan) (all map[string]series, requests, size int, err error) {
	r := new(receiver)
	server := httptest.NewServer(r)
	defer server.Close()
	sc := orPost(scenarios[0])
	if err := r.look(webhookContenders(server.URL, nil)[0], sc, p.webhookBurst); err != nil {
		return nil, 0, 0, err
	}
	body := r.largest
	requests, size = r.requests, len(body)
	cs := webhookContenders(server.URL, body)
	for _, c := range cs {
		if err := r.look(c, sc, p.webhookBurst); err != nil {
			return nil, 0, 0, err
		}
	}
	all, err = race(cs, nil, sc, 1, p.webhookRounds, func(*entrant) int { return p.webhookBurst })
	return all, requests, size, err
}

func perSecond(ns float64) float64 { return 1e9 / ns }
