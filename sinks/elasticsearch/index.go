package elasticsearch

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultIndex is the index that records are written to.
const DefaultIndex = "logs"

// maxIndex is the longest name that servers take, in bytes.
const maxIndex = 255

// A pattern is the name of an index, which may depend on the time of a record.
type pattern struct {
	pieces []piece
	fixed  string // the name, if it does not depend on the time

	// The name of the last record: most come within the same hour.
	hour int64
	last string
}

// A piece is a text, or a layout of package time.
type piece struct {
	text   string
	layout bool
}

// layouts are what may stand in braces, and how package time writes it.
var layouts = []struct{ token, layout string }{{"yyyy", "2006"}, {"MM", "01"}, {"dd", "02"}, {"HH", "15"}}

// parseIndex reads a name such as logs or logs-{yyyy.MM.dd}.
func parseIndex(text string) (*pattern, error) {
	p := new(pattern)
	dated := false
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return nil, errors.New("there is a } without a {")
		}
		p.pieces = append(p.pieces, piece{text: before})
		if !found {
			break
		}
		date, after, found := strings.Cut(after, "}")
		if !found {
			return nil, errors.New("there is a { without a }")
		}
		layout, err := layoutOf(date)
		if err != nil {
			return nil, err
		}
		dated = true
		p.pieces = append(p.pieces, piece{layout, true})
		rest = after
	}
	name := p.build(time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC))
	if !dated {
		p.fixed = name
	}
	return p, checkName(name)
}

func layoutOf(date string) (string, error) {
	var layout strings.Builder
	for rest := date; rest != ""; {
		token := ""
		for _, l := range layouts {
			if strings.HasPrefix(rest, l.token) {
				token = l.token
				layout.WriteString(l.layout)
			}
		}
		switch {
		case token != "":
			rest = rest[len(token):]
		case strings.ContainsRune(".-_", rune(rest[0])):
			layout.WriteByte(rest[0])
			rest = rest[1:]
		default:
			return "", errors.New("a date is made of yyyy, MM, dd and HH, with '.', '-' or '_' between them: write for example {yyyy.MM.dd}")
		}
	}
	if !strings.ContainsAny(date, "yMdH") {
		return "", errors.New("there is no date in the braces: write for example {yyyy.MM.dd}")
	}
	return layout.String(), nil
}

// checkName checks a name as the servers do (MetadataCreateIndexService,
// validateIndexOrAliasName).
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case name == "." || name == "..":
		return errors.New("a name is more than dots")
	case len(name) > maxIndex:
		return fmt.Errorf("a name has at most %d bytes", maxIndex)
	case strings.ContainsAny(name[:1], "-_+"):
		return errors.New("a name does not begin with -, _ or +")
	case !utf8.ValidString(name):
		return errors.New("it is not UTF-8")
	case strings.ToLower(name) != name:
		return errors.New("a name is in lower case")
	case strings.ContainsAny(name, `\/*?"<>| ,#:{}`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New(`a name has no blank and none of the characters \/*?"<>|,#: in it`)
	}
	return nil
}

// name returns the index for a record with the time t, in UTC.
func (p *pattern) name(t time.Time) string {
	if p.fixed != "" {
		return p.fixed
	}
	// Rounded down, also before 1970. That a name was made shows in its not being
	// empty.
	hour := t.Unix() / 3600
	if t.Unix()%3600 < 0 {
		hour--
	}
	if p.last == "" || p.hour != hour {
		p.hour, p.last = hour, p.build(t.UTC())
	}
	return p.last
}

func (p *pattern) build(t time.Time) string {
	var b strings.Builder
	for _, piece := range p.pieces {
		if piece.layout {
			b.WriteString(t.Format(piece.text))
		} else {
			b.WriteString(piece.text)
		}
	}
	return b.String()
}
