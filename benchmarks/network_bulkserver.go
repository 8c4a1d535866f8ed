package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
)

// A bulkServer answers as an Elasticsearch does that has every index, and counts
// the documents of bulk requests.
type bulkServer struct {
	keep int // how many documents

	mu     sync.Mutex
	kept   [][]byte // with their newlines
	counts map[string]uint64
}

func (b *bulkServer) count(index string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[index]
}

func (b *bulkServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	index, bulk := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/_bulk")
	if !bulk {
		_, _ = io.WriteString(w, `{"version":{"number":"7.17.28"}}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	n := b.add(index, body)
	// An item is what Elasticsearch says of a document, or what the client wants
	// of it.
	item := `{"create":{"_index":"` + index + `","_type":"_doc","_id":"01J9ZQ3V5T8X2M4N6P7R9S0ABC:1000000","_version":1,"result":"created",` +
		`"_shards":{"total":2,"successful":1,"failed":0},"_seq_no":1000000,"_primary_term":1,"status":201}}`
	begin := `{"took":30,"errors":false,"items":[`
	if r.URL.Query().Has("filter_path") {
		item, begin = `{"create":{"status":201}}`, `{"items":[`
	}
	_, _ = io.WriteString(w, begin+strings.TrimSuffix(strings.Repeat(item+",", n), ",")+"]}")
}

// add returns how many documents there are in the body of a request.
func (b *bulkServer) add(index string, body []byte) int {
	n := bytes.Count(body, []byte("\n")) / 2
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts == nil {
		b.counts = make(map[string]uint64)
	}
	b.counts[index] += uint64(n)
	if len(b.kept) < b.keep {
		lines := bytes.SplitAfter(body, []byte("\n"))
		for i := 1; i < len(lines) && len(b.kept) < b.keep; i += 2 {
			b.kept = append(b.kept, lines[i])
		}
	}
	return n
}
