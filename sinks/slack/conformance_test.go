package slack_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/sinks/slack"
	"github.com/fapilog/fapilog/slogtest"
)

// The stand-in has Slack's limits.
func TestConformance(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		server := testserver.StartSlack(t, 0)
		sink := newSink(t, server.URL, slack.Options{PerHour: 3600})
		sink.Unpaced()
		fault := func(status int, text string, want slogtest.Verdict) slogtest.Fault {
			return slogtest.Fault{
				Name:  text,
				Begin: func() { server.Answer(status, text) },
				End:   func() { server.Answer(0, "") },
				Want:  want,
			}
		}
		return slogtest.Subject{
			Sink:    sink,
			Digest:  true,
			Secrets: []string{"T00000000", "B00000000", "secretsecret"},
			Records: func() ([]map[string]any, error) { return recordsOf(server.Messages()) },
			Faults: []slogtest.Fault{
				fault(400, "invalid_blocks", slogtest.Permanent),
				fault(400, "user_not_found", slogtest.Hold),
				fault(403, "invalid_token", slogtest.Hold),
				fault(404, "no_service", slogtest.Hold),
				fault(410, "channel_is_archived", slogtest.Hold),
				fault(429, "rate_limited", slogtest.Retry),
				fault(500, "rollup_error", slogtest.Retry),
				fault(500, testserver.SlackPath, slogtest.Retry),
				fault(200, "<html>welcome</html>", slogtest.Hold),
				{
					Name:  "killed",
					Begin: server.Kill,
					End:   server.Restart,
					Want:  slogtest.Retry,
				},
				{
					Name:     "answer lost",
					Begin:    func() { server.LoseAnswers(true) },
					End:      func() { server.LoseAnswers(false) },
					Want:     slogtest.Permanent,
					Delivers: true,
				},
			},
		}
	})
}

// What the stand-in cannot be made to do, a scripted server does.
func TestConformanceScripted(t *testing.T) {
	t.Parallel()
	slogtest.TestSink(t, func(t *testing.T) slogtest.Subject {
		server := slogtest.NewServer(t)
		server.SetDefault(slogtest.Answer{Body: "ok"})
		sink := newSink(t, server.URL+testserver.SlackPath, slack.Options{PerHour: 3600})
		sink.Unpaced()
		soon := http.Header{"Retry-After": {"1"}}
		return slogtest.Subject{
			Sink:    sink,
			Digest:  true,
			Secrets: []string{"T00000000", "B00000000", "secretsecret"},
			Records: func() ([]map[string]any, error) { return accepted(server) },
			Faults: []slogtest.Fault{
				server.Fault("slow down", slogtest.Answer{Status: 429, Header: soon}, slogtest.RetryAfter),
				server.Fault("moved", slogtest.Answer{Status: 308, Header: http.Header{"Location": {testserver.SlackPath}}}, slogtest.Hold),
				server.Fault("too large", slogtest.Answer{Status: 413}, slogtest.Permanent),
				server.Fault("half a word", slogtest.Answer{Status: 200, Body: "o", Trouble: slogtest.Truncate}, slogtest.Permanent),
				server.Fault("half an error", slogtest.Answer{Status: 500, Body: "x", Trouble: slogtest.Truncate}, slogtest.Retry),
				server.Fault("endless error", slogtest.Answer{Status: 503, Trouble: slogtest.Endless}, slogtest.Retry),
				server.Fault("no HTTP", slogtest.Answer{Trouble: slogtest.Malformed}, slogtest.Permanent),
				server.Fault("cut", slogtest.Answer{Trouble: slogtest.CutAfter}, slogtest.Permanent),
				server.Fault("no answer", slogtest.Answer{Trouble: slogtest.Stall}, slogtest.Permanent),
			},
		}
	})
}

// accepted returns the records of the requests that were taken. The fault in which
// half an error is sent as a success takes them, too.
func accepted(server *slogtest.Server) ([]map[string]any, error) {
	var messages []testserver.SlackMessage
	for _, r := range server.Requests() {
		if !r.Accepted() {
			continue
		}
		m, err := messageOf(r.Body)
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	return recordsOf(messages)
}

func TestURI(t *testing.T) {
	server := testserver.StartSlack(t, 0)
	slogtest.TestURI(t, strings.Replace(server.URL, "http", "slack+http", 1)+"?every=2s",
		"every=1ms", "every=0s", "every=2h", "per_hour=1", "per_hour=4000", "proxy=x", "ca_file=/x")
}
