package authscript

import (
	"bytes"
	"encoding/base64"
)

// New returns the script without a block that data is, ready for one. It fails
// with *LayoutError if the style has the block inside the text, and the text has
// no such place.
func New(style *Style, data []byte) (*Script, error) {
	s := &Script{Style: style, Encoding: Detect(data), Content: data}
	if style.before == "" {
		return s, nil
	}
	t := newText(style, data, s.Encoding)
	at := t.last(style.before)
	if at < 0 {
		return nil, t.errorAt(len(data), CodePlace, "there is no "+style.before+", before which the signature would stand")
	}
	s.Content, s.After = data[:at:at], data[at:]
	return s, nil
}

// Unsigned returns the file without its block.
func (s *Script) Unsigned() []byte {
	if len(s.After) == 0 {
		return s.Content
	}
	return append(bytes.Clone(s.Content), s.After...)
}

// Render is the inverse of Parse: the file that s was taken from.
func (s *Script) Render() []byte {
	var b bytes.Buffer
	b.WriteString("\r\n" + s.Style.begin + "\r\n")
	b64 := base64.StdEncoding.EncodeToString(s.Block)
	for len(b64) > 0 {
		n := min(s.Style.width, len(b64))
		b.WriteString(s.Style.prefix + b64[:n] + s.Style.suffix + "\r\n")
		b64 = b64[n:]
	}
	b.WriteString(s.Style.end + "\r\n")
	block := encodeASCII(b.Bytes(), s.Encoding)
	out := make([]byte, 0, len(s.Content)+len(block)+len(s.After))
	out = append(out, s.Content...)
	out = append(out, block...)
	return append(out, s.After...)
}

// parseUTF16BE is for styles whose files Windows does not take in UTF-16BE. A
// tool that does not know the encoding appends a block in ASCII, one that does
// writes it in the encoding. Either way there is something that looks signed.
func parseUTF16BE(style *Style, data []byte) error {
	if !bytes.Contains(data, encodeASCII([]byte(style.begin), UTF16BE)) && !bytes.Contains(data, []byte(style.begin)) {
		return ErrNoBlock
	}
	return CheckText(style, data)
}
