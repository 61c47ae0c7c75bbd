package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// encodeBody returns v as compact JSON in ASCII. Nothing that came out of a
// runbook can then reach a terminal as a control character when somebody looks
// at the ledger with cat.
func encodeBody(v any) (json.RawMessage, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, err
	}
	return ASCII(compact.Bytes()), nil
}

// ASCII writes each character of valid JSON above "~" in its \u form. In JSON
// such characters stand in strings only, where that means the same.
func ASCII(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if b[0] < 0x7f {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		if r <= 0xffff {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
	}
	return out
}
