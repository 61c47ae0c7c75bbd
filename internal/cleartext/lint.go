package cleartext

import "unicode/utf8"

// lint looks at a line that is not ASCII for what a reader may not see as it is.
// Each code is counted once a line.
func (d *Document) lint(line []byte, number int, first bool) {
	codes := [...]Code{NotUTF8, Bidi, LineSeparator, C1Control, BOM}
	var found [len(codes)]bool
	for i := 0; i < len(line); {
		if line[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(line[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			found[0] = true
		case isBidi(r):
			found[1] = true
		case r == 0x2028, r == 0x2029, r == 0x85:
			found[2] = true
		case r < 0xa0:
			found[3] = true
		case r == 0xfeff && first && i == 0:
			found[4] = true
		}
		i += size
	}
	for i, code := range codes {
		if found[i] {
			d.note(code, number)
		}
	}
}

// isBidi reports whether r changes the direction in which text is shown.
func isBidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}
