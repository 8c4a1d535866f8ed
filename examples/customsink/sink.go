package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() { registry.Register("tickets", open) }

// A ticketSink opens a ticket for each record, all those of a batch with one
// request.
type ticketSink struct {
	url      string
	token    string
	priority string
	labels   map[string]string
	maxBody  int64
}

var (
	_ sinks.Sink   = (*ticketSink)(nil)
	_ sinks.Prober = (*ticketSink)(nil)
)

// open makes the sink of a URI such as
//
//	tickets://:token@host:port/queue?priority=high&labels=app=shop,env=prod&max_body=64KiB
//
// Each parameter is read by its type. A malformed or unknown one is reported
// when fapilog.Open is, together with everything else that is wrong.
func open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	s := &ticketSink{
		priority: uri.Enum("priority", "normal", "low", "normal", "high"),
		labels:   make(map[string]string),
		maxBody:  uri.Size("max_body", 1<<20),
	}
	for _, pair := range uri.Pairs("labels") {
		s.labels[pair.Key] = pair.Value
	}
	scheme := "http"
	if uri.Bool("tls", false) {
		scheme = "https"
	}
	if err := uri.Check(); err != nil {
		return nil, err
	}
	if uri.Host == "" {
		return nil, errors.New("no host: write tickets://host:port/queue")
	}
	s.token, _ = uri.Password()
	s.url = scheme + "://" + uri.Host + uri.EscapedPath()
	return s, nil
}

// A ticket is what the destination takes.
type ticket struct {
	Key      string            `json:"key"` // the same if the record is sent again
	Title    string            `json:"title"`
	Priority string            `json:"priority"`
	Labels   map[string]string `json:"labels"`
	Record   json.RawMessage   `json:"record"`
}

func (s *ticketSink) Write(ctx context.Context, batch []sinks.Event) error {
	tickets := make([]ticket, len(batch))
	for i, e := range batch {
		tickets[i] = ticket{e.ID().String(), e.Message(), s.priority, s.labels, e.JSON()}
	}
	body, err := json.Marshal(tickets)
	if err != nil {
		return sinks.Permanent(err)
	}
	if int64(len(body)) > s.maxBody {
		return sinks.TooLarge(fmt.Errorf("request of %d bytes", len(body)))
	}
	return s.do(ctx, http.MethodPost, body)
}

// Probe is called by fapilog.Open, and before each new attempt of a sink that
// is held.
func (s *ticketSink) Probe(ctx context.Context) error { return s.do(ctx, http.MethodHead, nil) }

// do sends a request. Its error is the verdict on the batch.
func (s *ticketSink) do(ctx context.Context, method string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err // nothing is known: again, later
	}
	defer resp.Body.Close()
	err = errors.New(resp.Status)
	switch code := resp.StatusCode; code {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return sinks.Permanent(err) // never this record; the others of the batch, yes
	case http.StatusRequestEntityTooLarge:
		return sinks.TooLarge(err) // in two halves
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return sinks.Hold(err) // not until somebody has acted
	case http.StatusTooManyRequests:
		if seconds, bad := strconv.Atoi(resp.Header.Get("Retry-After")); bad == nil {
			return sinks.RetryAfter(err, time.Duration(seconds)*time.Second)
		}
	}
	return err // again, later
}
