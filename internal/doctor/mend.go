package doctor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// quote makes one word of a shell of s; false if s holds what a terminal or an
// editor does not show as it is, and could so do something else than it says.
func quote(s string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r) || unicode.IsMark(r) || r == '\u2800' {
			return "", false
		}
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'", true
}

// byHand is what to know where no command can be given.
const byHand = "the name holds characters that cannot be shown: mend it by hand"

// mend makes commands of one or several patterns, in each of which the word PATH
// stands for the path of a host as this machine knows it.
func (h *host) mend(f *Finding, p string, patterns ...string) {
	word, ok := quote(h.real(p))
	if !ok {
		f.Note = byHand
		return
	}
	for _, pattern := range patterns {
		before, after, _ := strings.Cut(pattern, "PATH")
		f.Mend = append(f.Mend, before+word+after)
	}
}
