package loki

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/snappy"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// The default batches.
const (
	batchRecords = 5000
	batchBytes   = 1 << 20
	batchLinger  = 500 * time.Millisecond
)

// maxRequest bounds a request before compression, in bytes. Loki's distributor
// passes it on with gRPC, which takes 4 MiB, after it has added to each entry
// (detected_level), and answers 500 where that is too much.
const maxRequest = 3 << 20

// keepRefusals is how much of an answer is read that says what was refused, in
// bytes.
const keepRefusals = 1 << 20

// A Sink sends records to Loki.
type Sink struct {
	client  *httpsink.Client
	body    *httpsink.Body
	header  http.Header // of every request
	maxLine int         // negative: no limit

	labeler  labeler
	metadata []source
	recordID bool
	clock    *clock

	streams streams
	plain   []byte // a request, before compression
	packed  []byte // and after
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Prober  = (*Sink)(nil)
	_ sinks.Batcher = (*Sink)(nil)
	_ io.Closer     = (*Sink)(nil)
)

// New makes a sink that sends to the Loki at url, which has the form
// http://host[:port][/prefix] or https://..., without user information and query.
// It reads the files that the options name, and connects to nothing. The error
// reports all that is wrong.
func New(url string, o Options) (*Sink, error) {
	return newSink(httpsink.Options{
		URL:       url,
		Username:  o.Username,
		Password:  o.Password,
		Token:     o.Token,
		TokenFile: o.TokenFile,
		TokenEnv:  o.TokenEnv,
		Header:    o.Header,
		Proxy:     o.Proxy,
		CAFile:    o.CAFile,
		CertFile:  o.CertFile,
		KeyFile:   o.KeyFile,
	}, o)
}

func newSink(h httpsink.Options, o Options) (*Sink, error) {
	h.Sink = "loki"
	if strings.Contains(h.URL, "?") {
		return nil, errors.New("loki: open: url: it has a query, which the API has not")
	}
	h.URL = withPath(h.URL)
	client, err := httpsink.New(h)
	errs := []error{err}
	s := &Sink{
		client: client,
		clock:  newClock(),
		header: http.Header{
			"Content-Type": {"application/x-protobuf"},
			// Entries that are sent again are found once, so net/http may do that by
			// itself where it must assume that they were processed. A header without
			// a value tells it, and is not sent.
			"Idempotency-Key": {},
		},
	}
	for _, p := range o.load(s) {
		errs = append(errs, fmt.Errorf("loki: open: %s: %s", p.name, p.reason))
	}
	if err := errors.Join(errs...); err != nil {
		if client != nil {
			_ = client.Close()
		}
		return nil, err
	}
	s.body = client.NewBody()
	return s, nil
}

// Batching returns the default batches: fewer and larger requests than most
// sinks make.
func (s *Sink) Batching() sinks.Batching {
	return sinks.Batching{Records: batchRecords, Bytes: batchBytes, Linger: batchLinger}
}

// Probe sends a push request without streams, which writes nothing. It finds
// out whether there is a Loki, and whether it takes the credentials for writing.
func (s *Sink) Probe(ctx context.Context) error {
	answer, err := s.send(ctx, nil)
	if err != nil {
		return err
	}
	if answer.Status == http.StatusUnprocessableEntity {
		return nil // that at least one stream is required; before v3 it was 204
	}
	return s.judge(answer)
}

// send sends a request, of which nothing is compressed yet.
func (s *Sink) send(ctx context.Context, request []byte) (*httpsink.Response, error) {
	s.packed = snappy.Encode(s.packed[:cap(s.packed)], request)
	s.body.Reset()
	_, err := s.body.Write(s.packed)
	if err == nil {
		err = s.body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("loki: make request body: %w", err)
	}
	return s.client.Do(ctx, httpsink.Request{Method: http.MethodPost, Header: s.header, Body: s.body, Keep: keepRefusals})
}

// statusBlocked is what Loki answers while ingestion is blocked
// (limits_config.block_ingestion_status_code).
const statusBlocked = 260

// judge returns the verdict on a request, with a word on what to do.
func (s *Sink) judge(answer *httpsink.Response) error {
	err := answer.Verdict(http.StatusNoContent)
	advice := ""
	switch answer.Status {
	case http.StatusNoContent:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		advice = "give credentials that may write: user and password in the URI, token_file or token_env, and tenant where there are several"
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		advice = "there is no push API: the path of the URI is what stands before " + pushPath
	case statusBlocked:
		advice = "Loki has stored nothing, ingestion is blocked (block_ingestion_until)"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// Write sends a batch.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	if len(batch) > remembered {
		return sinks.TooLarge(fmt.Errorf("loki: the batch has more than %d records", remembered))
	}
	defer s.streams.reset()
	defer s.labeler.reset()
	items := s.sort(batch)
	if slices.ContainsFunc(s.streams.list, func(st stream) bool { return st.requestSize() > maxRequest && len(st.entries) > 1 }) {
		return tooLarge()
	}
	for i := range s.streams.list {
		st := &s.streams.list[i]
		err := s.push(ctx, st, items)
		if err == nil {
			continue
		}
		if kind, _, _ := verdict.Of(err); kind == verdict.TooLarge || kind == verdict.Permanent {
			if len(st.entries) == 1 {
				items[st.entries[0].index] = err
				continue
			}
			if i > 0 || len(items) > 0 {
				// Only a batch can be divided. So this one is returned as what is
				// left of it, which is the next to be sent.
				err = sinks.RetryAfter(err, 0)
			}
		}
		if i == 0 && len(items) == 0 {
			return err
		}
		for _, rest := range s.streams.list[i:] {
			for _, e := range rest.entries {
				items[e.index] = err
			}
		}
		break
	}
	if len(items) == 0 {
		return nil
	}
	return &sinks.BatchError{Items: items}
}

// sort makes streams of a batch. It returns the verdicts on records that cannot
// be sent.
func (s *Sink) sort(batch []sinks.Event) map[int]error {
	items := make(map[int]error)
	var before uint64
	for i, e := range batch {
		line := e.JSON()
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		switch t := e.Time(); {
		case len(line) == 0:
			items[i] = sinks.Permanent(errors.New("loki: the record cannot be rendered"))
		case s.maxLine >= 0 && len(line) > s.maxLine:
			items[i] = sinks.Permanent(fmt.Errorf("loki: the line has %d bytes, which is more than %d: if Loki takes that, set max_line_size", len(line), s.maxLine))
		case !t.IsZero() && !representable(t):
			items[i] = sinks.Permanent(fmt.Errorf("loki: the time %s has no nanoseconds since 1970 in 64 bits", t.Format(time.RFC3339)))
		default:
			labels := s.labeler.of(e)
			s.streams.of(labels).add(entry{
				index:    i,
				at:       s.clock.at(e, i, before, labels, line),
				line:     line,
				metadata: s.streams.metadata(e, s.metadata, s.recordID),
			})
		}
		before = e.ID().Seq
	}
	for i := range s.streams.list {
		s.streams.list[i].sort()
	}
	return items
}

func tooLarge() error {
	return sinks.TooLarge(fmt.Errorf("loki: the request would have more than %d bytes", maxRequest))
}

// push sends a stream. Verdicts on single records go into items; nil means that
// these are all there is to say.
func (s *Sink) push(ctx context.Context, st *stream, items map[int]error) error {
	if st.requestSize() > maxRequest {
		return tooLarge()
	}
	s.plain = st.appendRequest(s.plain[:0])
	answer, err := s.send(ctx, s.plain)
	if err != nil {
		return err
	}
	err = s.judge(answer)
	if kind, _, _ := verdict.Of(err); answer.Status != http.StatusBadRequest || kind != verdict.Permanent {
		return err
	}
	// Some were refused, and the others stored: nothing of this is sent again.
	for i, fate := range s.fates(answer, st) {
		switch fate {
		case refused:
			items[st.entries[i].index] = err
		case unknown:
			items[st.entries[i].index] = fmt.Errorf("loki: it is not known whether the record is stored: Loki has refused others: %s", answer.Quote())
		}
	}
	return nil
}

// fates is what has become of each entry. If that cannot be made out, they have
// all been refused, for all that is known.
func (s *Sink) fates(answer *httpsink.Response, st *stream) []fate {
	if answer.Err == nil {
		if f := fates(answer.Body, st); f != nil {
			return f
		}
	}
	return slices.Repeat([]fate{refused}, len(st.entries))
}

// Close closes the connections.
func (s *Sink) Close() error { return s.client.Close() }
