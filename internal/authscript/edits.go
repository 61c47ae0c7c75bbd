package authscript

import (
	"bytes"
	"iter"
	"strings"
	"unicode/utf8"
)

// maxEdited is the largest content whose edits are tried: each takes a digest.
const maxEdited = 1 << 20

// Edit is a script as it may have been before somebody edited it.
type Edit struct {
	Script *Script
	// What says in which way it differs: "with ...".
	What string
}

// Edits yields what s may have been before an editor changed nothing but the
// blanks and line ends behind its text, its line ends, or its byte-order mark. It
// is for a diagnosis: only the digest can tell. There are at most 36; none for
// contents of more than a MiB, nor for UTF-16 big endian.
func (s *Script) Edits() iter.Seq[Edit] {
	return func(yield func(Edit) bool) {
		if len(s.Content) > maxEdited || s.Encoding == UTF16BE {
			return
		}
		other := func(e Edit) bool { return bytes.Equal(e.Script.Content, s.Content) || yield(e) }
		for _, m := range s.otherMarks() {
			t := text{data: m.Script.Content, enc: m.Script.Encoding}
			for _, l := range []struct {
				content []byte
				what    string
			}{
				{t.data, ""}, {t.convert(t.data, toCRLF), "with CRLF line ends"}, {t.convert(t.data, toLF), "with LF line ends"},
			} {
				if l.what != "" && bytes.Equal(l.content, t.data) {
					continue
				}
				if !m.with(l.content, l.what).yieldEnds(other) {
					return
				}
			}
		}
	}
}

// otherMarks are s, and s with the byte-order mark removed or added.
func (s *Script) otherMarks() []Edit {
	edits := []Edit{{Script: s}}
	other := *s
	switch {
	case s.Encoding == UTF8BOM:
		other.Content = s.Content[len(markUTF8):]
		other.Encoding = Detect(other.Content)
		edits = append(edits, Edit{&other, "without the byte-order mark (EF BB BF)"})
	case s.Encoding != UTF16LE && utf8.Valid(s.Content):
		other.Content = append(bytes.Clone(markUTF8), s.Content...)
		other.Encoding = UTF8BOM
		edits = append(edits, Edit{&other, "with a byte-order mark (EF BB BF)"})
	}
	return edits
}

// with is e with other content.
func (e Edit) with(content []byte, what string) Edit {
	script := *e.Script
	script.Content = content
	return Edit{&script, strings.Trim(e.What+", "+what, ", ")}
}

// yieldEnds yields e, and e with other blanks and line ends behind its text.
func (e Edit) yieldEnds(yield func(Edit) bool) bool {
	if e.What != "" && !yield(e) {
		return false
	}
	content, unit := e.Script.Content, text{enc: e.Script.Encoding}.unit()
	n := len(content)
	for n >= unit && strings.IndexByte(" \t\r\n", content[n-unit]) >= 0 && (unit == 1 || content[n-1] == 0) {
		n -= unit
	}
	for _, end := range []struct{ text, what string }{
		{"", "with nothing behind its text"},
		{"\r\n", "with one line end (CRLF) behind its text"},
		{"\n", "with one line end (LF) behind its text"},
		{"\r\n\r\n", "with one blank line (CRLF) behind its text"},
		{"\n\n", "with one blank line (LF) behind its text"},
	} {
		other := bytes.Clone(content[:n])
		for _, c := range []byte(end.text) {
			other = append(append(other, c), make([]byte, unit-1)...)
		}
		if !yield(e.with(other, end.what)) {
			return false
		}
	}
	return true
}
