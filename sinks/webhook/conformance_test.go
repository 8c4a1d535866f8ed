package webhook_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/sinks/webhook"
	"github.com/fapilog/fapilog/slogtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, o := range []webhook.Options{
		{Username: "user", Password: "secret-password"},
		{Token: "secret-token", Format: webhook.Array, Compress: "gzip", Header: http.Header{"X-Key": {"secret-header"}}},
	} {
		t.Run(o.Compress, func(t *testing.T) {
			t.Parallel()
			slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
				server := slogtest.NewServer(t)
				sink, err := webhook.New(server.URL+"/secret-path?key=secret-query", o)
				require.NoError(t, err)
				soon := http.Header{"Retry-After": {"1"}}
				return slogtest.Subject{
					Sink:       sink,
					Idempotent: true,
					Secrets:    []string{"secret-"},
					Records:    func() ([]map[string]any, error) { return received(server) },
					Faults: []slogtest.Fault{
						server.Fault("slow down", slogtest.Answer{Status: 429, Header: soon}, slogtest.RetryAfter),
						server.Fault("unavailable", slogtest.Answer{Status: 503, Body: "secret-path"}, slogtest.Retry),
						server.Fault("too large", slogtest.Answer{Status: 413}, slogtest.TooLarge),
						server.Fault("refused", slogtest.Answer{Status: 422, Body: "secret-query"}, slogtest.Permanent),
						server.Fault("token", slogtest.Answer{Status: 401, Body: o.Password + o.Token}, slogtest.Hold),
						server.Fault("moved", slogtest.Answer{Status: 308, Header: http.Header{"Location": {"/secret-path"}}}, slogtest.Hold),
						server.Fault("cut before", slogtest.Answer{Trouble: slogtest.CutBefore}, slogtest.Retry),
						server.Fault("no answer", slogtest.Answer{Trouble: slogtest.Stall}, slogtest.Retry),
						server.Fault("answer lost", slogtest.Answer{Trouble: slogtest.CutAfter}, slogtest.Retry),
						server.Fault("no HTTP", slogtest.Answer{Trouble: slogtest.Malformed}, slogtest.Retry),
						server.Fault("endless error", slogtest.Answer{Status: 500, Trouble: slogtest.Endless}, slogtest.Retry),
						server.Fault("half an error", slogtest.Answer{Status: 500, Body: "x", Trouble: slogtest.Truncate}, slogtest.Retry),
					},
				}
			})
		})
	}
}

func TestURI(t *testing.T) {
	server := slogtest.NewServer(t)
	slogtest.TestURI(t, strings.Replace(server.URL, "//", "//user:pass-word@", 1)+"/path", "success=soon", "headers=x", "proxy=x", "ca_file=/x", "idempotency_header=a%20b")
}

// received returns the records that were accepted, once for each key.
func received(server *slogtest.Server) (records []map[string]any, err error) {
	seen := make(map[string]bool)
	for _, r := range server.Requests() {
		key := r.Header.Get("Idempotency-Key")
		if !r.Accepted() || seen[key] {
			continue
		}
		seen[key] = true
		body := r.Body
		if r.Header.Get("Content-Type") == "application/json" {
			if body, err = linesOf(body); err != nil {
				return nil, err
			}
		}
		some, err := slogtest.ParseJSON(body)
		if err != nil {
			return nil, err
		}
		records = append(records, some...)
	}
	return records, nil
}

// linesOf makes lines of a JSON array.
func linesOf(array []byte) ([]byte, error) {
	var elements []json.RawMessage
	err := json.Unmarshal(array, &elements)
	var lines []byte
	for _, e := range elements {
		lines = append(append(lines, e...), '\n')
	}
	return lines, err
}
