package policy

import "regexp/syntax"

// patternProblem says why text cannot be the pattern of a parameter, "" if it
// can. Patterns are RE2; whole values are matched.
func patternProblem(text string) string {
	if len(text) > maxPattern {
		return "is too long"
	}
	// Parsed alone, so that no parenthesis of the pattern closes the one that
	// anchorPattern puts around it.
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return "is not a regular expression (RE2): " + err.Error()
	}
	if patternCost(re) > maxPatternCost {
		return "repeats too much: it would be slow to match"
	}
	// A \Q without its \E would quote that parenthesis.
	if _, err := syntax.Parse(anchorPattern(text), syntax.Perl); err != nil {
		return `has a \Q that no \E ends`
	}
	return ""
}

// anchorPattern makes a pattern match whole values only.
func anchorPattern(text string) string { return `\A(?:` + text + `)\z` }

// patternCost estimates the instructions that re compiles to, without
// compiling it.
func patternCost(re *syntax.Regexp) int {
	cost := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		cost = min(cost+patternCost(sub), maxPatternCost+1)
	}
	if re.Op == syntax.OpRepeat {
		times := max(re.Min, re.Max, 1)
		cost = min(cost*times, maxPatternCost+1)
	}
	return cost
}
