package elasticsearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/sinks"
)

// The mapping of an index that the sink creates. Texts do not become dates by
// looking like one, and values that do not fit are stored and not indexed, where
// that is possible, as nothing is worse than the first record deciding which of
// the others are refused.
const mapping = `{
  "settings": {"index.mapping.ignore_malformed": true},
  "mappings": {
    "date_detection": false,
    "dynamic_templates": [
      {"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}},
      {"floats": {"match_mapping_type": "double", "mapping": {"type": "double"}}}
    ],
    "properties": {
      "@timestamp": {"type": "date"},
      "message": {"type": "text"},
      "tags": {"type": "keyword"},
      "ecs": {"properties": {"version": {"type": "keyword"}}},
      "error": {"properties": {"message": {"type": "text"}}},
      "event": {"properties": {
        "original": {"type": "keyword", "index": false, "doc_values": false},
        "sequence": {"type": "long"}
      }},
      "log": {"properties": {
        "level": {"type": "keyword"},
        "origin": {"properties": {
          "file": {"properties": {"line": {"type": "integer"}, "name": {"type": "keyword", "ignore_above": 1024}}},
          "function": {"type": "keyword", "ignore_above": 1024}
        }}
      }},
      "service": {"properties": {"name": {"type": "keyword", "ignore_above": 1024}}},
      "span": {"properties": {"id": {"type": "keyword", "ignore_above": 1024}}},
      "trace": {"properties": {"id": {"type": "keyword", "ignore_above": 1024}}}
    }
  }
}`

// maxKnown bounds how many names of indices are remembered.
const maxKnown = 1000

// Probe asks whether there is such a server, and creates the index if that is
// missing and may be created.
func (s *Sink) Probe(ctx context.Context) error {
	answer, err := s.do(ctx, http.MethodGet, "/", "")
	if err != nil {
		if errors.Is(err, io.EOF) && strings.HasPrefix(s.where, "http:") {
			err = fmt.Errorf("%w: if the port speaks TLS, write the scheme with +https", err)
		}
		return err
	}
	said := errorOf(answer.Body)
	// A user may have privileges for one index and none for asking who this is.
	if answer.Status != http.StatusForbidden || said == nil || said.Type != security {
		if err := s.judge(answer); err != nil {
			return err
		}
		var about struct{ Version struct{ Number string } }
		if answer.Err != nil || json.Unmarshal(answer.Body, &about) != nil || about.Version.Number == "" {
			return sinks.Hold(fmt.Errorf("elasticsearch: GET %s: this is neither Elasticsearch nor OpenSearch: %s", s.where, answer.Quote()))
		}
	}
	clear(s.known)
	return s.ensure(ctx, s.index.name(time.Now()))
}

// ensure sees to it that an index or data stream is there, if that has to be
// asked. It does so once for each name: what is deleted later, the server says.
func (s *Sink) ensure(ctx context.Context, name string) error {
	if s.known[name] || !s.create && s.index.fixed == "" {
		return nil
	}
	answer, err := s.do(ctx, http.MethodHead, "/"+url.PathEscape(name), "")
	if err != nil {
		return err
	}
	switch answer.Status {
	case http.StatusOK, http.StatusForbidden:
		// Who may not ask may still write.
	case http.StatusNotFound:
		if err := s.make(ctx, name); err != nil {
			return err
		}
	default:
		return s.judge(answer)
	}
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[strings.Clone(name)] = true
	return nil
}

// make creates an index or data stream that is missing.
func (s *Sink) make(ctx context.Context, name string) error {
	what, target, body := "index", "/"+url.PathEscape(name), mapping
	if s.dataStream {
		what, target, body = "data stream", "/_data_stream/"+url.PathEscape(name), ""
	}
	if !s.create {
		return sinks.Hold(fmt.Errorf("elasticsearch: %s: there is no %s %s: create it, or set create=true", s.where, what, name))
	}
	answer, err := s.do(ctx, http.MethodPut, target, body)
	if err != nil {
		return err
	}
	said := errorOf(answer.Body)
	if said != nil && said.Type == alreadyExists {
		return nil // somebody else has been faster
	}
	err = s.judge(answer)
	switch {
	case err == nil:
		return nil
	case s.dataStream && answer.Status == http.StatusBadRequest && said != nil && strings.Contains(said.Reason, "no matching index template"):
		return fmt.Errorf(`%w: create a template, for example with PUT /_index_template/%s {"index_patterns":["%[2]s"],"data_stream":{}}`, err, name)
	default:
		return fmt.Errorf("create the %s %s: %w", what, name, err)
	}
}

// do makes a request that is none for documents. What is in it may be done
// twice.
func (s *Sink) do(ctx context.Context, method, target, body string) (*httpsink.Response, error) {
	r := httpsink.Request{Method: method, Target: target, Keep: 64 << 10}
	if body != "" {
		r.Body = s.client.NewBody()
		r.Body.Reset()
		_, err := io.WriteString(r.Body, body)
		if err := errors.Join(err, r.Body.Close()); err != nil {
			return nil, fmt.Errorf("elasticsearch: make request body: %w", err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}}
	}
	return s.client.Do(ctx, r)
}
