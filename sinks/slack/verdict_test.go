package slack_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
	"github.com/fapilog/fapilog/internal/verdict"
	"github.com/fapilog/fapilog/sinks"
	"github.com/fapilog/fapilog/sinks/slack"
	"github.com/fapilog/fapilog/slogtest"
)

// Each status has its verdict, which is that of all records of the message: it is
// sent again as it was, kept, or rejected without being divided.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	later := http.Header{"Retry-After": {time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for _, test := range []struct {
		answer slogtest.Answer
		kind   verdict.Kind
		after  time.Duration
	}{
		{slogtest.Answer{Status: 408}, verdict.Retry, 0},
		{slogtest.Answer{Status: 429}, verdict.Retry, 0},
		{slogtest.Answer{Status: 429, Header: http.Header{"Retry-After": {"7"}}}, verdict.Retry, 7 * time.Second},
		{slogtest.Answer{Status: 429, Header: later}, verdict.Retry, time.Minute},
		{slogtest.Answer{Status: 500}, verdict.Retry, 0},
		{slogtest.Answer{Status: 502}, verdict.Retry, 0},
		{slogtest.Answer{Status: 503, Header: later}, verdict.Retry, time.Minute},
		{slogtest.Answer{Status: 504}, verdict.Retry, 0},
		{slogtest.Answer{Status: 400, Body: "invalid_payload"}, verdict.Permanent, 0},
		{slogtest.Answer{Status: 413}, verdict.Permanent, 0},
		{slogtest.Answer{Status: 422}, verdict.Permanent, 0},
		{slogtest.Answer{Status: 400, Body: "channel_not_found"}, verdict.Hold, 0},
		{slogtest.Answer{Status: 400, Body: "user_not_found"}, verdict.Hold, 0},
		{slogtest.Answer{Status: 200}, verdict.Hold, 0},
		{slogtest.Answer{Status: 201, Body: "ok"}, verdict.Hold, 0},
		{slogtest.Answer{Status: 204}, verdict.Hold, 0},
		{slogtest.Answer{Status: 302}, verdict.Hold, 0},
		{slogtest.Answer{Status: 401}, verdict.Hold, 0},
		{slogtest.Answer{Status: 403, Body: "action_prohibited"}, verdict.Hold, 0},
		{slogtest.Answer{Status: 404, Body: "no_service"}, verdict.Hold, 0},
		{slogtest.Answer{Status: 405}, verdict.Hold, 0},
		{slogtest.Answer{Status: 407}, verdict.Hold, 0},
		{slogtest.Answer{Status: 410, Body: "channel_is_archived"}, verdict.Hold, 0},
	} {
		server := slogtest.NewServer(t, test.answer)
		server.SetDefault(slogtest.Answer{Body: "ok"})
		s := newSink(t, server.URL+testserver.SlackPath, slack.Options{})
		batch := events(3)
		err := write(t, s, batch...)
		if items, ok := err.(*sinks.BatchError); ok {
			require.Equal(t, verdict.Permanent, test.kind, "%v: %v", test.answer, err)
			require.Len(t, items.Items, len(batch))
			err = items.Items[0]
		} else {
			require.NotEqual(t, verdict.Permanent, test.kind, "%v: %v", test.answer, err)
		}
		kind, after, _ := verdict.Of(err)
		require.Equal(t, test.kind, kind, "%v: %v", test.answer, err)
		require.Equal(t, test.after, after, "%v", test.answer)
		require.NotContains(t, err.Error(), "secretsecret")
		require.NoError(t, write(t, s, batch...), "the next one")
		requests := server.Requests()
		require.Len(t, requests, 2)
		require.Equal(t, string(requests[0].Body), string(requests[1].Body), "the same message")
	}
}
