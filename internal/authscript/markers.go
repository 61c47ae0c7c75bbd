package authscript

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// PowerShell's own parser takes a comment for the start of a signature if it is
// less than lookAlikeDistance edits away from this, blanks left out and in lower
// case.
const (
	markerCore        = "sig#beginsignatureblock"
	lookAlikeDistance = 10
	longestLookAlike  = len(markerCore) + lookAlikeDistance - 1
	shortestLookAlike = len(markerCore) - lookAlikeDistance + 1
)

// maxMarks is how many markers are collected: a well-made script has two.
const maxMarks = 16

type markKind int

const (
	markLookAlike markKind = iota
	markBegin
	markEnd
)

// mark is a line that is a marker or could be taken for one.
type mark struct {
	kind       markKind
	start, end int // of the line, without its line end
}

// text gives access to the characters of a script by byte offset.
type text struct {
	data  []byte
	enc   Encoding
	style *Style
	body  int // where the text begins: after the byte-order mark
}

func newText(style *Style, data []byte, e Encoding) text {
	return text{data: data, enc: e, style: style, body: e.markSize()}
}

func (t text) unit() int { return t.enc.unit() }

// next returns the character at i and its length in bytes; what does not decode
// stands for itself.
func (t text) next(i int) (rune, int) {
	if t.enc.wide() {
		if i+2 > len(t.data) {
			return utf8.RuneError, 1
		}
		return t.enc.unitAt(t.data, i), 2
	}
	if b := t.data[i]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	r, size := utf8.DecodeRune(t.data[i:])
	if size == 1 {
		return rune(t.data[i]), 1
	}
	return r, size
}

// before returns the character that ends at i, like next.
func (t text) before(i int) (rune, int) {
	if t.enc.wide() {
		return t.enc.unitAt(t.data, i-2), 2
	}
	if b := t.data[i-1]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	r, size := utf8.DecodeLastRune(t.data[t.body:i])
	if size == 1 {
		return rune(t.data[i-1]), 1
	}
	return r, size
}

// has reports whether the ASCII string s stands at i.
func (t text) has(i int, s string) bool {
	if !t.enc.wide() {
		return i >= t.body && len(t.data)-i >= len(s) && string(t.data[i:i+len(s)]) == s
	}
	if i < t.body || len(t.data)-i < 2*len(s) {
		return false
	}
	low := t.enc.low()
	for j := range len(s) {
		if t.data[i+2*j+low] != s[j] || t.data[i+2*j+1-low] != 0 {
			return false
		}
	}
	return true
}

// last returns where the ASCII string s last stands, or -1.
func (t text) last(s string) int {
	wide := t.encode(s)
	for end := len(t.data); ; {
		at := bytes.LastIndex(t.data[t.body:end], wide)
		if at < 0 {
			return -1
		}
		if at%t.unit() == 0 {
			return t.body + at
		}
		end = t.body + at + len(wide) - 1
	}
}

// encode returns ASCII text in the encoding of t.
func (t text) encode(ascii string) []byte { return encodeASCII([]byte(ascii), t.enc) }

// marks collects, from the start, the lines that are markers or look-alikes, up
// to maxMarks. The work is linear in the size of the text.
func (t text) marks() []mark {
	var found []mark
	anchor := t.style.anchor()
	low := t.enc.low()
	begin, end := t.style.cores()
	for i := t.body; i < len(t.data) && len(found) < maxMarks; {
		j := bytes.IndexByte(t.data[i:], anchor)
		if j < 0 {
			break
		}
		at := i + j - low
		i += j + 1
		if t.enc.wide() && (at < t.body || at%2 != 0 || !t.has(at, string(rune(anchor)))) {
			continue
		}
		start, whole := t.lineStart(at)
		if !whole {
			continue
		}
		if m, ok := t.classify(start, at, begin, end); ok {
			found = append(found, m)
		}
	}
	return found
}

// lineStart returns where the line begins whose first character other than a
// blank is at i; false if that is not so.
func (t text) lineStart(i int) (int, bool) {
	for i > t.body {
		r, size := t.before(i)
		if r == '\n' || r == '\r' {
			break
		}
		if !isBlank(r) {
			return 0, false
		}
		i -= size
	}
	return i, true
}

// isBlank: also characters that print as nothing, which hide an indent.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == 0xFEFF || r >= 0x200B && r <= 0x200F || r == 0x2060
}

// classify looks at the line that begins at start and has the anchor at at;
// begin and end are the cores of the markers.
func (t text) classify(start, at int, begin, end string) (mark, bool) {
	var buf [longestLookAlike + 2]rune
	core := buf[:0]
	i := at
	for i < len(t.data) && len(core) < len(buf) {
		r, size := t.next(i)
		if r == '\r' || r == '\n' {
			break
		}
		i += size
		switch {
		case r > ' ' && r < utf8.RuneSelf:
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			core = append(core, r)
		case !isBlank(r):
			core = append(core, unicode.ToLower(r))
		}
	}
	m := mark{kind: markLookAlike, start: start, end: i}
	width := (i - start) / t.unit()
	switch {
	case width == len(t.style.begin) && t.has(start, t.style.begin):
		m.kind = markBegin
	case width == len(t.style.end) && t.has(start, t.style.end):
		m.kind = markEnd
	case t.style.nearby && isNearby(core[1:]): // without the anchor
	case startsWith(core, begin), startsWith(core, end):
	default:
		return mark{}, false
	}
	return m, true
}

// startsWith: the marker with other blanks or letters in another case, or with
// something behind it.
func startsWith(core []rune, marker string) bool {
	if len(core) < len(marker) {
		return false
	}
	for i := range len(marker) {
		if core[i] != rune(marker[i]) {
			return false
		}
	}
	return true
}

// isNearby: PowerShell takes it for the marker.
func isNearby(core []rune) bool {
	if len(core) < shortestLookAlike || len(core) > longestLookAlike {
		return false
	}
	return distance(core, markerCore) < lookAlikeDistance
}

// distance is the Levenshtein distance of a and the ASCII string b.
func distance(a []rune, b string) int {
	var buf [len(markerCore) + 1]int
	row := buf[:len(b)+1]
	for j := range row {
		row[j] = j
	}
	for i, r := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if r != rune(b[j]) {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
