package strictyaml

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// maxWord is the longest word that is compared with others.
const maxWord = 64

// OneOf says that s is none of the known words, and which was meant; "" if it is one.
func OneOf(what, s string, known []string) string {
	if slices.Contains(known, s) {
		return ""
	}
	if near := Nearest(s, known); near != "" {
		return fmt.Sprintf("unknown %s; did you mean %q?", what, near)
	}
	return fmt.Sprintf("unknown %s; known are %s", what, strings.Join(known, ", "))
}

// UnknownName says that a name stands for nothing, and which was meant.
func UnknownName(what, name string, known iter.Seq[string]) string {
	const most = 2_000 // names to compare with: a hint must not take long
	var sorted []string
	for k := range known {
		if sorted = append(sorted, k); len(sorted) == most {
			break
		}
	}
	slices.Sort(sorted)
	if near := Nearest(name, sorted); near != "" {
		return fmt.Sprintf("no %s of this name; did you mean %q?", what, near)
	}
	return fmt.Sprintf("no %s of this name", what)
}

// Nearest returns the candidate with the fewest changes to word, "" if none is
// near enough to be what was meant.
func Nearest(word string, candidates []string) string {
	if len(word) > maxWord {
		return ""
	}
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if len(c) > maxWord {
			continue
		}
		if d := EditDistance(word, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// EditDistance counts the insertions, deletions and replacements of bytes that
// lead from a to b.
func EditDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
