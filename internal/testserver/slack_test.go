package testserver_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/testserver"
)

// say posts a message to a webhook.
func say(t *testing.T, url, body string) (status int, answer string, header http.Header) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text), resp.Header
}

func TestSlackEnforcesLimits(t *testing.T) {
	t.Parallel()
	s := testserver.StartSlack(t, 0)
	text := func(kind string, n int) string {
		return `{"type":"` + kind + `","text":"` + strings.Repeat("é", n) + `"}`
	}
	section := func(text string) string { return `{"blocks":[{"type":"section","text":` + text + `}]}` }
	repeat := func(n int, text string) string { return strings.TrimSuffix(strings.Repeat(text+",", n), ",") }
	taken := 0
	for body, want := range map[string]string{
		`{"text":"hello &amp; &lt;good&gt; day"}`:                                              "ok",
		section(text("mrkdwn", 3000)):                                                          "ok",
		section(text("mrkdwn", 3001)):                                                          "invalid_blocks",
		section(text("markdown", 1)):                                                           "invalid_blocks",
		section(text("mrkdwn", 0)):                                                             "invalid_blocks",
		`{"blocks":[{"type":"header","text":` + text("plain_text", 150) + `}]}`:                "ok",
		`{"blocks":[{"type":"header","text":` + text("plain_text", 151) + `}]}`:                "invalid_blocks",
		`{"blocks":[{"type":"header","text":` + text("mrkdwn", 1) + `}]}`:                      "invalid_blocks",
		`{"blocks":[{"type":"section","fields":[` + repeat(10, text("mrkdwn", 1)) + `]}]}`:     "ok",
		`{"blocks":[{"type":"section","fields":[` + repeat(11, text("mrkdwn", 1)) + `]}]}`:     "invalid_blocks",
		`{"blocks":[{"type":"section","fields":[` + text("mrkdwn", 2001) + `]}]}`:              "invalid_blocks",
		`{"blocks":[{"type":"section"}]}`:                                                      "invalid_blocks",
		`{"blocks":[{"type":"context","elements":[` + repeat(10, text("mrkdwn", 1)) + `]}]}`:   "ok",
		`{"blocks":[{"type":"context","elements":[` + repeat(11, text("mrkdwn", 1)) + `]}]}`:   "invalid_blocks",
		`{"blocks":[{"type":"context"}]}`:                                                      "invalid_blocks",
		`{"blocks":[{"type":"carousel"}]}`:                                                     "invalid_blocks",
		`{"blocks":[` + repeat(50, `{"type":"divider"}`) + `]}`:                                "ok",
		`{"blocks":[` + repeat(51, `{"type":"divider"}`) + `]}`:                                "invalid_blocks",
		`{"blocks":[` + repeat(5, `{"type":"section","text":`+text("mrkdwn", 3000)+`}`) + `]}`: "msg_blocks_too_long",
		section(`{"type":"mrkdwn","text":"<!channel> is on fire"}`):                            "invalid_blocks",
		section(`{"type":"mrkdwn","text":"a & b"}`):                                            "invalid_blocks",
		section(`{"type":"plain_text","text":"a & b <!channel>"}`):                             "ok",
		`{"text":"<@U123>"}`:        "invalid_payload",
		`{"text":"` + "\xff" + `"}`: "invalid_payload",
		`{"text":`:                  "invalid_payload",
		`{}`:                        "no_text",
	} {
		status, answer, _ := say(t, s.URL, body)
		require.Equal(t, want, answer, "%.100s", body)
		if want == "ok" {
			taken++
			require.Equal(t, 200, status)
		} else {
			require.Equal(t, 400, status)
		}
	}
	require.Len(t, s.Messages(), taken)
	status, answer, _ := say(t, strings.TrimSuffix(s.URL, "secret"), `{"text":"x"}`)
	require.Equal(t, 404, status)
	require.Equal(t, "no_service", answer)
}

func TestSlackFails(t *testing.T) {
	t.Parallel()
	s := testserver.StartSlack(t, time.Hour)
	s.Answer(410, "channel_is_archived")
	status, answer, _ := say(t, s.URL, `{"text":"x"}`)
	require.Equal(t, 410, status)
	require.Equal(t, "channel_is_archived", answer)
	s.Answer(0, "")
	require.Empty(t, s.Messages())
	s.LoseAnswers(true)
	status, _, _ = say(t, s.URL, `{"text":"lost"}`)
	require.Zero(t, status)
	require.Equal(t, []testserver.SlackMessage{{Text: "lost"}}, s.Messages())
	s.LoseAnswers(false)
	status, answer, header := say(t, s.URL, `{"text":"too early"}`)
	require.Equal(t, 429, status)
	require.Equal(t, "rate_limited", answer)
	require.Regexp(t, `^3[56]\d\d$`, header.Get("Retry-After"))
	require.Len(t, s.Messages(), 1)
	s.Kill()
	status, _, _ = say(t, s.URL, `{"text":"nobody listens"}`)
	require.Zero(t, status)
	s.Restart()
	status, _, _ = say(t, s.URL, `{"text":"still too early"}`)
	require.Equal(t, 429, status)
	require.Len(t, s.Messages(), 1)
}
