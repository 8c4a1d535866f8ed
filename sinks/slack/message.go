package slack

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Limits, in UTF-16 units where they are of texts. Those of Slack, for blocks
// (https://docs.slack.dev/reference/block-kit/blocks), are 50 blocks, 150
// characters of a header, 3000 of a section, 10 fields of 2000, 10 elements of a
// context; and for all blocks together about 13,000, which is not documented
// (https://github.com/slackapi/bolt-js/issues/2509).
const (
	maxEntries = 20 // of two blocks each

	maxAll     = 11_500 // of all entries, who share it evenly
	maxHeader  = 120
	maxMessage = 2500
	maxContext = 300 // of an entry: the number, the times, the trace id, the rest
	maxTrace   = 80
	maxFields  = 10
	maxKey     = 80
	maxValue   = 500
	leastField = 40 // a field that has less room is left out

	maxText = 300 // of the notification
)

// A message is the body of a request
// (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
// Text is what a notification shows, and has to be plain for itself.
type message struct {
	Text     string  `json:"text"`
	Markdown bool    `json:"mrkdwn"`
	Blocks   []block `json:"blocks"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Fields   []text `json:"fields,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

// A text is always plain: nothing in it is formatting, a link or a mention, nor
// an emoji for its name.
type text struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji bool   `json:"emoji"`
}

func plain(s string) text { return text{Type: "plain_text", Text: s} }

// render makes the body of a request.
func (s *Sink) render(d *digest) error {
	s.body.Reset()
	encoder := json.NewEncoder(s.body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d.message(s.debt)); err != nil {
		return err
	}
	return s.body.Close()
}

// message puts a digest into words, and what else there is to tell.
func (d *digest) message(old debt) *message {
	m := &message{Text: d.notification()}
	head := plain(fit(d.title(), maxHeader))
	m.Blocks = append(m.Blocks, block{Type: "header", Text: &head})
	share := maxAll / max(d.shown, 1)
	for _, g := range d.entries[:d.shown] {
		m.Blocks = append(m.Blocks, g.blocks(share)...)
	}
	var end []text
	if rest := d.rest(); rest.total() > 0 {
		end = append(end, plain("and "+rest.describe("more ")))
	}
	if old.unsent.total() > 0 {
		end = append(end, plain("not sent before, because of per_hour: "+old.unsent.describe("")))
	}
	if n := d.dropped + old.dropped; n > 0 {
		end = append(end, plain(fmt.Sprintf("dropped before, of all levels: %d %s", n, records(n))))
	}
	if len(end) > 0 {
		m.Blocks = append(m.Blocks, block{Type: "context", Elements: end})
	}
	return m
}

// title is the header of a message.
func (d *digest) title() string {
	title := fmt.Sprintf("%d %s dropped", d.dropped, records(d.dropped))
	if d.records > 0 {
		title = fmt.Sprintf("%s: %d %s", d.entries[0].kind.level, d.records, records(d.records))
	}
	if d.service != "" {
		title += " of " + oneLine(d.service)
	}
	return title
}

// notification is the text without blocks.
func (d *digest) notification() string {
	if d.records == 0 {
		return fit(d.title(), maxText)
	}
	top := d.entries[0]
	what := top.kind.level.String() + ": " + oneLine(top.kind.message)
	if d.service != "" {
		what = oneLine(d.service) + ": " + what
	}
	more := ""
	if n := d.records - top.count; n > 0 {
		more = fmt.Sprintf(" and %d other %s", n, records(n))
	}
	if top.count > 1 {
		more = fmt.Sprintf(" (%d times)", top.count) + more
	}
	return fit(what, maxText-len(more)) + more
}

// blocks are the two blocks of an entry, whose texts have room units.
func (g *entry) blocks(room int) []block {
	said := g.kind.message
	if said == "" {
		said = "(no message)"
	}
	body := plain(fit(g.kind.level.String()+": "+said, min(room-maxContext, maxMessage)))
	section := block{Type: "section", Text: &body}
	room -= size(body.Text) + maxContext
	var (
		trace string
		more  int
	)
	eachAttr(g.first, func(key string, v slog.Value) {
		if key == "trace_id" {
			trace = fit(oneLine(textOf(v)), maxTrace)
			return
		}
		if len(section.Fields) == maxFields || room < leastField {
			more++
			return
		}
		name := fit(oneLine(key), min(maxKey, room/2)) + ": "
		field := plain(name + fit(textOf(v), min(maxValue, room-size(name))))
		room -= size(field.Text)
		section.Fields = append(section.Fields, field)
	})

	elements := []text{plain(times(g.count))}
	if !g.begin.IsZero() {
		elements = append(elements, plain(span(g.begin, g.end)))
	}
	if trace != "" {
		elements = append(elements, plain("trace_id: "+trace))
	}
	if more > 0 {
		elements = append(elements, plain(fmt.Sprintf("and %d more attributes", more)))
	}
	return []block{section, {Type: "context", Elements: elements}}
}

func times(n int) string {
	if n == 1 {
		return "1 time"
	}
	return fmt.Sprintf("%d times", n)
}

// span is from when to when, in UTC.
func span(begin, end time.Time) string {
	first, last := begin.UTC().Format(time.DateTime), end.UTC().Format(time.DateTime)
	if first == last {
		return first + " UTC"
	}
	return first + " to " + last + " UTC"
}
