// Package slack sends digests of records to a channel of Slack, with an incoming
// webhook: a few messages that people read, not every record.
//
// # URI
//
//	slack://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX
//	slack://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX?level=warn&every=30s
//	slack+http://gateway:8080/slack/services/T00000000/B00000000/XXXXXXXXXXXX
//
// It is the URL of the webhook with another scheme: slack is HTTPS, slack+http is
// HTTP, for a gateway. The path ends with /services/ and three names. It is the
// webhook's secret, and never printed.
//
//	every     least time from one message to the next, 1s to 1h (default 5s)
//	per_hour  most messages in an hour, 2 to 3600 (default 60)
//	ca_file   PEM file with the authorities to trust instead of the system's
//	proxy     env, none, or a URL (default env)
//
// Where the configuration sets no level, the sink gets what is at least an error.
// The channel, the name and the picture are those of the webhook: Slack's apps
// cannot choose them.
//
// # Messages
//
// A batch is one message. In it, records of the same level and message are one
// entry, with their number, and with the attributes and the trace id (trace_id)
// of the first of them. Entries are in the order of their levels, the highest
// first. There are at most 20, and what there is no room for is a number at the
// end: "and 132 more records: 130 ERROR, 2 WARN". Long messages and values are cut
// off, which an ellipsis shows.
//
// Nothing that was logged formats a message, mentions anybody, or becomes a link:
// all of it is plain text, in which '&', '<' and '>' are escaped. Characters that
// cannot be seen are printed as Go writes them (\x1b), but for line breaks and
// tabs.
//
// # Delivery
//
// A message is sent at the latest every after the first of its records was
// logged, and not earlier than every after the one before. A flush, and the end
// of the program, shorten that to a second, which is what Slack allows. So the
// last message is sent when the program ends.
//
// Of the messages of per_hour, half may be sent one after the other. The others
// are spread over the hour: with 60, there is one every two minutes. What would
// be sent in between is not sent, and the next message says how many records of
// each level these were.
//
// A record is delivered when Slack has taken a message with an entry that it is
// counted in. Records that are but a number at the end of a message, or that are
// not sent because of per_hour, are rejected: nobody can read what they said.
//
// Slack knows no idempotency key. So a message that Slack perhaps has, because
// there was no answer, is not sent again, and its records are rejected, with an
// error that says so. It is sent again if it is certain that nothing was sent, or
// if the answer says that it was not taken. Where a gateway answers that of a
// message which Slack has taken all the same, as it may with 502 and 504, it is
// there twice. Each message has a connection of its own, lest one that was closed
// meanwhile makes uncertain what was sent.
//
// At start-up, and before a held batch is tried again, the sink connects to the
// server and does the TLS handshake. There is no request that finds out whether
// the webhook exists without a message in the channel.
//
// # Errors
//
//	no connection               tried again
//	no answer                   rejected: perhaps delivered
//	200 with ok                 delivered
//	200 with anything else      kept until an operator acts (sinks.Hold): that is
//	                              not Slack
//	429                         tried again; after Retry-After, if the answer has that
//	408, 409, 421, 423, 425,    tried again
//	  499, and 5xx but for
//	  those below
//	400, 413, 422               rejected: all records of the message, because each
//	                              part of it would be a message of its own
//	400 with user_not_found or  kept
//	  channel_not_found
//	401, 403, 404, 405, 410,    kept: the webhook was removed or forbidden, or its
//	  other 4xx, 3xx              channel archived
//	501, 505 to 508, 510, 511   kept: that is not Slack
//
// Errors quote the beginning of the answer, and show of the URL only
// scheme://host.
package slack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fapilog/fapilog/internal/httpsink"
	"github.com/fapilog/fapilog/registry"
	"github.com/fapilog/fapilog/sinks"
)

func init() {
	registry.Register("slack", Open)
	registry.Register("slack+http", Open)
}

// Open makes the sink of a URI with the scheme slack or slack+http. It is
// registered for both. It connects to nothing.
func Open(_ context.Context, uri *registry.URI) (sinks.Sink, error) {
	scheme := "https"
	if uri.Scheme == "slack+http" {
		scheme = "http"
	}
	h := httpsink.Options{
		URL:    scheme + "://" + uri.Host + uri.EscapedPath(),
		CAFile: uri.Text("ca_file", ""),
		Proxy:  uri.Text("proxy", httpsink.ProxyEnv),
	}
	for _, name := range []string{"ca_file", "proxy"} {
		if uri.Has(name) && uri.Text(name, "") == "" {
			uri.Reject(name, "it is empty")
		}
	}
	h.Check(uri)
	o := Options{
		Every:   uri.Duration("every", DefaultEvery),
		PerHour: uri.Int("per_hour", DefaultPerHour, leastPerHour, mostPerHour),
	}
	if uri.Has("every") {
		if err := checkEvery(o.Every); err != nil {
			uri.Reject("every", err.Error())
		}
	}
	err := checkPath(uri.EscapedPath())
	if _, password := uri.Password(); password || uri.User() != "" {
		err = errors.Join(err, errors.New("a webhook has no user: its secret is the path"))
	}
	if err != nil {
		return nil, errors.Join(uri.Check(), fmt.Errorf("slack: open %s: %w", uri, err))
	}
	if err := uri.Check(); err != nil {
		return nil, err
	}
	s, err := newSink(h, o)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// The bounds of the parameters.
const (
	leastEvery = time.Second // Slack's limit for a channel
	mostEvery  = time.Hour

	leastPerHour = 2
	mostPerHour  = 3600
)

func checkEvery(d time.Duration) error {
	if d < leastEvery || d > mostEvery {
		return fmt.Errorf("it must be from 1s, which is the limit of Slack, to 1h: write for example every=%v", DefaultEvery)
	}
	return nil
}

func checkPerHour(n int) error {
	if n < leastPerHour || n > mostPerHour {
		return fmt.Errorf("it must be from %d to %d", leastPerHour, mostPerHour)
	}
	return nil
}

// services is what stands before the three names of a webhook.
const services = "/services/"

// errPath does not repeat what is in every such path: redaction would take it for
// a part of the secret.
var errPath = errors.New("the path is not that of a webhook: copy the whole URL that Slack shows, with slack instead of https")

// checkPath checks the path of a webhook, perhaps behind that of a gateway. The
// error does not repeat it.
func checkPath(escaped string) error {
	i := strings.LastIndex(escaped, services)
	if i < 0 {
		return errPath
	}
	names := strings.Split(escaped[i+len(services):], "/")
	if len(names) != 3 || names[0] == "" || names[1] == "" || names[2] == "" {
		return errPath
	}
	return nil
}

// checkURL checks the URL of a webhook as far as it is not the client that does.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return nil // which the client says without showing it
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errors.New("it has a query, which a webhook has not")
	}
	return checkPath(u.EscapedPath())
}
