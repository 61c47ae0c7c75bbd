package cleartext

import (
	"bytes"
	"unicode/utf16"
)

// Place is where a file carries the marker of a clear-signed document.
type Place int

// The places. Elsewhere means that the file is no document, but that a less
// strict program would find one in it.
const (
	Nowhere   Place = iota
	AtStart         // at offset 0, where it belongs
	Elsewhere       // on a line of its own, or in another encoding
)

// Locate looks for the marker BeginMessage. line is the line of a marker that
// stands Elsewhere.
func Locate(data []byte) (place Place, line int) {
	marker := []byte(BeginMessage)
	if bytes.HasPrefix(data, marker) {
		return AtStart, 1
	}
	if InUTF16(data) {
		return Elsewhere, 1
	}
	// A script has many more dashes than capital letters to stop at.
	dashes, words := marker[:5], marker[5:]
	for from := 0; ; {
		i := bytes.Index(data[from:], words)
		if i < 0 {
			return Nowhere, 0
		}
		i += from
		from = i + len(words)
		before, found := bytes.CutSuffix(data[:i], dashes)
		if found && aloneBefore(before) && aloneAfter(data[from:]) {
			return Elsewhere, 1 + bytes.Count(before, []byte("\n"))
		}
	}
}

// aloneBefore and aloneAfter report whether nothing that can be seen stands
// between a marker and the start or end of its line.
func aloneBefore(before []byte) bool {
	for i := len(before) - 1; i >= 0; i-- {
		switch c := before[i]; {
		case c == '\n', c == '\r':
			return true
		case c > ' ' && c < 0x7f:
			return false
		}
	}
	return true
}

func aloneAfter(after []byte) bool {
	for _, c := range after {
		switch {
		case c == '\n', c == '\r':
			return true
		case c > ' ' && c < 0x7f:
			return false
		}
	}
	return true
}

// InUTF16 reports whether data begins with the marker in UTF-16, with or
// without a byte order mark, in either byte order.
func InUTF16(data []byte) bool {
	units := utf16.Encode([]rune(BeginMessage))
	little, big := make([]byte, 0, 2*len(units)), make([]byte, 0, 2*len(units))
	for _, u := range units {
		little = append(little, byte(u), byte(u>>8))
		big = append(big, byte(u>>8), byte(u))
	}
	trimmed := bytes.TrimPrefix(bytes.TrimPrefix(data, []byte{0xff, 0xfe}), []byte{0xfe, 0xff})
	return bytes.HasPrefix(trimmed, little) || bytes.HasPrefix(trimmed, big)
}
