package main

import (
	"fmt"
	"strings"
)

// A table is printed as Markdown: the first column to the left, the others to
// the right.
type table struct{ rows [][]string }

func newTable(header ...string) *table { return &table{rows: [][]string{header}} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print() {
	widths := make([]int, len(t.rows[0]))
	for _, r := range t.rows {
		for i, c := range r {
			widths[i] = max(widths[i], len([]rune(c)))
		}
	}
	for i, r := range t.rows {
		printRow(r, widths)
		if i == 0 {
			rule := make([]string, len(widths))
			for j, w := range widths {
				rule[j] = strings.Repeat("-", w-1) + ":"
			}
			rule[0] = strings.Repeat("-", widths[0])
			printRow(rule, widths)
		}
	}
}

func printRow(cells []string, widths []int) {
	for i, c := range cells {
		pad := strings.Repeat(" ", widths[i]-len([]rune(c)))
		if i == 0 {
			fmt.Printf("| %s%s |", c, pad)
		} else {
			fmt.Printf(" %s%s |", pad, c)
		}
	}
	fmt.Println()
}

// ns prints nanoseconds: the small ones, of disabled calls, with a decimal.
func ns(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }
