package authscript

import (
	"bytes"
	"encoding/base64"
	"unicode/utf16"
)

// Render is the inverse of Parse: the file that s was taken from.
func (s *Script) Render() []byte {
	var b bytes.Buffer
	b.WriteString("\r\n" + beginMarker + "\r\n")
	b64 := base64.StdEncoding.EncodeToString(s.Block)
	for len(b64) > 0 {
		n := min(lineWidth, len(b64))
		b.WriteString("# " + b64[:n] + "\r\n")
		b64 = b64[n:]
	}
	b.WriteString(endMarker + "\r\n")
	out := make([]byte, 0, len(s.Content)+2*b.Len())
	out = append(out, s.Content...)
	if s.Encoding == UTF16LE {
		return append(out, utf16Of(b.Bytes())...)
	}
	return append(out, b.Bytes()...)
}

// parseUTF16BE: a tool that does not know the encoding appends a block in
// ASCII, one that does writes it in the encoding. Either way there is something
// that looks signed.
func parseUTF16BE(data []byte) error {
	var wide []byte
	for _, u := range utf16.Encode([]rune(beginMarker)) {
		wide = append(wide, byte(u>>8), byte(u))
	}
	if !bytes.Contains(data, wide) && !bytes.Contains(data, []byte(beginMarker)) {
		return ErrNoBlock
	}
	return CheckText(data)
}
