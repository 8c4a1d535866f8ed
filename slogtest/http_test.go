package slogtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/slogtest"
)

// A poster is a sink as one might write it: lines of JSON, posted.
type poster struct {
	url    string
	client http.Client
}

func (p *poster) Write(ctx context.Context, batch []sinks.Event) error {
	var body bytes.Buffer
	for _, e := range batch {
		body.Write(e.JSON())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", fmt.Sprint(batch[0].ID(), "-", batch[len(batch)-1].ID().Seq))
	resp, err := p.client.Do(req)
	if err != nil {
		return errors.New("poster: no answer")
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<20) // so that the connection can be used again
	err = fmt.Errorf("poster: status %d", resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusTooManyRequests:
		return sinks.RetryAfter(err, 10*time.Millisecond)
	case http.StatusRequestEntityTooLarge:
		return sinks.TooLarge(err)
	case http.StatusBadRequest:
		return sinks.Permanent(err)
	case http.StatusUnauthorized:
		return sinks.Hold(err)
	default:
		return err
	}
}

func (p *poster) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

func TestPoster(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		server := slogtest.NewServer(t)
		return slogtest.Subject{
			Sink:       &poster{url: server.URL + "/?token=" + secretToken, client: http.Client{Transport: &http.Transport{}}},
			Records:    func() ([]map[string]any, error) { return posted(server.Requests()) },
			Secrets:    []string{secretToken},
			Idempotent: true,
			Faults: []slogtest.Fault{
				server.Fault("unavailable", slogtest.Answer{Status: 503}, slogtest.Retry),
				server.Fault("too many requests", slogtest.Answer{Status: 429}, slogtest.RetryAfter),
				server.Fault("too large", slogtest.Answer{Status: 413}, slogtest.TooLarge),
				server.Fault("bad request", slogtest.Answer{Status: 400}, slogtest.Permanent),
				server.Fault("unauthorized", slogtest.Answer{Status: 401}, slogtest.Hold),
				server.Fault("no answer", slogtest.Answer{Trouble: slogtest.Stall}, slogtest.Retry),
				server.Fault("connection cut", slogtest.Answer{Trouble: slogtest.CutBefore}, slogtest.Retry),
				server.Fault("answer lost", slogtest.Answer{Trouble: slogtest.CutAfter}, slogtest.Retry),
				server.Fault("nonsense", slogtest.Answer{Trouble: slogtest.Malformed}, slogtest.Retry),
			},
		}
	})
}

// posted returns the records in requests that were accepted, once for each key.
func posted(requests []slogtest.Request) (records []map[string]any, err error) {
	seen := make(map[string]bool)
	for _, r := range requests {
		key := r.Header.Get("Idempotency-Key")
		if !r.Accepted() || seen[key] {
			continue
		}
		seen[key] = true
		some, err := slogtest.ParseJSON(r.Body)
		if err != nil {
			return nil, err
		}
		records = append(records, some...)
	}
	return records, nil
}
