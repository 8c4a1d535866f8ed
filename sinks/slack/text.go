package slack

import (
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// ellipsis ends what is cut off.
const ellipsis = "…"

// fit returns a text as Slack is to get it, cut off where that has more than most
// UTF-16 units, which is more than the characters that Slack counts.
//
// Slack reads "&", "<" and ">" in texts of all types
// (https://docs.slack.dev/messaging/formatting-message-text, "Escaping text").
func fit(s string, most int) string {
	var b strings.Builder
	units, cut := 0, 0 // cut is where there is still room for the ellipsis
	for _, r := range s {
		piece := visible(r)
		units += size(piece)
		if units > most {
			return b.String()[:cut] + ellipsis
		}
		b.WriteString(piece)
		if units <= most-1 {
			cut = b.Len()
		}
	}
	return b.String()
}

// visible returns a character in a form that shows it.
func visible(r rune) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '\n', r == '\t', r == '\u200d', unicode.IsGraphic(r): // U+200D joins emoji
		return string(r)
	default:
		quoted := strconv.QuoteRuneToASCII(r)
		return quoted[1 : len(quoted)-1]
	}
}

// size returns the number of UTF-16 units of a text.
func size(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// oneLine replaces line breaks, in as much of a text as is ever shown.
func oneLine(s string) string {
	if len(s) > maxText*utf8.UTFMax {
		s = s[:maxText*utf8.UTFMax]
	}
	return strings.Join(strings.Fields(s), " ")
}

// timeFormat is that of slog's handlers, of values.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// textOf returns the text of a value, as [slog.TextHandler] prints it, without
// quotes; that of a structured one is its JSON.
func textOf(v slog.Value) string {
	switch v.Kind() {
	case slog.KindTime:
		return v.Time().Format(timeFormat)
	case slog.KindAny:
		switch a := v.Any().(type) {
		case error:
			return a.Error()
		case []byte:
			return string(a)
		case json.RawMessage:
			return string(a)
		}
	}
	return v.String()
}
