package authscript

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// codePages are the ANSI code pages of Windows of one byte a character, but for
// 1252, which is a table of our own.
var codePages = map[Encoding]*charmap.Charmap{
	874:  charmap.Windows874,
	1250: charmap.Windows1250,
	1251: charmap.Windows1251,
	1253: charmap.Windows1253,
	1254: charmap.Windows1254,
	1255: charmap.Windows1255,
	1256: charmap.Windows1256,
	1257: charmap.Windows1257,
	1258: charmap.Windows1258,
}

// CodePages are the numbers of the ANSI code pages that are known here.
func CodePages() []int {
	numbers := []int{int(ANSI)}
	for e := range codePages {
		numbers = append(numbers, int(e))
	}
	slices.Sort(numbers)
	return numbers
}

// CodePage returns the encoding of the ANSI code page of this number; false if
// it is none of CodePages.
func CodePage(number int) (Encoding, bool) {
	e := Encoding(number)
	return e, isCodePage(e)
}

func isCodePage(e Encoding) bool {
	if e < 874 { // what is asked for each character is answered without the table
		return false
	}
	_, ok := codePages[e]
	return ok || e == ANSI
}

// fromCodePage decodes one byte; size 0 says that the code page leaves it open.
func fromCodePage(b byte, e Encoding) (r rune, size int) {
	if e == ANSI {
		return fromWindows1252(b), 1
	}
	if r = codePages[e].DecodeByte(b); r == utf8.RuneError {
		return 0, 0
	}
	return r, 1
}

// windows1252 is the upper half of the control range as Windows maps it: the
// five bytes that the code page leaves open stay what they are, so that every
// byte has a character of its own.
var windows1252 = [32]rune{
	0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F,
	0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E, 0x0178,
}

func fromWindows1252(b byte) rune {
	if b >= 0x80 && b < 0xA0 {
		return windows1252[b-0x80]
	}
	return rune(b)
}
