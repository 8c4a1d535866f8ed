package registry

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// suggest says which of the known names was meant, or, when none is near,
// which there are, or else none.
func suggest(name string, known []string, none string) string {
	if best := nearest(name, known); best != "" {
		return "did you mean " + best + "?"
	}
	if longer := beginningWith(name, known); len(longer) > 0 {
		return "did you mean " + strings.Join(longer, " or ") + "?"
	}
	if len(known) == 0 {
		return none
	}
	return "known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

// beginningWith returns the known names of which name is the first word or more.
func beginningWith(name string, known []string) (longer []string) {
	for _, candidate := range known {
		if name != "" && strings.HasPrefix(candidate, strings.ToLower(name)+"_") {
			longer = append(longer, candidate)
		}
	}
	return longer
}

// nearest returns the known name that name is most likely a misspelling of, or
// "". Case and word separators do not count: maxBytes means max_bytes. Of
// the rest, one character in three may be wrong. On a tie the first wins.
func nearest(name string, known []string) string {
	name = fold(name)
	// A name that is longer by more than is forgiven needs no comparison,
	// and a comparison costs the product of the lengths.
	if len(name) > 64 {
		return ""
	}
	best, bestDistance := "", 1+utf8.RuneCountInString(name)/3
	for _, candidate := range known {
		if d := distance([]rune(name), []rune(fold(candidate))); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

func fold(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", "+", "").Replace(strings.ToLower(name))
}

// distance counts the characters to insert, delete, replace, or exchange with
// their neighbour to make b out of a (optimal string alignment).
func distance(a, b []rune) int {
	// Row i has the distances of a[:i] from b[:0], b[:1], ...
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := above[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
