package testserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// Slack stands in for hooks.slack.com, which cannot be run: one incoming webhook
// that enforces the limits which Slack does. Its methods may be called from
// several goroutines.
//
// The limits are those of https://docs.slack.dev/reference/block-kit/blocks,
// the answers those of
// https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
// and of https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
type Slack struct {
	URL string // of the webhook, http://host:port/services/..., whose path is the secret

	t       testing.TB
	every   time.Duration
	address string
	server  *httptest.Server

	mu       sync.Mutex // guards the following
	answer   int        // 0: what Slack would say
	text     string
	dropped  bool // answers are lost
	last     time.Time
	messages []SlackMessage
}

// A SlackMessage is one that was posted.
type SlackMessage struct {
	Text   string       `json:"text"` // of the notification
	Blocks []SlackBlock `json:"blocks"`
}

// A SlackBlock is a part of a message.
type SlackBlock struct {
	Type     string      `json:"type"`
	Text     *SlackText  `json:"text"`     // of a header or section
	Fields   []SlackText `json:"fields"`   // of a section
	Elements []SlackText `json:"elements"` // of a context
}

// A SlackText is a text in a block.
type SlackText struct {
	Type string `json:"type"` // plain_text or mrkdwn
	Text string `json:"text"`
}

// SlackPath is the path of the webhook, which is its secret.
const SlackPath = "/services/T00000000/B00000000/secretsecretsecretsecret"

// StartSlack starts a webhook that takes a message after every has passed since
// the last, and answers 429 before; Slack's is a second. With zero, it takes
// all.
func StartSlack(t testing.TB, every time.Duration) *Slack {
	t.Helper()
	s := &Slack{t: t, every: every, address: Address(Port(t))}
	s.URL = "http://" + s.address + SlackPath
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// Kill closes the server and cuts all connections to it. It is for the goroutine
// of the test.
func (s *Slack) Kill() {
	_ = s.server.Listener.Close() // so that there are no new connections; it is closed again below
	s.server.CloseClientConnections()
	s.server.Close()
}

// Restart starts the server again, at the same address, after it was killed.
func (s *Slack) Restart() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	_ = s.server.Listener.Close()
	s.server.Listener = listener
	s.server.Start()
}

// Answer makes the webhook answer with a status and a text, and take nothing,
// until status is 0.
func (s *Slack) Answer(status int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.text = status, text
}

// LoseAnswers makes the webhook take messages and close the connection instead of
// answering.
func (s *Slack) LoseAnswers(lose bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = lose
}

// Messages returns the messages that were taken, in order.
func (s *Slack) Messages() []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages[:len(s.messages):len(s.messages)]
}

// maxSlackBody bounds a request, in bytes.
const maxSlackBody = 1 << 20

func (s *Slack) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSlackBody))
	if err != nil {
		return // the client has gone
	}
	status, text := s.take(r, body, w.Header())
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// take takes a message, or says why not. A status of 0 is no answer.
func (s *Slack) take(r *http.Request, body []byte, header http.Header) (status int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.answer != 0:
		return s.answer, s.text
	case r.URL.Path != SlackPath:
		return http.StatusNotFound, "no_service"
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "method_not_allowed"
	}
	if wait := s.every - time.Since(s.last); !s.last.IsZero() && wait > 0 {
		header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		return http.StatusTooManyRequests, "rate_limited"
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return http.StatusBadRequest, "invalid_payload"
	}
	m, reason, why := ParseSlackMessage(body)
	if reason != "" {
		s.t.Logf("slack: refused a message: %s: %s", reason, why)
		return http.StatusBadRequest, reason
	}
	s.last = time.Now()
	s.messages = append(s.messages, m)
	if s.dropped {
		return 0, ""
	}
	return http.StatusOK, "ok"
}

// Limits of a message, in characters where it is a text. That of all blocks
// together is not documented, but enforced
// (https://github.com/slackapi/bolt-js/issues/2509).
const (
	slackBlocks   = 50
	slackHeader   = 150
	slackSection  = 3000
	slackFields   = 10
	slackField    = 2000
	slackElements = 10
	slackAll      = 13_000
)

// ParseSlackMessage returns the message in the body of a request, or the error that
// Slack has for it, and what is wrong with it.
func ParseSlackMessage(body []byte) (m SlackMessage, reason, why string) {
	if err := json.Unmarshal(body, &m); err != nil {
		return m, "invalid_payload", err.Error()
	}
	if !utf8.Valid(body) {
		return m, "invalid_payload", "it is not UTF-8"
	}
	reason, why = m.refused()
	return m, reason, why
}

// refused returns the error that Slack has for a message, and what is wrong with
// it, or "".
func (m SlackMessage) refused() (reason, why string) {
	if m.Text == "" && len(m.Blocks) == 0 {
		return "no_text", "there is neither a text nor a block"
	}
	if len(m.Blocks) > slackBlocks {
		return "invalid_blocks", fmt.Sprintf("%d blocks", len(m.Blocks))
	}
	if why := wrongText(SlackText{"mrkdwn", m.Text}, 40_000); m.Text != "" && why != "" {
		return "invalid_payload", why
	}
	all := 0
	for _, b := range m.Blocks {
		n, why := b.wrong()
		if why != "" {
			return "invalid_blocks", b.Type + ": " + why
		}
		all += n
	}
	if all > slackAll {
		return "msg_blocks_too_long", fmt.Sprintf("%d characters", all)
	}
	return "", ""
}

// wrong returns the number of characters in a block, and what is wrong with it.
func (b SlackBlock) wrong() (n int, why string) {
	check := func(texts []SlackText, most, longest int) {
		if len(texts) > most && why == "" {
			why = fmt.Sprintf("%d texts", len(texts))
		}
		for _, t := range texts {
			n += utf8.RuneCountInString(t.Text)
			if wrong := wrongText(t, longest); why == "" {
				why = wrong
			}
		}
	}
	var text []SlackText
	if b.Text != nil {
		text = []SlackText{*b.Text}
	}
	switch b.Type {
	case "header":
		check(text, 1, slackHeader)
		if b.Text == nil || b.Text.Type != "plain_text" {
			why = "it needs a plain_text"
		}
	case "section":
		check(text, 1, slackSection)
		check(b.Fields, slackFields, slackField)
		if b.Text == nil && len(b.Fields) == 0 {
			why = "it needs a text or fields"
		}
	case "context":
		check(b.Elements, slackElements, slackSection)
		if len(b.Elements) == 0 {
			why = "it needs elements"
		}
	case "divider":
	default:
		why = "there is no such type here"
	}
	return n, why
}

// control matches what means something to Slack between angle brackets: a link
// or a mention, with which one could make a log notify everybody. No record
// may get one into a message, so they are refused here, which Slack does not do.
var control = regexp.MustCompile(`<[!@#]|<[a-z]+:`)

// entity matches what an ampersand must be the beginning of.
var entity = regexp.MustCompile(`&(amp|lt|gt);`)

func wrongText(t SlackText, longest int) string {
	switch n := utf8.RuneCountInString(t.Text); {
	case n == 0:
		return "a text is empty"
	case n > longest:
		return fmt.Sprintf("a text has %d characters", n)
	case t.Type != "mrkdwn" && t.Type != "plain_text":
		return "a text is neither mrkdwn nor plain_text"
	case t.Type == "mrkdwn" && control.MatchString(t.Text):
		return "a text has a link or a mention: '<' is not escaped"
	case t.Type == "mrkdwn" && strings.Contains(entity.ReplaceAllString(t.Text, ""), "&"):
		return "a text has an '&' that is not escaped"
	}
	return ""
}
