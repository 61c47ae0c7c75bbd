package authscript_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/authscript"
)

func TestEditsContainTheTextBeforeOnlyBlanksOrTheMarkChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ was, is, what string }{
		"a blank line added":        {"1\r\n", "1\r\n\r\n", "one line end (CRLF)"},
		"blanks added":              {"1", "1 \t \r\n\n", "nothing behind"},
		"the last line end removed": {"1\n2\n", "1\n2", "one line end (LF)"},
		"a mark added":              {"1\r\n", "\uFEFF1\r\n", "without the byte-order mark"},
		"a mark removed":            {"\uFEFFgrün\r\n", "grün\r\n", "with a byte-order mark"},
		"a mark, and a blank line":  {"\uFEFFgrün\r\n", "grün\r\n\r\n", "byte-order mark (EF BB BF), with one line end"},
		"LF, and a blank line":      {"1\r\n2\r\n", "1\n2\n\n", "with CRLF line ends, with one line end (CRLF)"},
		"in UTF-16":                 {utf16le("ab\r\n"), utf16le("ab"), "one line end (CRLF)"},
		"nothing but blanks":        {"", " \r\n", "nothing behind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := []byte(c.is)
			found, n := false, 0
			for e := range (&authscript.Script{Encoding: authscript.Detect(content), Content: content, Block: der}).Edits() {
				n++
				if string(e.Script.Content) == c.is || authscript.Detect(e.Script.Content) != e.Script.Encoding {
					t.Errorf("%q is no edit, or in another encoding than %v", e.Script.Content, e.Script.Encoding)
				}
				if string(e.Script.Content) == c.was && strings.Contains(e.What, c.what) {
					found = true
				}
			}
			if !found || n > 36 {
				t.Errorf("not among the %d edits", n)
			}
			if string(content) != c.is {
				t.Error("the content was changed")
			}
		})
	}
}

func TestALargeTextHasNoEdits(t *testing.T) {
	t.Parallel()
	for range (&authscript.Script{Encoding: authscript.ASCII, Content: make([]byte, 1<<20+1)}).Edits() {
		t.Fatal("each edit costs a digest of a large text")
	}
}
