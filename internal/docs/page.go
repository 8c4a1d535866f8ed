// Package docs reads the pages of the documentation, for the tests that compare
// them with the code.
package docs

import (
	"fmt"
	"strings"
)

// Section returns the part of a page between a heading, written as in
// "## Parameters", and the next heading of the same level or a higher one.
func Section(page, heading string) (string, error) {
	_, section, found := strings.Cut("\n"+page, "\n"+heading+"\n")
	if !found {
		return "", fmt.Errorf("docs: read page: no heading %q", heading)
	}
	level := len(heading) - len(strings.TrimLeft(heading, "#"))
	inBlock, end := false, 0
	for line := range strings.Lines(section) {
		inBlock = inBlock != strings.HasPrefix(line, "```")
		marks := len(line) - len(strings.TrimLeft(line, "#"))
		if !inBlock && marks > 0 && marks <= level && strings.HasPrefix(line[marks:], " ") {
			break
		}
		end += len(line)
	}
	return section[:end], nil
}

// Table returns the cells of the rows of the first table under a heading,
// without those above the data, and without the backquotes around cells.
func Table(page, heading string) (rows [][]string, err error) {
	section, err := Section(page, heading)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if rows != nil {
				break
			}
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), " | ") {
			cells = append(cells, strings.Trim(cell, "` "))
		}
		rows = append(rows, cells)
	}
	if len(rows) <= 2 {
		return nil, fmt.Errorf("docs: read page: no table under %q", heading)
	}
	return rows[2:], nil
}
