// Package authscript is the container of an Authenticode signature in a script
// file: the text, and in it one block of comment lines that hold the signature in
// base64. For PowerShell that is
//
//	content CRLF
//	# SIG # Begin signature block CRLF
//	# <64 characters of base64> CRLF
//	...
//	# <the rest> CRLF
//	# SIG # End signature block CRLF
//
// and for the other types the same in comments of their own (see Style). In .wsf
// files the block stands before the last </job>, in all others it is the end.
//
// What is signed is the digest of the text around the block as UTF-16LE, the CRLF
// before the block left out. PowerShell includes the byte-order mark; the Windows
// Script Host leaves it out and adds where the block stood. Nothing is normalised.
//
// Parse accepts exactly this form, as Windows writes it, so that each byte of a
// file is content, or follows from the signature: two different files never
// parse to the same Script. The package says nothing about the signature itself,
// nor about who made it.
package authscript

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// MaxBlock is the largest signature in bytes, as DER.
const MaxBlock = 256 << 10

// Script is a script with a well-made block, or ready for one.
type Script struct {
	Style    *Style
	Encoding Encoding
	// Content is what stands before the block, byte-order mark included, without
	// the CRLF that belongs to the block. It shares memory with the file.
	Content []byte
	// After is what stands behind the block; empty for most styles.
	After []byte
	// Block is the signature: what the base64 of the block decodes to.
	Block []byte
}

// WriteSigned writes what the signature's digest covers: the text as UTF-16LE,
// decoded as e, which is s.Encoding unless the caller tries another reading of
// bytes without a mark. It fails with *TextError if the text does not decode.
func (s *Script) WriteSigned(w io.Writer, e Encoding) error {
	if !s.Style.WSH {
		_, err := writeUTF16(w, s.Content, e)
		return err
	}
	position, err := writeUTF16(w, s.Content[min(e.markSize(), len(s.Content)):], e)
	if err != nil {
		return err
	}
	if _, err := writeUTF16(w, s.After, e); err != nil {
		return err
	}
	_, err = w.Write(binary.LittleEndian.AppendUint32(nil, uint32(position)))
	return err
}

// Parse takes a file of the style apart. It fails with ErrNoBlock for a script
// without a block, with *LayoutError for every other that is not exactly as
// Windows writes it, and with *TextError for UTF-16BE where Windows refuses it.
func Parse(style *Style, data []byte) (*Script, error) {
	e := Detect(data)
	if e == UTF16BE && !style.WSH {
		return nil, parseUTF16BE(style, data)
	}
	t := newText(style, data, e)
	marks := t.marks()
	if len(marks) == 0 {
		return nil, ErrNoBlock
	}
	begin, end, err := t.pick(marks)
	if err != nil {
		return nil, err
	}
	crlf := 2 * t.unit()
	switch {
	case !t.has(begin.end, "\r\n"):
		return nil, t.errorAt(begin.start, CodeLayout, "the begin line does not end with CRLF")
	case !t.has(begin.start-crlf, "\r\n"):
		return nil, t.errorAt(begin.start, CodeNotPreceded, "the block is not preceded by CRLF, so bytes before it are not signed")
	case !t.has(end.end, "\r\n"):
		return nil, t.errorAt(end.start, CodeLayout, "the end line does not end with CRLF")
	}
	after := end.end + crlf
	if err := t.checkAfter(after); err != nil {
		return nil, err
	}
	block, err := t.decodeBlock(begin.end+crlf, end.start)
	if err != nil {
		return nil, err
	}
	content := begin.start - crlf
	return &Script{Style: style, Encoding: e, Content: data[:content:content], After: data[after:], Block: block}, nil
}

// checkAfter looks at what stands behind the block, from offset at.
func (t text) checkAfter(at int) error {
	before := t.style.before
	switch {
	case before == "" && at != len(t.data):
		return t.errorAt(at, CodeTrailing, "something follows the signature block, and nothing there is signed")
	case before != "" && t.last(before) != at:
		return t.errorAt(at, CodeLayout, "the block does not stand right before the last "+before)
	}
	return nil
}

// pick finds the one begin and the one end line among the marks, and refuses all
// others.
func (t text) pick(marks []mark) (begin, end mark, err error) {
	var begins, ends []mark
	for _, m := range marks {
		switch m.kind {
		case markBegin:
			begins = append(begins, m)
		case markEnd:
			ends = append(ends, m)
		case markLookAlike:
		}
	}
	switch {
	case len(begins) > 1:
		return begin, end, t.errorAt(begins[1].start, CodeTwoBlocks, "a second begin line: a script has one block")
	case len(ends) > 1:
		return begin, end, t.errorAt(ends[1].start, CodeTwoBlocks, "a second end line: a script has one block")
	}
	for _, m := range marks {
		if m.kind == markLookAlike && !(len(begins) == 1 && len(ends) == 1 && m.start > begins[0].start && m.start < ends[0].start) {
			return begin, end, t.errorAt(m.start, CodeLookAlike, "a comment line that can be taken for the marker of a signature block")
		}
	}
	switch {
	case len(ends) == 0:
		return begin, end, t.errorAt(begins[0].start, CodeLayout, "the block has no end line")
	case len(begins) == 0:
		return begin, end, t.errorAt(ends[0].start, CodeLayout, "an end line without a begin line")
	case ends[0].start < begins[0].start:
		return begin, end, t.errorAt(ends[0].start, CodeLayout, "the end line stands before the begin line")
	}
	return begins[0], ends[0], nil
}

// decodeBlock decodes the lines from start up to the end line at stop.
func (t text) decodeBlock(start, stop int) ([]byte, error) {
	if start == stop {
		return nil, t.errorAt(start, CodeEmptyBlock, "the signature block is empty")
	}
	if (stop-start)/t.unit() > 2*MaxBlock {
		return nil, t.errorAt(start, CodeLayout, "the signature block is larger than any signature")
	}
	lines, ok := t.narrow(start, stop)
	if !ok {
		return nil, t.errorAt(start, CodeJunk, "the block holds characters that are not ASCII")
	}
	var b64 strings.Builder
	for at := 0; at < len(lines); {
		n := strings.Index(lines[at:], "\r\n")
		if n < 0 {
			return nil, t.errorAt(start+at*t.unit(), CodeLayout, "a line of the block does not end with CRLF")
		}
		line := lines[at : at+n]
		last := at+n+2 == len(lines)
		if err := t.checkLine(line, last, start+at*t.unit()); err != nil {
			return nil, err
		}
		b64.WriteString(line[len(t.style.prefix) : len(line)-len(t.style.suffix)])
		at += n + 2
	}
	block, err := base64.StdEncoding.Strict().DecodeString(b64.String())
	switch {
	case err != nil:
		return nil, t.errorAt(start, CodeLayout, "the base64 of the block is not canonical")
	case len(block) > MaxBlock:
		return nil, t.errorAt(start, CodeLayout, "the signature block is larger than any signature")
	}
	return block, nil
}

// checkLine looks at one line between the markers.
func (t text) checkLine(line string, last bool, at int) error {
	b64, opened := strings.CutPrefix(line, t.style.prefix)
	b64, closed := strings.CutSuffix(b64, t.style.suffix)
	if !opened || !closed || b64 == "" {
		return t.errorAt(at, CodeJunk, fmt.Sprintf("a line of the block is not of the form %q", t.style.prefix+"<base64>"+t.style.suffix))
	}
	digits := b64
	if last {
		digits = strings.TrimRight(b64, "=")
	}
	for i := range len(digits) {
		if !isBase64(digits[i]) {
			return t.errorAt(at, CodeJunk, "a line of the block holds something other than base64")
		}
	}
	if len(b64) != t.style.width && (!last || len(b64) > t.style.width) {
		return t.errorAt(at, CodeLayout, fmt.Sprintf("a line of the block does not have %d characters of base64", t.style.width))
	}
	return nil
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// narrow returns the text from start to stop if it is all ASCII.
func (t text) narrow(start, stop int) (string, bool) {
	if !t.enc.wide() {
		return string(t.data[start:stop]), indexNonASCII(t.data[start:stop]) < 0
	}
	ascii := make([]byte, 0, (stop-start)/2)
	for i := start; i+1 < stop; i += 2 {
		u := t.enc.unitAt(t.data, i)
		if u >= 0x80 {
			return "", false
		}
		ascii = append(ascii, byte(u))
	}
	return string(ascii), true
}

func (t text) errorAt(offset int, code, msg string) *LayoutError {
	return &LayoutError{Code: code, Line: lineAt(t.data, t.enc, offset), Msg: msg}
}
