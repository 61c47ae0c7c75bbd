// Package cleartext reads and writes OpenPGP clear-signed text (RFC 9580
// section 7): it splits a document into its text, in the form that is hashed and
// in the form that is executed, and the bytes of its signature packets. It also
// undoes ASCII armor.
//
// The grammar is stricter than the RFC. A document is
//
//	-----BEGIN PGP SIGNED MESSAGE-----        at offset 0, nothing else on the line
//	Hash: SHA512[, SHA256...]                 no other header; may be missing
//	                                          exactly one empty line
//	text, "- " before each line that starts with "-"
//	-----BEGIN PGP SIGNATURE-----
//	Version|Comment|...: printable ASCII      may be missing
//	                                          one empty line
//	base64, all lines but the last of one length, at most 76
//	=CRC24                                    may be missing; checked if present
//	-----END PGP SIGNATURE-----
//	                                          empty lines only
//
// with one kind of line end throughout, LF or CRLF. What Parse accepts as
// canonical, Render gives back byte for byte.
//
// The package knows nothing of keys and checks no signature: a Document is text
// that somebody may have signed.
package cleartext

import (
	"fmt"
	"io"
)

// The lines that frame a document.
const (
	BeginMessage   = "-----BEGIN PGP SIGNED MESSAGE-----"
	BeginSignature = "-----BEGIN PGP SIGNATURE-----"
	EndSignature   = "-----END PGP SIGNATURE-----"
)

// Limits of a document. A file larger than MaxSize is refused before it is
// looked at.
const (
	MaxSize         = 16 << 20 // bytes of a document
	MaxHeaders      = 16       // header lines, of the message and of the armor each
	MaxHeaderLine   = 512      // bytes of a header line
	MaxTextLine     = 1 << 20  // bytes of a line of text
	MaxArmorLine    = 76       // characters of a line of base64
	MaxSignature    = 64 << 10 // bytes of all signature packets
	MaxBlankLines   = 16       // empty lines after the end
	MaxOddEscapes   = 1 << 16  // lines that are dash-escaped without need
	MaxSignedLine   = 19_000   // bytes of a line that every GnuPG reads and writes in full
	defaultArmorRow = 64
)

// Code is the stable word for what is wrong, or worth saying, about a document.
type Code string

// What makes a document malformed.
const (
	TooLarge           Code = "too-large"
	TextBefore         Code = "text-before"
	TextAfter          Code = "text-after"
	SecondMessage      Code = "second-message"
	SecondSignature    Code = "second-signature-block"
	MarkerWithText     Code = "marker-with-text"
	MixedLineEnds      Code = "mixed-line-ends"
	LoneCR             Code = "lone-cr"
	NUL                Code = "nul"
	ControlCharacter   Code = "control-character"
	LineTooLong        Code = "line-too-long"
	UnknownHeader      Code = "unknown-header"
	NotDashEscapedMode Code = "not-dash-escaped-header"
	BadHashHeader      Code = "bad-hash-header"
	TooManyHeaders     Code = "too-many-headers"
	NoBlankLine        Code = "no-blank-line"
	NotDashEscaped     Code = "not-dash-escaped"
	TooManyEscapes     Code = "too-many-escapes"
	NoSignatureBlock   Code = "no-signature-block"
	BadArmor           Code = "bad-armor"
	BadArmorHeader     Code = "bad-armor-header"
	BadCRC             Code = "bad-crc"
	NoEnd              Code = "no-end"
	UTF16              Code = "utf-16"
)

// What makes a document noncanonical: the file says more than is signed.
const (
	TrailingBlanks Code = "trailing-blanks"
	TrailingCR     Code = "trailing-cr"
)

// What is only worth saying.
const (
	Bidi          Code = "bidi-control"
	LineSeparator Code = "line-separator"
	C1Control     Code = "c1-control"
	NotUTF8       Code = "not-utf8"
	BOM           Code = "bom-in-text"
	LongLine      Code = "long-line"
)

// What makes a text unfit for signing beside the codes above.
const (
	EmptyText      Code = "empty-text"
	NoFinalNewline Code = "no-final-newline"
)

// SyntaxError says why a document, or a text to be signed, is refused.
type SyntaxError struct {
	Code   Code
	Line   int    // from 1; 0 where no line is to blame
	Detail string // in plain words; quotes nothing from the input
	Fix    string // what would repair it; may be empty
}

func (e *SyntaxError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s (%s)", e.Line, e.Detail, e.Code)
	}
	return fmt.Sprintf("%s (%s)", e.Detail, e.Code)
}

// Finding is something that a document is not refused for by this package.
type Finding struct {
	Code  Code
	Line  int // the first line that it was found in, from 1
	Count int // the number of lines
}

// Document is a clear-signed document that has the right form. Only Parse and
// New make one.
type Document struct {
	crlf       bool
	headers    []string
	hashes     []string
	text       []byte
	verbatim   bool    // while parsing: text is a part of the file
	oddEscapes []int32 // lines of text, from 0, that are escaped without need
	armor      armorForm
	signature  []byte
	blankLines int  // empty lines after the end
	unended    bool // the last line has no line end
	findings   []Finding
}

// armorForm is how the signature was written down.
type armorForm struct {
	headers []string
	row     int // characters of a full line of base64
	crc     bool
}

// Text is what is executed: the canonical lines, each with one LF behind it. The
// caller must not change it.
func (d *Document) Text() []byte { return d.text }

// Hashes are the names in the Hash headers, in their order; empty without one.
func (d *Document) Hashes() []string { return d.hashes }

// Signature holds the signature packets. The caller must not change it.
func (d *Document) Signature() []byte { return d.signature }

// Findings tells what is worth saying about the text, each code once.
func (d *Document) Findings() []Finding { return d.findings }

// Canonical reports whether the file says nothing that is not signed: no
// trailing blanks, no stray CRs.
func (d *Document) Canonical() bool {
	for _, f := range d.findings {
		if f.Code == TrailingBlanks || f.Code == TrailingCR {
			return false
		}
	}
	return true
}

// note counts a finding, keeping the first line of each code.
func (d *Document) note(code Code, line int) {
	for i := range d.findings {
		if d.findings[i].Code == code {
			d.findings[i].Count++
			return
		}
	}
	d.findings = append(d.findings, Finding{Code: code, Line: line, Count: 1})
}

// WriteHashed writes what the signatures cover, as HashText does.
func (d *Document) WriteHashed(w io.Writer) error { return HashText(w, d.text) }

// HashText writes what a signature over a text covers: its lines joined by CRLF.
// That form is never held in memory as a whole.
func HashText(w io.Writer, text []byte) error {
	const room = 32 << 10
	buf := make([]byte, 0, min(2*room, 2*len(text)))
	rest := text
	if len(rest) > 0 {
		rest = rest[:len(rest)-1] // the last line end is not covered
	}
	for len(rest) > 0 {
		chunk := rest[:min(room, len(rest))]
		rest = rest[len(chunk):]
		buf = appendCRLF(buf[:0], chunk)
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("hash the text: %w", err)
		}
	}
	return nil
}
