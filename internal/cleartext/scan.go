package cleartext

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// lineEnd is what ends a line.
type lineEnd int

const (
	endOfFile lineEnd = iota
	lf
	crlf
)

// scanner gives out the lines of a document.
type scanner struct {
	data []byte
	pos  int
	line int // of the last line given out, from 1
	mode lineEnd
}

// next returns the next line, without its line end; ok is false at the end.
func (s *scanner) next() (content []byte, end lineEnd, ok bool) {
	if s.pos >= len(s.data) {
		return nil, endOfFile, false
	}
	s.line++
	rest := s.data[s.pos:]
	i := bytes.IndexByte(rest, '\n')
	if i < 0 {
		s.pos = len(s.data)
		return rest, endOfFile, true
	}
	s.pos += i + 1
	if i > 0 && rest[i-1] == '\r' {
		return rest[:i-1], crlf, true
	}
	return rest[:i], lf, true
}

// frame returns the next line of the frame around the text: it ends as the
// first line of the file does, and holds neither CR nor NUL.
func (s *scanner) frame() ([]byte, *SyntaxError) {
	content, end, ok := s.next()
	if !ok {
		return nil, s.fail(NoEnd, "the document ends before the line that ends the signature")
	}
	if end == endOfFile {
		return nil, s.fail(NoEnd, "the document ends in the middle of a line")
	}
	if end != s.mode {
		err := s.fail(MixedLineEnds, "this line ends in another way than the first line of the file")
		err.Fix = "convert the whole file to one kind of line end"
		return nil, err
	}
	if err := s.clean(content); err != nil {
		return nil, err
	}
	return content, nil
}

// clean refuses characters that belong into no line.
func (s *scanner) clean(content []byte) *SyntaxError {
	for _, c := range content {
		if classes[c]&control != 0 {
			return s.failControl(c)
		}
	}
	return nil
}

func (s *scanner) failControl(c byte) *SyntaxError {
	switch c {
	case 0:
		return s.fail(NUL, "a NUL byte")
	case '\r':
		return s.fail(LoneCR, "a carriage return inside the line, which hides text on a terminal")
	default:
		return s.fail(ControlCharacter, fmt.Sprintf("the control character 0x%02x inside the line", c))
	}
}

func (s *scanner) fail(code Code, detail string) *SyntaxError {
	return &SyntaxError{Code: code, Line: s.line, Detail: detail}
}

// Classes of bytes.
const (
	control byte = 1 << iota // C0 without TAB and LF, and DEL
	high                     // not ASCII
)

var classes = func() (t [256]byte) {
	for i := range t {
		switch {
		case i < 0x20 && i != '\t' && i != '\n', i == 0x7f:
			t[i] = control
		case i >= 0x80:
			t[i] = high
		}
	}
	return t
}()

// classify returns the classes of all bytes of a line. Eight bytes are looked at
// together: almost all are plain ASCII.
func classify(line []byte) (found byte) {
	const low, top, space, del = 0x0101010101010101, 0x8080808080808080, 0x2020202020202020, 0x7f7f7f7f7f7f7f7f
	for at := 0; len(line) >= 8 && at < len(line); at += 8 {
		at = min(at, len(line)-8) // the last eight may be looked at twice
		x := binary.LittleEndian.Uint64(line[at:])
		// A byte below a blank, a DEL or a byte above 0x7f sets a top bit. The
		// subtractions may borrow and set one too many, never one too few.
		if ((x-space)|((x^del)-low)|x)&top != 0 {
			for _, c := range line[at : at+8] {
				found |= classes[c]
			}
		}
	}
	if len(line) < 8 {
		for _, c := range line {
			found |= classes[c]
		}
	}
	return found
}

// appendCRLF appends text with each LF turned into CRLF.
func appendCRLF(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		dst = append(dst, '\r', '\n')
		text = text[i+1:]
	}
}
