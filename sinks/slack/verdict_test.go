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

// Each answer has its verdict, which is that of all records of the message: it is
// sent again as it was, kept, or rejected without being divided.
func TestAnswers(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	later := http.Header{"Retry-After": {now.Add(time.Minute).Format(http.TimeFormat)}, "Date": {now.Format(http.TimeFormat)}}
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

// What each status means that Slack, or a gateway, may answer.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for want, statuses := range map[verdict.Kind][]int{
		verdict.Retry:     {408, 409, 421, 423, 425, 429, 499, 500, 502, 503, 504, 520, 599},
		verdict.Permanent: {400, 413, 422},
		verdict.Hold:      {201, 202, 204, 206, 300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 414, 415, 431, 451, 501, 505, 506, 507, 508, 510, 511},
	} {
		for _, status := range statuses {
			server := slogtest.NewServer(t)
			server.SetDefault(slogtest.Answer{Status: status})
			err := write(t, newSink(t, server.URL+testserver.SlackPath, slack.Options{}), events(2)...)
			if want == verdict.Permanent {
				requireRejected(t, err, 2)
				continue
			}
			kind, _, _ := verdict.Of(err)
			require.Error(t, err, status)
			require.Equal(t, want, kind, "%d: %v", status, err)
			require.NotErrorAs(t, err, new(*sinks.BatchError), status)
		}
	}
}
