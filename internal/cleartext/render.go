package cleartext

import (
	"bytes"
	"unicode/utf8"
)

// CheckText says whether a text can be signed so that what is executed later is
// the text, byte for byte, and so that every GnuPG verifies it. It fails with
// *SyntaxError.
func CheckText(text []byte) error {
	err := checkText(text)
	if err == nil {
		return nil // not a typed nil
	}
	return err
}

func checkText(text []byte) *SyntaxError {
	if len(text) == 0 {
		return &SyntaxError{Code: EmptyText, Detail: "there is nothing to sign"}
	}
	size := len(text) + MaxSignature
	s := &scanner{data: text}
	for {
		line, end, ok := s.next()
		switch {
		case !ok && size > MaxSize:
			return &SyntaxError{Code: TooLarge, Detail: "as a signed document the text would be larger than a runbook may be"}
		case !ok:
			return nil
		case len(line) > 0 && line[0] == '-':
			size += len("- ")
		}
		if err := s.checkSource(line, end); err != nil {
			return err
		}
	}
}

// checkSource refuses what a signature would not cover, or GnuPG would cut.
func (s *scanner) checkSource(line []byte, end lineEnd) *SyntaxError {
	var err *SyntaxError
	switch {
	case end == crlf:
		err = s.fail(TrailingCR, "the line ends in CR LF, and clear-signed text has no CR")
		err.Fix = "convert the file to LF line ends"
	case end == endOfFile:
		err = s.fail(NoFinalNewline, "the last line has no line end; the signed text would gain one")
		err.Fix = "end the file with a newline"
	case len(line) > MaxSignedLine:
		err = s.fail(LineTooLong, "the line is longer than 19000 bytes, which GnuPG cuts without an error")
		err.Fix = "break the line; keep large data in a file of its own"
	case len(bytes.TrimRight(line, " \t")) != len(line):
		err = s.fail(TrailingBlanks, "blanks at the end of the line are not covered by a clear-signature; without them a here-document or a continued line can change its meaning")
		err.Fix = "remove the blanks at the line's end"
	case classify(line)&control != 0:
		err = s.clean(line)
		err.Fix = "remove the character, or let the script make it: with printf, chr(13), [char]27"
	case !utf8.Valid(line):
		err = s.fail(NotUTF8, "the line is not valid UTF-8, so that hosts would read it differently")
		err.Fix = "save the file as UTF-8"
	}
	return err
}

// New makes a document of a text that CheckText accepts, the name of the hash
// function, such as "SHA512", and the signature packets.
func New(text []byte, hash string, signature []byte) (*Document, error) {
	if err := CheckText(text); err != nil {
		return nil, err
	}
	return &Document{
		headers:   []string{"Hash: " + hash},
		hashes:    []string{hash},
		text:      bytes.Clone(text),
		armor:     armorForm{row: defaultArmorRow, crc: true},
		signature: bytes.Clone(signature),
	}, nil
}

// Render writes the document down. For a canonical document from Parse the
// result is what Parse was given.
func (d *Document) Render() []byte {
	newline := "\n"
	if d.crlf {
		newline = "\r\n"
	}
	out := make([]byte, 0, len(d.text)+len(d.text)/8+2*len(d.signature)+1024)
	out = append(out, BeginMessage+newline...)
	for _, h := range d.headers {
		out = append(out, h+newline...)
	}
	out = append(out, newline...)
	odd := d.oddEscapes
	for index, rest := int32(0), d.text; len(rest) > 0; index++ {
		end := bytes.IndexByte(rest, '\n')
		isOdd := len(odd) > 0 && odd[0] == index
		if isOdd {
			odd = odd[1:]
		}
		if isOdd || rest[0] == '-' {
			out = append(out, "- "...)
		}
		out = append(out, rest[:end]...)
		out = append(out, newline...)
		rest = rest[end+1:]
	}
	return d.appendArmor(out, newline)
}
