package authscript

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// The markers of the PowerShell family, each a line of its own.
const (
	beginMarker = "# SIG # Begin signature block"
	endMarker   = "# SIG # End signature block"
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

// mark is a comment line that is a marker or could be taken for one.
type mark struct {
	kind       markKind
	start, end int // of the line, without its line end
}

// text gives access to the characters of a script by byte offset.
type text struct {
	data []byte
	enc  Encoding
	body int // where the text begins: after the byte-order mark
}

func newText(data []byte, e Encoding) text {
	t := text{data: data, enc: e}
	switch e {
	case UTF8BOM:
		t.body = len(markUTF8)
	case UTF16LE:
		t.body = len(markUTF16LE)
	default: // no mark
	}
	return t
}

func (t text) unit() int {
	if t.enc == UTF16LE {
		return 2
	}
	return 1
}

// next returns the character at i and its length in bytes; what does not decode
// stands for itself.
func (t text) next(i int) (rune, int) {
	if t.enc == UTF16LE {
		if i+2 > len(t.data) {
			return utf8.RuneError, 1
		}
		return rune(binary.LittleEndian.Uint16(t.data[i:])), 2
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
	if t.enc == UTF16LE {
		return rune(binary.LittleEndian.Uint16(t.data[i-2:])), 2
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
	if t.enc != UTF16LE {
		return i >= t.body && len(t.data)-i >= len(s) && string(t.data[i:i+len(s)]) == s
	}
	if i < t.body || len(t.data)-i < 2*len(s) {
		return false
	}
	for j := range len(s) {
		if t.data[i+2*j] != s[j] || t.data[i+2*j+1] != 0 {
			return false
		}
	}
	return true
}

// marks collects, from the start, the comment lines that are markers or
// look-alikes, up to maxMarks. The work is linear in the size of the text.
func (t text) marks() []mark {
	var found []mark
	for i := t.body; i < len(t.data) && len(found) < maxMarks; {
		j := bytes.IndexByte(t.data[i:], '#')
		if j < 0 {
			break
		}
		hash := i + j
		i = hash + 1
		if t.enc == UTF16LE && (hash%2 != 0 || !t.has(hash, "#")) {
			continue
		}
		start, whole := t.lineStart(hash)
		if !whole {
			continue
		}
		if m, ok := t.classify(start, hash); ok {
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

// classify looks at the comment line that begins at start and has its "#" at
// hash.
func (t text) classify(start, hash int) (mark, bool) {
	var buf [longestLookAlike + 1]rune
	core := buf[:0]
	i := hash + t.unit()
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
	switch width := i - start; {
	case width == t.unit()*len(beginMarker) && t.has(start, beginMarker):
		m.kind = markBegin
	case width == t.unit()*len(endMarker) && t.has(start, endMarker):
		m.kind = markEnd
	case !looksAlike(core):
		return mark{}, false
	}
	return m, true
}

// looksAlike: near to the marker, or the marker with something behind it.
func looksAlike(core []rune) bool {
	if len(core) > longestLookAlike {
		return string(core[:len(markerCore)]) == markerCore
	}
	if len(core) < shortestLookAlike {
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
