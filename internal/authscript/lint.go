package authscript

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// Codes of characters that make a text read otherwise than it runs.
const (
	CodeBidi          = "bidi-control"   // change the direction of the text
	CodeZeroWidth     = "zero-width"     // print as nothing
	CodeLineSeparator = "line-separator" // line ends to some programs, blanks to others
	CodeLoneCR        = "lone-cr"        // a line end to the interpreter, and to few editors
)

// Hidden is a kind of character in a text that an editor or a terminal may not
// show as what it is.
type Hidden struct {
	Code  string
	First rune
	Line  int // of the first, from 1
	Count int
}

// HiddenCharacters looks through a whole file, signed or not, for characters
// that hide what it does, and reports each kind of them once. That they are there
// is no fault of the file: scripts of languages that are written from right to
// left need some of them. The work is linear in the size of the file; e is what
// Detect makes of it.
func HiddenCharacters(data []byte, e Encoding) []Hidden {
	s := hiddenScan{data: data, enc: e}
	switch e {
	case UTF16LE:
		s.wide(binary.LittleEndian)
	case UTF16BE:
		s.wide(binary.BigEndian)
	case ASCII:
		s.loneCRs()
	case UTF8BOM:
		s.narrow(len(markUTF8))
		s.loneCRs()
	default:
		s.narrow(0)
		s.loneCRs()
	}
	return s.found
}

type hiddenScan struct {
	data  []byte
	enc   Encoding
	found []Hidden
}

// add counts the character r at offset.
func (s *hiddenScan) add(code string, r rune, offset int) {
	for i := range s.found {
		if s.found[i].Code == code {
			s.found[i].Count++
			return
		}
	}
	s.found = append(s.found, Hidden{Code: code, First: r, Line: lineAt(s.data, s.enc, offset), Count: 1})
}

// narrow looks at the characters above ASCII. Bytes that are not UTF-8 are left
// out: as a code page they are letters and signs.
func (s *hiddenScan) narrow(i int) {
	for i < len(s.data) {
		n := indexNonASCII(s.data[i:])
		if n < 0 {
			return
		}
		i += n
		r, size := utf8.DecodeRune(s.data[i:])
		if code := hiddenCode(r); code != "" {
			s.add(code, r, i)
		}
		i += size
	}
}

func (s *hiddenScan) loneCRs() {
	for i := 0; i < len(s.data); {
		n := bytes.IndexByte(s.data[i:], '\r')
		if n < 0 {
			return
		}
		i += n + 1
		if i == len(s.data) || s.data[i] != '\n' {
			s.add(CodeLoneCR, '\r', i-1)
		}
	}
}

// wide looks at the units of UTF-16 behind the byte-order mark. No character
// that is looked for needs two of them.
func (s *hiddenScan) wide(order binary.ByteOrder) {
	for i := 2; i+1 < len(s.data); i += 2 {
		u := rune(order.Uint16(s.data[i:]))
		switch {
		case u > '\r' && u < 0x80: // nearly all
		case u == '\r':
			if i+3 >= len(s.data) || order.Uint16(s.data[i+2:]) != '\n' {
				s.add(CodeLoneCR, u, i)
			}
		default:
			if code := hiddenCode(u); code != "" {
				s.add(code, u, i)
			}
		}
	}
}

func hiddenCode(r rune) string {
	switch {
	case r == 0x061C, r == 0x200E, r == 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return CodeBidi
	case r == 0x180E, r >= 0x200B && r <= 0x200D, r >= 0x2060 && r <= 0x2064, r == 0xFEFF:
		return CodeZeroWidth
	case r == 0x85, r == 0x2028, r == 0x2029:
		return CodeLineSeparator
	}
	return ""
}
