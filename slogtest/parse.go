package slogtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ParseJSON returns the records in lines of JSON, as [slog.JSONHandler] prints
// them. Every line must end with a newline. Numbers are of type [json.Number],
// which has all their digits.
func ParseJSON(text []byte) ([]map[string]any, error) {
	return parse(text, func(line string) (map[string]any, error) {
		var record map[string]any
		err := decodeJSON(line, &record)
		return record, err
	})
}

// decodeJSON decodes the one JSON value in text, with the digits of its numbers.
func decodeJSON(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// ParseText returns the records in lines as [slog.TextHandler] prints them. A
// dot in a key separates a group from what is in it. All values are strings.
func ParseText(text []byte) ([]map[string]any, error) {
	return parse(text, parseText)
}

func parse(text []byte, parseLine func(string) (map[string]any, error)) ([]map[string]any, error) {
	var records []map[string]any
	for line := range bytes.Lines(text) {
		whole, ok := bytes.CutSuffix(line, []byte("\n"))
		if !ok {
			return records, fmt.Errorf("torn line %q", line)
		}
		record, err := parseLine(string(whole))
		if err != nil {
			return records, fmt.Errorf("line %q: %w", line, err)
		}
		records = append(records, record)
	}
	return records, nil
}

func parseText(line string) (map[string]any, error) {
	record := map[string]any{}
	for rest := line; rest != ""; rest = strings.TrimPrefix(rest, " ") {
		key, after, err := word(rest, "=")
		if err != nil {
			return nil, err
		}
		after, found := strings.CutPrefix(after, "=")
		if !found {
			return nil, fmt.Errorf("no value for key %q", key)
		}
		var value string
		if value, rest, err = word(after, " "); err != nil {
			return nil, err
		}
		path := strings.Split(key, ".")
		in := record
		for _, group := range path[:len(path)-1] {
			inner, ok := in[group].(map[string]any)
			if !ok {
				inner = map[string]any{}
				in[group] = inner
			}
			in = inner
		}
		in[path[len(path)-1]] = value
	}
	return record, nil
}

// word splits off a word, which is in quotes or ends before any of end.
func word(s, end string) (word, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return "", "", err
		}
		word, err = strconv.Unquote(quoted)
		return word, s[len(quoted):], err
	}
	i := strings.IndexAny(s, end)
	if i < 0 {
		i = len(s)
	}
	return s[:i], s[i:], nil
}
