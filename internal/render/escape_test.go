package render_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/runwrit/writ/internal/render"
)

func TestEscapeShowsWhatCouldDeceive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays", "deploy to web-01 (ok)", "deploy to web-01 (ok)"},
		{"letters of all scripts stay", "Grüße, 東京, שלום, e\u0301", "Grüße, 東京, שלום, e\u0301"},
		{"a windows path stays readable", `C:\runbooks\a.ps1`, `C:\runbooks\a.ps1`},
		{"an escape sequence is shown", "\x1b[2J\x1b]0;pwn\x07", `\x1b[2J\x1b]0;pwn\x07`},
		{"the one-byte CSI of C1 is shown", "\u009b31m", `\u009b31m`},
		{"a new line cannot fake a line of ours", "a\nvalid  b\r\tc", `a\nvalid  b\r\tc`},
		{"NUL and DEL are shown", "a\x00b\x7f", `a\x00b\x7f`},
		{"bidi controls are shown", "a\u202eb\u2066c\u200f", `a\u202eb\u2066c\u200f`},
		{"zero-width characters are shown", "a\u200bb\u200dc\ufeff\u2060", `a\u200bb\u200dc\ufeff\u2060`},
		{"other spaces are shown", "a\u00a0b\u3000c\u2028d", `a\u00a0b\u3000c\u2028d`},
		{"letters without a shape are shown", "a\u3164b\u115fc\u2800", `a\u3164b\u115fc\u2800`},
		{"variation selectors are shown", "a\ufe0fb\U000e0101", `a\ufe0fb\U000e0101`},
		{"tags are shown", "a\U000e0041", `a\U000e0041`},
		{"private use is shown", "\ue000", `\ue000`},
		{"invalid UTF-8 is shown byte by byte", "a\xff\xc3(\xed\xa0\x80", `a\xff\xc3(\xed\xa0\x80`},
		{"the replacement character is not passed off as text", "a\ufffdb", `a\ufffdb`},
		{"a mark at the start does not join what stands before", "\u0301a", `\u0301a`},
		{"a command of GitHub at the start is shown", " ::error::x", ` \x3a:error::x`},
		{"colons in the middle stay", "[IO.Path]::Combine", "[IO.Path]::Combine"},
		{"a command of GitHub anywhere is shown", "a ##[error]x ###[b", `a #\x23[error]x ##\x23[b`},
		{"a command of Azure anywhere is shown", "a ##vso[task.x]y ##VsO[z", `a #\x23vso[task.x]y #\x23VsO[z`},
		{"headings stay", "## a ##vs [b", "## a ##vs [b"},
		{"marks do not pile up", "a" + strings.Repeat("\u0301", 5), "a\u0301\u0301\u0301" + `\u0301` + `\u0301`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := render.Escape(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// deceptive finds the first character that must not reach a terminal.
func deceptive(s string) (rune, bool) {
	if !utf8.ValidString(s) {
		return utf8.RuneError, true
	}
	for _, r := range s {
		if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector) {
			return r, true
		}
	}
	return 0, false
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[31m", "\u202e", "\xff", "e\u0301", "\U000e0041", "\u0301", "a\\n", " ::error::x", "##vso[x", "##[y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := render.Escape(s)
		if r, bad := deceptive(e); bad {
			t.Errorf("Escape(%q) = %q lets %U through", s, e, r)
		}
		if again := render.Escape(e); again != e {
			t.Errorf("Escape(%q) = %q, and escaped again it is %q", s, e, again)
		}
		if (e == "") != (s == "") {
			t.Errorf("Escape(%q) = %q", s, e)
		}
	})
}
