package authscript_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/authscript"
)

func TestHiddenCharactersAreFoundWithTheirLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []authscript.Hidden
	}{
		"nothing":             {"1\r\n2\r\n\t3\n", nil},
		"bidi":                {"1\r\n# \u202E admin\r\n\u2066\u2069", []authscript.Hidden{{Code: "bidi-control", First: 0x202E, Line: 2, Count: 3}}},
		"zero width":          {"1\n2\nx\u200By", []authscript.Hidden{{Code: "zero-width", First: 0x200B, Line: 3, Count: 1}}},
		"a mark inside":       {"1\n\uFEFF", []authscript.Hidden{{Code: "zero-width", First: 0xFEFF, Line: 2, Count: 1}}},
		"line separators":     {"1\n'\u2028\u2029\u0085'", []authscript.Hidden{{Code: "line-separator", First: 0x2028, Line: 2, Count: 3}}},
		"a CR by itself":      {"1\r\n# fine\rStop-Computer\r\n", []authscript.Hidden{{Code: "lone-cr", First: '\r', Line: 2, Count: 1}}},
		"two CRs and an LF":   {"1\r\r\n", []authscript.Hidden{{Code: "lone-cr", First: '\r', Line: 1, Count: 1}}},
		"a CR at the end":     {"1\r\n2\r", []authscript.Hidden{{Code: "lone-cr", First: '\r', Line: 2, Count: 1}}},
		"only letters, signs": {"grün \u2026 \u4E2D \u2018x\u2019", nil},
		"several": {"\u200E\n\u200B\n\u200F", []authscript.Hidden{
			{Code: "bidi-control", First: 0x200E, Line: 1, Count: 2}, {Code: "zero-width", First: 0x200B, Line: 2, Count: 1},
		}},
	} {
		for encoding, data := range map[string]string{"utf-8": c.text, "utf-8 with BOM": "\uFEFF" + c.text, "utf-16le": utf16le(c.text)} {
			t.Run(name+" in "+encoding, func(t *testing.T) {
				t.Parallel()
				if diff := cmp.Diff(c.want, authscript.HiddenCharacters([]byte(data), authscript.Detect([]byte(data)))); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestBytesOfACodePageAreNotHiddenCharacters(t *testing.T) {
	t.Parallel()
	if got := authscript.HiddenCharacters([]byte("# \x85 and \xAD and \xA0\r\n"), authscript.ANSI); got != nil {
		t.Error(got)
	}
}

// A finding names a line that is there, and the mark of the encoding is no find.
func FuzzHiddenCharacters(f *testing.F) {
	for _, text := range []string{"1\r2", "\u202E\u200B\u2028", "\uFEFF\uFEFF", utf16le("\u200Ea\r\n"), "\xFE\xFF\x20\x0E", "\xE2\x80"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e := authscript.Detect(data)
		for _, h := range authscript.HiddenCharacters(data, e) {
			if h.Count < 1 || h.Line < 1 || h.Line > 1+len(data) || h.Code == "" {
				t.Errorf("%+v", h)
			}
		}
		n := 0
		s := &authscript.Script{Encoding: e, Content: data}
		for edit := range s.Edits() {
			n++
			if bytes.Equal(edit.Script.Content, data) || edit.What == "" {
				t.Errorf("%q is no edit: %s", edit.Script.Content, edit.What)
			}
		}
		if n > 36 {
			t.Errorf("%d edits", n)
		}
	})
}

func BenchmarkHiddenCharacters(b *testing.B) {
	for name, line := range map[string]string{"LF": "Write-Output 'some text of a script'\n", "CRLF": "Write-Output 'some text of a script'\r\n"} {
		data := []byte(strings.Repeat(line, 10<<20/len(line)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				authscript.HiddenCharacters(data, authscript.ASCII)
			}
		})
	}
}
