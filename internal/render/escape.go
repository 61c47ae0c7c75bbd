package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks may follow one letter: enough for every
// living script, too few to paint over the line above.
const maxMarks = 3

// Escape returns s in a form that is safe on a terminal and in a log: on one
// line, without control characters, escape sequences, bidirectional controls,
// invisible characters or invalid UTF-8. Each of these is shown by its number
// (\n, \t, \r, \x1b, \u202e, \U000e0001; \xff for a byte that is not UTF-8).
//
// What a pipeline would take for a command of its own is shown so too: see
// opensCommand.
//
// A backslash stays as it is, so that paths remain readable; the form cannot be
// turned back. Letters that only look alike are not marked.
func Escape(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	start := len(s) - len(strings.TrimLeft(s, " "))
	marks := maxMarks // a mark at the start would join what stands before the text
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
			marks = maxMarks
		case r == ':' && i == start && strings.HasPrefix(s[i:], "::"), r == '#' && opensCommand(s, i):
			writeNumber(&b, r)
			marks = 0
		case !visible(r), unicode.IsMark(r) && marks >= maxMarks:
			writeNumber(&b, r)
			marks = maxMarks
		case unicode.IsMark(r):
			b.WriteRune(r)
			marks++
		default:
			b.WriteRune(r)
			marks = 0
		}
		i += size
	}
	return b.String()
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return !strings.Contains(s, "::") && !strings.Contains(s, "##")
}

// opensCommand says that the # at i is the second of "##[" or "##vso[", by which
// GitHub Actions and Azure Pipelines know a command anywhere in a line of a log,
// standard error too. Of a line that begins with "::", with blanks before it or
// not, GitHub thinks the same.
func opensCommand[T string | []byte](s T, i int) bool {
	if i == 0 || s[i-1] != '#' {
		return false
	}
	rest := string(s[i+1 : min(len(s), i+1+len("vso["))])
	return strings.HasPrefix(rest, "[") || strings.EqualFold(rest, "vso[")
}

// visible says whether a character can be seen and does nothing but be seen.
// unicode.IsPrint leaves out all controls, formats (bidi, zero-width joiners,
// tags), private use and every space but U+0020; the tables beside it hold what
// counts as a letter or a mark there and still has no shape.
func visible(r rune) bool {
	const brailleBlank = '\u2800'
	return unicode.IsPrint(r) && r != brailleBlank && r != utf8.RuneError &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func writeNumber(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// maxDetail is how many characters of one quoted text the text renderer shows.
const maxDetail = 400

// clip is Escape for text that an attacker may have made long.
func clip(s string) string {
	if len(s) > maxDetail*utf8.UTFMax { // do not escape what is cut off anyway
		s = s[:maxDetail*utf8.UTFMax]
	}
	e := Escape(s)
	if utf8.RuneCountInString(e) <= maxDetail {
		return e
	}
	return string([]rune(e)[:maxDetail]) + " [...]"
}
