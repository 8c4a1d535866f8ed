package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// The defaults of [Options].
const (
	DefaultEvery   = 5 * time.Second
	DefaultPerHour = 60
)

// A batch has all that is logged while a message has to wait: so many errors in
// five seconds are more than anybody reads, and counting them is quick.
const (
	batchRecords = 10_000
	batchBytes   = 4 << 20
)

// Options configure a sink. The zero value of each field means its default.
type Options struct {
	// Every is the least time from one message to the next, from a second to an
	// hour; default DefaultEvery.
	Every time.Duration

	// PerHour is how many messages are sent in an hour at most, from 2 to 3600;
	// default DefaultPerHour. Half of them may be sent one after the other.
	PerHour int

	Proxy  string // "env" (default), "none", or the URL of a proxy
	CAFile string // PEM file with the authorities to trust instead of the system's
}

// A Sink sends digests to a channel of Slack.
type Sink struct {
	client *httpsink.Client
	body   *httpsink.Body
	every  time.Duration
	quota  quota
	debt   debt // what the next message has to tell
}

var (
	_ sinks.Sink           = (*Sink)(nil)
	_ sinks.Prober         = (*Sink)(nil)
	_ sinks.Batcher        = (*Sink)(nil)
	_ sinks.DefaultLeveler = (*Sink)(nil)
	_ sinks.GapMarker      = (*Sink)(nil)
	_ io.Closer            = (*Sink)(nil)
)

// New makes a sink that sends to the webhook at url, which has the form
// https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX, or http and
// another host for a gateway. It connects to nothing. The error reports all that
// is wrong, and does not show the path.
func New(url string, o Options) (*Sink, error) {
	return newSink(httpsink.Options{URL: url, Proxy: o.Proxy, CAFile: o.CAFile}, o)
}

func newSink(h httpsink.Options, o Options) (*Sink, error) {
	h.Sink = "slack"
	if o.Every == 0 {
		o.Every = DefaultEvery
	}
	if o.PerHour == 0 {
		o.PerHour = DefaultPerHour
	}
	client, err := httpsink.New(h)
	errs := []error{err}
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("slack: open: %s: %w", name, err))
		}
	}
	check("url", checkURL(h.URL))
	check("every", checkEvery(o.Every))
	check("per_hour", checkPerHour(o.PerHour))
	if err := errors.Join(errs...); err != nil {
		if client != nil {
			_ = client.Close()
		}
		return nil, err
	}
	return &Sink{client: client, body: client.NewBody(), every: o.Every, quota: newQuota(o.PerHour)}, nil
}

// Batching returns the batches of a digest: what comes within the time between
// two messages.
func (s *Sink) Batching() sinks.Batching {
	return sinks.Batching{Records: batchRecords, Bytes: batchBytes, Linger: s.every, Interval: s.every}
}

// DefaultLevel returns [slog.LevelError].
func (s *Sink) DefaultLevel() slog.Level { return slog.LevelError }

// MarksGaps returns true: people read the channel.
func (s *Sink) MarksGaps() bool { return true }

// Probe connects to the server, and sends no request.
func (s *Sink) Probe(ctx context.Context) error { return s.client.Probe(ctx) }

// Close closes the connections.
func (s *Sink) Close() error { return s.client.Close() }

// What is said of records that are but a number in a message, or in the next one.
var (
	errNoRoom  = sinks.Permanent(errors.New("slack: the message has no room for the record, and says how many such there are"))
	errNoQuota = sinks.Permanent(errors.New("slack: not sent, because the messages of per_hour are used up: the next message says how many records these are"))
)

var header = http.Header{"Content-Type": {"application/json; charset=utf-8"}}

// Write sends a batch as one message, or none if there were enough.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("slack: not sent: %w", err)
	}
	if !s.quota.ready(time.Now()) {
		for _, e := range batch {
			if n, ok := droppedIn(e); ok {
				s.debt.dropped += n
			} else {
				s.debt.unsent.add(e.Level(), 1)
			}
		}
		return reject(batch, errNoQuota)
	}
	d := newDigest(batch)
	if err := s.render(d); err != nil {
		return fmt.Errorf("slack: make request body: %w", err)
	}

	// Before the headers are written, nothing of the message can be on its way.
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	answer, err := s.client.Do(ctx, httpsink.Request{Method: http.MethodPost, Header: header, Body: s.body, Keep: keepAnswer, Fresh: true})
	switch {
	case err != nil && !sent.Load():
		return err
	case err != nil:
		err = perhaps(err)
	default:
		err = judge(answer)
	}
	switch kind, _, _ := verdict.Of(err); {
	case err == nil:
		s.posted()
	case errors.Is(err, errPerhaps):
		s.posted()
		return reject(batch, err)
	case kind == verdict.Permanent, kind == verdict.TooLarge:
		// Not as it is: each half of the batch would be a message, too.
		s.debt.dropped += d.dropped
		return reject(batch, sinks.Permanent(err))
	default:
		return err
	}
	if items := d.leftOut(); len(items) > 0 {
		return &sinks.BatchError{Items: items}
	}
	return nil
}

// posted notes that there is one more message in the channel, or may be.
func (s *Sink) posted() {
	s.quota.take(time.Now())
	s.debt = debt{}
}

// reject is the verdict on a batch that is not to be sent in parts.
func reject(batch []sinks.Event, err error) error {
	items := make(map[int]error, len(batch))
	for i := range batch {
		items[i] = err
	}
	return &sinks.BatchError{Items: items}
}

// errPerhaps is what no message says: that one may have been taken.
var errPerhaps = errors.New("perhaps delivered")

// perhaps is the verdict on a message that Slack may have taken.
func perhaps(err error) error {
	return sinks.Permanent(fmt.Errorf("%w: %w: not sent again, lest it is there twice", err, errPerhaps))
}

// keepAnswer is how much of an answer is read, in bytes: Slack's is one word.
const keepAnswer = 1 << 10

// judge returns the verdict on a message.
func judge(answer *httpsink.Response) error {
	word := strings.TrimSpace(string(answer.Body))
	switch answer.Status {
	case http.StatusOK:
		switch {
		case answer.Err != nil:
			return perhaps(fmt.Errorf("slack: answered 200: %w", answer.Err))
		case word == "ok":
			return nil
		}
		return fmt.Errorf("%w: Slack's answer is ok: is it another server, or a proxy, that answers?", answer.Verdict())
	case http.StatusBadRequest:
		// These speak of the webhook, not of the message.
		if word == "user_not_found" || word == "channel_not_found" {
			return sinks.Hold(errors.New(answer.Verdict().Error() + advice))
		}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w"+advice, answer.Verdict())
	}
	return answer.Verdict()
}

const advice = ": see to the webhook and its channel in Slack, or make a new webhook"
