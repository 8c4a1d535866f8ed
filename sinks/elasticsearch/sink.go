package elasticsearch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
)

// The default batches: a request costs a server as much as a thousand documents,
// and should have from 1 to 10 MB.
const (
	batchRecords = 5000
	batchBytes   = 2 << 20
	batchLinger  = 500 * time.Millisecond
)

// keepAnswer is how much of an answer is read, in bytes.
const keepAnswer = 16 << 20

// waitForShards is how long a server waits for shards that are not there before
// it answers, which is less than the time that Write has.
const waitForShards = "5s"

// A Sink sends records to Elasticsearch or OpenSearch.
type Sink struct {
	client *httpsink.Client
	body   *httpsink.Body
	where  string // scheme://host

	index      *pattern
	dataStream bool
	create     bool
	target     string          // of bulk requests
	known      map[string]bool // indices that are known to be there

	documents *documents
	timeless  timeless
	warned    map[string]bool
	action    []byte
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Prober  = (*Sink)(nil)
	_ sinks.Batcher = (*Sink)(nil)
	_ io.Closer     = (*Sink)(nil)
)

// New makes a sink that sends to the server at url, which has the form
// http://host[:port] or https://..., without user information, path and query.
// It reads the files that the options name, and connects to nothing. The error
// reports all that is wrong.
func New(url string, o Options) (*Sink, error) { return newSink(o.client(url), o) }

func newSink(h httpsink.Options, o Options) (*Sink, error) {
	h.Sink = "elasticsearch"
	s := &Sink{
		create: !o.NoCreate, known: make(map[string]bool), warned: make(map[string]bool), documents: newDocuments(),
	}
	var errs []error
	for _, p := range o.load(s) {
		errs = append(errs, fmt.Errorf("elasticsearch: open: %s: %s", p.name, p.reason))
	}
	u, err := url.Parse(h.URL)
	if err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		errs = append(errs, errors.New("elasticsearch: open: url: it has a path or a query: the index is an option"))
	}
	client, err := httpsink.New(h)
	if err := errors.Join(append(errs, err)...); err != nil {
		if client != nil {
			_ = client.Close()
		}
		return nil, err
	}
	s.client, s.body, s.where = client, client.NewBody(), u.Scheme+"://"+u.Host
	s.target = "/_bulk?timeout=" + waitForShards + "&filter_path=" + filterPath
	if s.index.fixed != "" {
		s.target = "/" + url.PathEscape(s.index.fixed) + s.target
	}
	return s, nil
}

// Batching returns the default batches: fewer and larger requests than most
// sinks make.
func (s *Sink) Batching() sinks.Batching {
	return sinks.Batching{Records: batchRecords, Bytes: batchBytes, Linger: batchLinger}
}

// header is that of requests with documents. They are idempotent, so net/http may
// send them again by itself where it must assume that they were processed. A
// header without a value tells it, and is not sent.
var header = http.Header{"Content-Type": {"application/x-ndjson"}, "Idempotency-Key": {}}

// Write sends a batch with one request, and those records that are refused for
// their fields with another one, as texts.
func (s *Sink) Write(ctx context.Context, batch []sinks.Event) error {
	defer s.documents.release()
	all := make([]int, len(batch))
	for i := range all {
		all[i] = i
	}
	items := make(map[int]error)
	refusals, err := s.send(ctx, batch, all, false, items)
	if err == nil && len(refusals) > 0 {
		_, err = s.send(ctx, batch, refusals, true, items)
		if err != nil && len(refusals) < len(batch) {
			if kind, _, _ := verdict.Of(err); kind == verdict.TooLarge || kind == verdict.Permanent {
				// Only a batch can be divided. So these are returned as what is left of it,
				// which is the next to be sent.
				err = sinks.RetryAfter(err, 0)
			}
			for _, i := range refusals {
				items[i] = err
			}
			err = nil
		}
	}
	if err == nil && len(items) > 0 {
		err = &sinks.BatchError{Items: items}
	}
	return err
}

// send sends some records of a batch, and puts the verdicts on single ones into
// items. It returns the indices of those that are refused for their fields, which
// are not in items unless they were sent as texts. An error is the verdict on all of
// them.
func (s *Sink) send(ctx context.Context, batch []sinks.Event, indices []int, asText bool, items map[int]error) (refusals []int, err error) {
	texts, err := s.fill(ctx, batch, indices, asText)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(ctx, httpsink.Request{Method: http.MethodPost, Target: s.target, Header: header, Body: s.body, Keep: keepAnswer})
	if err != nil {
		return nil, err
	}
	if err := s.judge(answer); err != nil {
		if answer.Status == http.StatusNotFound {
			clear(s.known)
		}
		return nil, err
	}
	results, err := s.items(answer, len(indices))
	if err != nil {
		return nil, err
	}
	for k, i := range indices {
		fate, err := s.fateOf(answer, results[k])
		switch {
		case fate == delivered:
		case fate == refused && !texts[k]:
			refusals = append(refusals, i)
			s.warn(ctx, answer.Show(results[k].Error.text()))
		default:
			items[i] = err
		}
		if results[k].Status == http.StatusNotFound {
			clear(s.known)
		}
	}
	return refusals, nil
}

// fill makes the body of a request, and whatever indices are missing. It returns
// which of the documents are texts.
func (s *Sink) fill(ctx context.Context, batch []sinks.Event, indices []int, asText bool) (texts []bool, err error) {
	s.timeless.see(batch, time.Now)
	texts = make([]bool, len(indices))
	s.body.Reset()
	last := ""
	for k, i := range indices {
		e := batch[i]
		at := s.timeless.of(e)
		stamp, _ := timestamp(at) // years before 0 begin with a sign, which names must not
		name := s.index.name(stamp)
		if name != last {
			if err := s.ensure(ctx, name); err != nil {
				return nil, err
			}
			last = name
		}
		s.action = append(s.action[:0], `{"create":{`...)
		if s.index.fixed == "" {
			s.action = append(append(append(s.action, `"_index":"`...), name...), `",`...)
		}
		s.action = append(s.action, `"_id":"`...)
		s.action = appendID(s.action, e)
		s.action = append(s.action, "\"}}\n"...)
		_, _ = s.body.Write(s.action) // it is memory; what a compressor has to say, Close says
		doc, text := s.documents.of(e, at, asText)
		if text && !asText {
			s.warn(ctx, fmt.Sprintf("attributes are nested deeper than %d, or the time is out of range", maxDepth))
		}
		texts[k] = text
		_, _ = s.body.Write(append(doc, '\n'))
	}
	if err := s.body.Close(); err != nil {
		return nil, fmt.Errorf("elasticsearch: make request body: %w", err)
	}
	return texts, nil
}

// maxWarned bounds how many reasons are remembered that were said.
const maxWarned = 100

// warn says once for each reason that the attributes of records become texts.
func (s *Sink) warn(ctx context.Context, reason string) {
	if s.warned[reason] || len(s.warned) == maxWarned {
		return
	}
	s.warned[reason] = true
	sinks.Warn(ctx, fmt.Errorf("elasticsearch: %s: records are stored with their attributes as one text, event.original, and the tag %s, because their fields are refused: %s", s.where, textTag, reason))
}

// Close closes the connections.
func (s *Sink) Close() error { return s.client.Close() }
