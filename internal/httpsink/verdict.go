package httpsink

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fapilog/fapilog/sinks"
)

// The classes of answers that are no success.
type class int

const (
	held      class = iota // an operator must act
	retried                // the destination is not able to, for now
	tooLarge               // the batch is
	permanent              // the data is refused
)

// verdictOf returns what a status means that is none of success. What is known
// to pass by itself is retried, what speaks of the data is refused, and
// everything else keeps the data until an operator has looked.
func verdictOf(status int) class {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return tooLarge
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return permanent
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		// The request with the same idempotency key is still being processed
		// (draft-ietf-httpapi-idempotency-key-header).
		http.StatusConflict,
		http.StatusMisdirectedRequest, // RFC 9110, 15.5.20: try another connection
		http.StatusLocked,
		http.StatusTooEarly, // RFC 8470, 5.2
		499:                 // nginx: the request was broken off
		return retried
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusVariantAlsoNegotiates,
		http.StatusInsufficientStorage, http.StatusLoopDetected, http.StatusNotExtended,
		http.StatusNetworkAuthenticationRequired:
		return held
	}
	if status >= 500 && status <= 599 {
		return retried
	}
	return held // 1xx, 2xx that are no success, 3xx, the rest of 4xx
}

// misconfigured are the texts of answers with the status 400 that speak of the
// connection, not of the data, which would be refused record by record for them.
// The whole beginning has to be the server's own: a receiver may quote the record
// that it refuses, and these are messages that programs log.
var misconfigured = regexp.MustCompile(`^(?:` + strings.Join([]string{
	// nginx, src/http/ngx_http_special_response.c
	`<html>\s*<head><title>400 (?:The plain HTTP request was sent to HTTPS port|No required SSL certificate was sent|The SSL certificate error|Request Header Or Cookie Too Large)</title>`,
	// net/http, server.go
	`Client sent an HTTP request to an HTTPS server\.\s*$`,
	// Apache, modules/ssl/ssl_engine_kernel.c
	`<!DOCTYPE HTML[^<>]*>\s*<html><head>\s*<title>400 Bad Request</title>\s*</head><body>\s*<h1>Bad Request</h1>\s*` +
		`<p>Your browser sent a request that this server could not understand\.<br />\s*Reason: You(?:'|&#39;)re speaking plain HTTP to an SSL-enabled server port`,
}, "|") + `)`)

// Verdict returns nil if the status is one of success, and otherwise the error
// for Write to return, with the verdict that it carries and the beginning of the
// answer's text:
//
//	408, 409, 421, 423, 425, 429, 499, and 5xx but for those below: tried again,
//	    if the answer has Retry-After, after that long, at most MaxRetryAfter
//	413: sinks.TooLarge
//	400, 422: sinks.Permanent, unless the answer is one of known servers that
//	    speak of TLS or the headers
//	all else, such as 3xx, 401, 403, 404, 501, 505, 507, 511: sinks.Hold
//
// Where that is neither about the data nor about the rate (429), the next
// request gets a new connection: another server may take it, or this one if the
// client certificate has been replaced, which a connection shows but once.
func (r *Response) Verdict(success ...int) error {
	if slices.Contains(success, r.Status) {
		return nil
	}
	err := errors.New(r.text())
	v := verdictOf(r.Status)
	if v == permanent && misconfigured.Match(r.Body) {
		v = held
	}
	if v == held || v == retried && r.Status != http.StatusTooManyRequests {
		r.client.renew = true
	}
	switch v {
	case tooLarge:
		return sinks.TooLarge(err)
	case permanent:
		return sinks.Permanent(err)
	case retried:
		if d, ok := r.RetryAfter(); ok && d > 0 {
			return sinks.RetryAfter(err, d)
		}
		return err // a wish for no wait at all is no reason to ask without end
	default:
		return sinks.Hold(err)
	}
}

// text is the text of the error: what was answered, and what to do.
func (r *Response) text() string {
	text := fmt.Sprintf("%s: %s %s: answered %s", r.client.sink, r.method, r.client.where, statusText(r.Status))
	switch {
	case r.Status >= 200 && r.Status <= 299:
		text += ", which is not among the codes of success"
	case r.Status >= 300 && r.Status <= 399:
		text += ": redirects are not followed: write the URL that it leads to"
	}
	if quote := r.Quote(); quote != "" {
		text += ": " + quote
	}
	return text
}

func statusText(status int) string {
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// maxQuote is how much of an answer is shown, in characters.
const maxQuote = 200

var tags = regexp.MustCompile(`(?s)<(style|script)\b.*?</(style|script)>|<[^<>]*>`)

// Quote returns the beginning of the body, in one line, without secrets, the
// tags of HTML, and what only repeats the status.
func (r *Response) Quote() string {
	text := r.client.redact(string(r.Body))
	page := strings.Contains(r.Header.Get("Content-Type"), "html")
	if page {
		text = tags.ReplaceAllString(text, wasTag)
	}
	if strings.Contains(text, "&") {
		text = r.client.redact(html.UnescapeString(text)) // pages and XML escape secrets, too
	}
	if page {
		text = r.withoutHeadings(text)
	}
	return shorten(r.withoutStatus(oneLine(text)), maxQuote)
}

// wasTag stands for a tag. It is not printable.
const wasTag = "\x00"

// Show returns the beginning of a piece of the answer, in one line and without
// secrets.
func (r *Response) Show(piece string) string {
	return shorten(oneLine(r.client.redact(piece)), maxQuote)
}

// withoutHeadings leaves out of a page what titles and headings say more than
// once, which on those of servers is the status.
func (r *Response) withoutHeadings(page string) string {
	var pieces []string
	status := strconv.Itoa(r.Status) + " "
	for piece := range strings.SplitSeq(page, wasTag) {
		piece = oneLine(piece)
		again := strings.HasPrefix(piece, status) && slices.Contains(pieces, piece) || slices.Contains(pieces, status+piece)
		if !again && r.withoutStatus(piece) != "" {
			pieces = append(pieces, piece)
		}
	}
	return strings.Join(pieces, " ")
}

// withoutStatus takes the status off the beginning of a line.
func (r *Response) withoutStatus(line string) string {
	name := http.StatusText(r.Status)
	if name == "" {
		return line
	}
	for {
		rest, ok := strings.CutPrefix(line, strconv.Itoa(r.Status)+" "+name)
		if !ok {
			rest, ok = strings.CutPrefix(line, name)
		}
		if next, _ := utf8.DecodeRuneInString(rest); !ok || unicode.IsLetter(next) || unicode.IsDigit(next) {
			return line
		}
		line = strings.TrimLeft(rest, " .:")
	}
}

// shorten returns the first characters of a text.
func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

// oneLine replaces everything that is not printable by blanks, of which there
// is one at a time.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, " "), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
}

// MaxRetryAfter bounds what a destination may ask for.
const MaxRetryAfter = time.Hour

// RetryAfter returns what the header of that name says, between zero and
// [MaxRetryAfter]. A date is compared with the time of the answer, by the
// destination's clock if that is there. Anything malformed is as good as none.
func (r *Response) RetryAfter() (time.Duration, bool) {
	value := strings.TrimSpace(r.Header.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	now, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true
}
