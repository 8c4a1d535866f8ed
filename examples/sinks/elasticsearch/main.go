// Command elasticsearch logs to an Elasticsearch or OpenSearch and asks it for the
// errors, as a person who looks for something would. The URI is the first argument,
// or in the environment variable ELASTICSEARCH_URI.
//
//	go run ./examples/sinks/elasticsearch 'elasticsearch://elastic:secret@localhost:9200/shop'
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"

	"github.com/fapilog/fapilog"
	_ "github.com/fapilog/fapilog/sinks/elasticsearch"
)

func main() {
	uri := os.Getenv("ELASTICSEARCH_URI")
	if len(os.Args) > 1 {
		uri = os.Args[1]
	}
	if err := run(context.Background(), cmp.Or(uri, "elasticsearch://localhost:9200/shop"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, uri string, w io.Writer) error {
	out, err := fapilog.New(ctx, fapilog.Config{Service: "shop", Sinks: []string{uri}})
	if err != nil {
		return err
	}
	log := slog.New(fapilog.Handler(out, nil))
	log.Info("order received", "order", 4711, "trace_id", "4bf92f3577b34da6")
	log.Error("payment refused", "order", 4711, "trace_id", "4bf92f3577b34da6", slog.Group("card", "type", "visa", "reason", "expired"))
	if err := out.Close(); err != nil { // delivers what is left
		return err
	}
	return read(ctx, uri, w)
}

// The fields of ECS are at the top, attributes below a key of their own. Levels,
// ids and attributes that are texts are found whole, the message by its words.
const query = `{
	"sort": ["@timestamp", "event.sequence"],
	"query": {"bool": {"filter": [
		{"term": {"log.level": "error"}},
		{"term": {"trace.id": "4bf92f3577b34da6"}},
		{"term": {"attributes.card.type": "visa"}},
		{"match": {"message": "payment"}},
		{"range": {"@timestamp": {"gte": "now-1h"}}}
	]}}
}`

// read prints the errors of the last hour.
func read(ctx context.Context, uri string, w io.Writer) error {
	server, err := url.Parse(uri)
	if err != nil {
		return err
	}
	// What was written is found a second later, or after a refresh, which only
	// examples are in a hurry for.
	if _, err := ask(ctx, server, "_refresh", ""); err != nil {
		return err
	}
	text, err := ask(ctx, server, "_search", query)
	if err != nil {
		return err
	}
	var answer struct {
		Hits struct {
			Hits []struct {
				Source struct {
					Message    string
					Service    struct{ Name string }
					Attributes struct {
						Order int
						Card  struct{ Reason string }
					}
				} `json:"_source"`
			}
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	for _, hit := range answer.Hits.Hits {
		s := hit.Source
		fmt.Fprintf(w, "%s: %s: order %d: card %s\n", s.Service.Name, s.Message, s.Attributes.Order, s.Attributes.Card.Reason)
	}
	return nil
}

// ask makes a request for the index.
func ask(ctx context.Context, server *url.URL, what, body string) ([]byte, error) {
	target := url.URL{Scheme: "http", Host: server.Host, Path: server.Path + "/" + what}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if password, ok := server.User.Password(); ok {
		req.SetBasicAuth(server.User.Username(), password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", what, resp.Status, text)
	}
	return text, err
}
