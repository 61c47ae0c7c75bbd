package cleartext

import (
	"bytes"
	"regexp"
	"strings"
)

// Parse reads a document. It fails with *SyntaxError. The Document may share
// memory with data, which must not be changed any more.
func Parse(data []byte) (*Document, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func parse(data []byte) (*Document, *SyntaxError) {
	if len(data) > MaxSize {
		return nil, &SyntaxError{Code: TooLarge, Detail: "the document is larger than a runbook may be"}
	}
	d := &Document{}
	s := &scanner{data: data}
	if err := d.parseBegin(s); err != nil {
		return nil, err
	}
	if err := d.parseHeaders(s); err != nil {
		return nil, err
	}
	if err := d.parseText(s); err != nil {
		return nil, err
	}
	if err := d.parseArmor(s); err != nil {
		return nil, err
	}
	if err := d.parseEnd(s); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Document) parseBegin(s *scanner) *SyntaxError {
	content, end, _ := s.next()
	s.mode = end
	d.crlf = end == crlf
	if string(content) == BeginMessage {
		if end == endOfFile {
			return s.fail(NoEnd, "there is nothing behind the first line")
		}
		return nil
	}
	if bytes.HasPrefix(content, []byte(BeginMessage)) {
		if i := bytes.IndexByte(content, '\r'); i >= 0 && end != crlf && bytes.Contains(content, []byte(EndSignature)) {
			return s.fail(LoneCR, "the lines end in carriage returns alone")
		}
		return s.fail(MarkerWithText, "something stands behind the marker on the first line")
	}
	return s.fail(TextBefore, "the first line is not the marker "+BeginMessage)
}

var (
	hashHeader  = regexp.MustCompile(`^Hash: [A-Z0-9-]+(, ?[A-Z0-9-]+)*$`)
	armorHeader = regexp.MustCompile(`^(Version|Comment|Hash|Charset|MessageID): [ -~]*$`)
)

// hashNames are the names that a Hash header may list: unknown ones hide text
// in plain sight.
var hashNames = map[string]bool{
	"MD5": true, "SHA1": true, "RIPEMD160": true, "SHA224": true, "SHA256": true, "SHA384": true, "SHA512": true,
	"SHA3-256": true, "SHA3-512": true,
}

func (d *Document) parseHeaders(s *scanner) *SyntaxError {
	for {
		line, err := s.frame()
		if err != nil {
			return err
		}
		switch {
		case len(line) == 0:
			return nil
		case len(line) > MaxHeaderLine:
			return s.fail(LineTooLong, "a header line longer than a header may be")
		case len(d.headers) == MaxHeaders:
			return s.fail(TooManyHeaders, "more header lines than a document may have")
		case bytes.HasPrefix(line, []byte("NotDashEscaped")):
			return s.fail(NotDashEscapedMode, "the header NotDashEscaped changes what the signature covers")
		case len(bytes.TrimSpace(line)) == 0:
			return s.fail(NoBlankLine, "the line between header and text must be empty, without blanks")
		case bytes.HasPrefix(line, []byte("Hash:")):
			if !hashHeader.Match(line) {
				return s.fail(BadHashHeader, "the Hash header is not of the form \"Hash: NAME, NAME\"")
			}
		case headerKey(line):
			return s.fail(UnknownHeader, "a header other than Hash; headers are not signed")
		default:
			return s.fail(NoBlankLine, "neither a Hash header nor the empty line that must precede the text; nothing here is signed")
		}
		for name := range strings.SplitSeq(string(line[len("Hash:"):]), ",") {
			name = strings.TrimPrefix(name, " ")
			if !hashNames[name] {
				return s.fail(BadHashHeader, "the Hash header names a hash function that does not exist")
			}
			d.hashes = append(d.hashes, name)
		}
		d.headers = append(d.headers, string(line))
	}
}

// headerKey reports whether a line looks like an armor header.
func headerKey(line []byte) bool {
	key, _, found := bytes.Cut(line, []byte(":"))
	return found && len(key) > 0 && bytes.IndexByte(key, ' ') < 0
}

// parseText reads to the line that begins the signature. As long as the lines
// stand in the file as they are executed, the text is a part of the file; from
// the first other one on it is built in memory of its own, allocated once.
func (d *Document) parseText(s *scanner) *SyntaxError {
	d.text = s.data[s.pos:s.pos:len(s.data)]
	d.verbatim = s.mode == lf
	if !d.verbatim {
		d.ownText(s)
	}
	for index := 0; ; index++ {
		line, end, ok := s.next()
		if !ok || end == endOfFile && string(line) != BeginSignature {
			return s.fail(NoSignatureBlock, "the document ends before the line "+BeginSignature)
		}
		if len(line) > MaxTextLine {
			return s.fail(LineTooLong, "a line of text longer than a line may be")
		}
		raw := end == lf
		if len(line) > 0 && line[0] == '-' {
			raw = false
			rest, escaped := bytes.CutPrefix(line, []byte("- "))
			if !escaped {
				return d.parseBeginSignature(s, line, end, index)
			}
			line = rest
			if len(line) == 0 || line[0] != '-' {
				if len(d.oddEscapes) == MaxOddEscapes {
					return s.fail(TooManyEscapes, "too many lines are dash-escaped without need")
				}
				d.oddEscapes = append(d.oddEscapes, int32(index))
			}
		}
		if end != s.mode {
			d.note(TrailingCR, s.line)
		}
		if err := d.addLine(s, line, raw); err != nil {
			return err
		}
	}
}

// ownText moves the text into memory of its own.
func (d *Document) ownText(s *scanner) {
	d.text = append(make([]byte, 0, len(s.data)), d.text...)
	d.verbatim = false
}

// addLine takes over one line of text in its canonical form. raw says that the
// line and its line end stand so in the file, right behind the text so far.
func (d *Document) addLine(s *scanner, line []byte, raw bool) *SyntaxError {
	content := trimBlanks(line)
	if len(content) < len(line) {
		if bytes.IndexByte(line[len(content):], '\r') >= 0 {
			d.note(TrailingCR, s.line)
		} else {
			d.note(TrailingBlanks, s.line)
		}
	}
	found := classify(content)
	if found&control != 0 {
		return s.clean(content)
	}
	if found&high != 0 {
		d.lint(content, s.line, len(d.text) == 0)
	}
	if len(content) > MaxSignedLine {
		d.note(LongLine, s.line)
	}
	if d.verbatim && raw && len(content) == len(line) {
		d.text = d.text[:len(d.text)+len(line)+1]
		return nil
	}
	if d.verbatim {
		d.ownText(s)
	}
	d.text = append(d.text, content...)
	d.text = append(d.text, '\n')
	return nil
}

// trimBlanks takes off what a signature does not cover at a line's end.
func trimBlanks(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] > ' ' {
		return line
	}
	return bytes.TrimRight(line, " \t\r")
}

// parseBeginSignature looks at a line that starts with a dash and is not
// escaped: it can only be the one that begins the signature.
func (d *Document) parseBeginSignature(s *scanner, line []byte, end lineEnd, lines int) *SyntaxError {
	switch {
	case string(line) == BeginSignature && lines == 0:
		return s.fail(NoBlankLine, "there is no line of text")
	case string(line) == BeginSignature && end == endOfFile:
		return s.fail(NoEnd, "the document ends where the signature begins")
	case string(line) == BeginSignature && end != s.mode:
		err := s.fail(MixedLineEnds, "this line ends in another way than the first line of the file")
		err.Fix = "convert the whole file to one kind of line end"
		return err
	case string(line) == BeginSignature:
		return nil
	case bytes.HasPrefix(line, []byte(BeginMessage)):
		return s.fail(SecondMessage, "a second clear-signed document begins inside the text")
	case bytes.HasPrefix(line, []byte(BeginSignature)):
		return s.fail(MarkerWithText, "something stands behind the marker that begins the signature")
	default:
		return s.fail(NotDashEscaped, "a line of text that starts with a dash and is not escaped with \"- \"")
	}
}

// parseEnd looks at what follows the signature: empty lines only.
func (d *Document) parseEnd(s *scanner) *SyntaxError {
	for !d.unended {
		line, end, ok := s.next()
		switch {
		case !ok:
			return nil
		case bytes.HasPrefix(line, []byte(BeginSignature)):
			return s.fail(SecondSignature, "a second signature block; several signatures belong into one block")
		case bytes.HasPrefix(line, []byte(BeginMessage)):
			return s.fail(SecondMessage, "a second clear-signed document follows the first")
		case len(line) > 0 || end != s.mode:
			err := s.fail(TextAfter, "something follows the signature, and nothing here is signed")
			err.Fix = "remove everything behind the line " + EndSignature
			return err
		case d.blankLines == MaxBlankLines:
			return s.fail(TextAfter, "too many empty lines follow the signature")
		}
		d.blankLines++
	}
	return nil
}
