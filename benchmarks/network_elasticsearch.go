package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fapilog/fapilog/internal/testserver"
	sink "github.com/fapilog/fapilog/sinks/elasticsearch"
	"github.com/olivere/elastic/v7"
)

// The names that the goals refer to.
const (
	nameElastic     = "fapilog elasticsearch sink"
	nameBulk        = "raw: bulk requests of net/http, rendered before"
	nameBulkOlivere = "olivere/elastic's BulkService, documents rendered before"
)

var toElasticsearch = destination{
	name:  "Elasticsearch",
	goals: []networkGoal{{name: nameElastic, against: nameBulk, times: 0.9}},
	slow:  4,
	start: func(t testing.TB, burst int) (*field, error) {
		server := testserver.StartElasticsearch(t)
		address := "http://" + server.Address
		return startBulk("elasticsearch://"+server.Address, address, burst,
			func(index string) func() uint64 { return func() uint64 { return uint64(server.Count(index)) } })
	},
}

// What a client costs shows where the server costs nothing.
var toForgetfulElasticsearch = destination{
	name: "A server that answers as Elasticsearch does, and forgets",
	start: func(t testing.TB, burst int) (*field, error) {
		server := new(bulkServer)
		h := httptest.NewServer(server)
		t.Cleanup(h.Close)
		return startBulk("elasticsearch://"+h.Listener.Addr().String(), h.URL, burst,
			func(index string) func() uint64 { return func() uint64 { return server.count(index) } })
	},
}

// startBulk is the field for a server whose indices delivered counts.
func startBulk(uri, url string, burst int, delivered func(index string) func() uint64) (*field, error) {
	size := new(sink.Sink).Batching().Records
	documents, err := documentsOf(size)
	if err != nil {
		return nil, err
	}
	open := func(index string, send func(index string) (*batcher, error)) func(io.Writer) (*subject, error) {
		return func(io.Writer) (*subject, error) {
			// The sink makes the index, so that all have the same mapping.
			s, err := openSink(uri + "/" + index + "?create=true")
			if err != nil {
				return nil, err
			}
			if send != nil {
				if err := s.close(); err != nil {
					return nil, err
				}
				b, err := send(index)
				if err != nil {
					return nil, err
				}
				s = b.subject(func() error { return nil })
			}
			s.delivered = delivered(index)
			return s, nil
		}
	}
	return &field{
		title: fmt.Sprintf("%d records a round, %d a request, the same documents with ids, op_type create, and the mapping of the sink", burst, size),
		contenders: []contender{
			{name: nameElastic, later: true, open: open("sink", nil)},
			{name: nameBulk, later: true, open: open("raw", func(index string) (*batcher, error) { return rawBulk(url, index, documents), nil })},
			{name: nameBulkOlivere, later: true, open: open("olivere", func(index string) (*batcher, error) { return olivereBulk(url, index, documents) })},
		},
	}, nil
}

// bulkID is the id of a document, which looks like those of the sink.
func bulkID(seq int) string { return fmt.Sprintf("01J9ZQ3V5T8X2M4N6P7R9S0ABC:%d", seq) }

// rawBulk is what a program would do that has its records as documents.
func rawBulk(url, index string, documents [][]byte) *batcher {
	seq := 0
	var body bytes.Buffer
	return &batcher{size: len(documents), send: func(n int) error {
		body.Reset()
		for _, doc := range documents[:n] {
			seq++
			body.WriteString(`{"create":{"_id":"` + bulkID(seq) + "\"}}\n")
			body.Write(doc)
		}
		resp, err := http.Post(url+"/"+index+"/_bulk", "application/x-ndjson", &body)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var answer struct {
			Errors bool
			Items  []struct{ Create struct{ Status int } }
		}
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK || answer.Errors || len(answer.Items) != n {
			return fmt.Errorf("%s, errors: %t, %d items", resp.Status, answer.Errors, len(answer.Items))
		}
		return nil
	}}
}

// olivereBulk is the same with a client library.
func olivereBulk(url, index string, documents [][]byte) (*batcher, error) {
	client, err := elastic.NewSimpleClient(elastic.SetURL(url))
	if err != nil {
		return nil, err
	}
	seq := 0
	return &batcher{size: len(documents), send: func(n int) error {
		bulk := client.Bulk().Index(index)
		for _, doc := range documents[:n] {
			seq++
			bulk.Add(elastic.NewBulkCreateRequest().Id(bulkID(seq)).Doc(json.RawMessage(bytes.TrimSuffix(doc, []byte("\n")))))
		}
		answer, err := bulk.Do(context.Background())
		if err == nil && (answer.Errors || len(answer.Items) != n) {
			err = fmt.Errorf("errors: %t, %d items", answer.Errors, len(answer.Items))
		}
		return err
	}}, nil
}

// documentsOf returns n documents as the sink makes them, each with its newline.
func documentsOf(n int) ([][]byte, error) {
	server := &bulkServer{keep: n}
	h := httptest.NewServer(server)
	defer h.Close()
	s, err := openSink("elasticsearch://" + h.Listener.Addr().String() + "/logs?create=true")
	if err != nil {
		return nil, err
	}
	networkRecords.run(slog.New(s.handler), n)
	if err := s.close(); err != nil {
		return nil, err
	}
	if len(server.kept) != n {
		return nil, fmt.Errorf("the sink has sent %d documents of %d", len(server.kept), n)
	}
	return server.kept, nil
}
