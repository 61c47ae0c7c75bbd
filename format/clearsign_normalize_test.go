package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

func normalize(t testing.TB, name, text string) (*signer.Normalized, error) {
	t.Helper()
	rb, err := runbook.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return format.NewClearsign().Normalize(rb)
}

// changesOf writes changes down in one line each.
func changesOf(n *signer.Normalized) (list []string) {
	for _, c := range n.Changes {
		s := fmt.Sprintf("%d-%d %q %q", c.First, c.Last, c.Text, c.Cut)
		if c.NoEnd {
			s += " no end"
		}
		if c.Danger != "" {
			danger, _, _ := strings.Cut(c.Danger, ":")
			s += " ! " + danger
		}
		list = append(list, s)
	}
	return list
}

func TestNormaliseSaysWhatChangesAndWhereItMayMatter(t *testing.T) {
	t.Parallel()
	const (
		continued = " ! the line ends in an escape sign then, and goes on in the next line"
		ends      = " ! the line ends the here-document then, and did not before"
		here      = " ! inside a here-document"
		inside    = " ! inside a string of several lines"
	)
	for name, c := range map[string]struct {
		file, text, want string
		changes          []string
	}{
		"nothing to do":        {"a.sh", "echo a\n\n", "echo a\n\n", nil},
		"blanks and tabs":      {"a.sh", "a \t\nb\n", "a\nb\n", []string{`1-1 "a" " \t"`}},
		"CRLF throughout":      {"a.sh", "a\r\nb\r\nc\r\n", "a\nb\nc\n", []string{`1-3 "a" "\r"`}},
		"CRLF here and there":  {"a.sh", "a\r\nb\nc\r\n", "a\nb\nc\n", []string{`1-1 "a" "\r"`, `3-3 "c" "\r"`}},
		"several CRs":          {"a.sh", "a\r\r \r\n", "a\n", []string{`1-1 "a" "\r\r \r"`}},
		"no last newline":      {"a.sh", "a\nb", "a\nb\n", []string{`2-2 "b" "" no end`}},
		"blanks only":          {"a.sh", "  ", "\n", []string{`1-1 "" "  " no end`}},
		"a BOM stays":          {"a.ps1", "\ufeffa \n", "\ufeffa\n", []string{"1-1 \"\\ufeffa\" \" \""}},
		"a here-document ends": {"a.sh", "cat <<EOF\nEOF \nrm x\nEOF\n", "cat <<EOF\nEOF\nrm x\nEOF\n", []string{`2-2 "EOF" " "` + ends}},
		"in quotes, with tabs": {"a.sh", "cat <<-'END X'\n\tEND X\t\n", "cat <<-'END X'\n\tEND X\n", []string{`2-2 "\tEND X" "\t"` + ends}},
		"two here-documents":   {"a.sh", "cat <<A <<\"B\"\nx \nA\nB \n", "cat <<A <<\"B\"\nx\nA\nB\n", []string{`2-2 "x" " "` + here, `4-4 "B" " "` + ends}},
		"one in CRLF":          {"a.sh", "cat <<E\r\nx\r\nE\r\n", "cat <<E\nx\nE\n", []string{`1-1 "cat <<E" "\r"`, `2-2 "x" "\r"` + here, `3-3 "E" "\r"`}},
		"its end alone in CR":  {"a.sh", "cat <<E\nx\nE\r\nE\n", "cat <<E\nx\nE\nE\n", []string{`3-3 "E" "\r"` + ends}},
		"its beginning in CR":  {"a.sh", "cat <<E\r\nE\nE\r\n", "cat <<E\nE\nE\n", []string{`1-1 "cat <<E" "\r"`, `3-3 "E" "\r"`}},
		"a here-string":        {"a.sh", "cat <<<E \nE \n", "cat <<<E\nE\n", []string{`1-1 "cat <<<E" " "`, `2-2 "E" " "`}},
		"a shift":              {"a.sh", "x=$((1<<n)) \nn \n", "x=$((1<<n))\nn\n", []string{`1-1 "x=$((1<<n))" " "`, `2-2 "n" " "`}},
		"a continued line":     {"a.sh", "rm \\ \nx\n", "rm \\\nx\n", []string{`1-1 "rm \\" " "` + continued}},
		"continued by a CR":    {"a.sh", "rm \\\r\nx\n", "rm \\\nx\n", []string{`1-1 "rm \\" "\r"` + continued}},
		"an escaped backslash": {"a.sh", "rm \\\\ \n", "rm \\\\\n", []string{`1-1 "rm \\\\" " "`}},
		"Python":               {"a.py", "x = 1 \\ \n'''a \n''' \ny \\\r\n", "x = 1 \\\n'''a\n'''\ny \\\n", []string{`1-1 "x = 1 \\" " "` + continued, `2-2 "'''a" " "` + inside, `3-3 "'''" " "`, `4-4 "y \\" "\r"`}},
		"Python, both quotes":  {"a.py", "a = '''\"\"\"''' \nb = \"\"\" \nc \n", "a = '''\"\"\"'''\nb = \"\"\"\nc\n", []string{`1-1 "a = '''\"\"\"'''" " "`, `2-2 "b = \"\"\"" " "` + inside, `3-3 "c" " "` + inside}},
		"PowerShell":           {"a.ps1", "a ` \n@' \nb \n'@ \nc `\r\n", "a `\n@'\nb\n'@\nc `\n", []string{"1-1 \"a `\" \" \"" + continued, `2-2 "@'" " "`, `3-3 "b" " "` + inside, `4-4 "'@" " "`, "5-5 \"c `\" \"\\r\""}},
		"PowerShell in CRLF":   {"a.ps1", "a\r\nb\r\n@'\r\nc\r\n'@\r\n", "a\nb\n@'\nc\n'@\n", []string{`1-3 "a" "\r"`, `4-4 "c" "\r"` + inside, `5-5 "'@" "\r"`}},
		"a line too long":      {"a.sh", strings.Repeat("x", 19_000) + strings.Repeat(" ", 30_000) + "\n", strings.Repeat("x", 19_000) + "\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := normalize(t, c.file, c.text)
			if err != nil {
				t.Fatal(err)
			}
			if string(n.Text) != c.want {
				t.Errorf("text %.60q, want %.60q", n.Text, c.want)
			}
			if len(c.text) > 10_000 {
				return
			}
			if diff := cmp.Diff(c.changes, changesOf(n)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestNormaliseRefusesWhatItWouldHaveToGuess(t *testing.T) {
	t.Parallel()
	signed := "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\na\n"
	for name, c := range map[string]struct {
		file, text string
		line       int
	}{
		"a NUL":                  {"a.sh", "a \nb\x00 \n", 2},
		"a NUL at a line's end":  {"a.sh", "a\x00\n", 1},
		"a CR inside a line":     {"a.sh", "a\rb\n", 1},
		"CR alone as line end":   {"a.sh", "a\rb\rc\r", 1},
		"a form feed at the end": {"a.sh", "a \f\n", 1},
		"a vertical tab":         {"a.sh", "a\v \n", 1},
		"the end mark of DOS":    {"a.sh", "a\r\n\x1a", 2},
		"not UTF-8":              {"a.sh", "a \n\xe9 \n", 2},
		"a line that GnuPG cuts": {"a.sh", "a \n" + strings.Repeat("x", 19_001) + " \n", 2},
		"nothing":                {"a.sh", "", 0},
		"a signed document":      {"a.sh", signed, 1},
		"a name of one":          {"a.sh.asc", "a \n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var refused *signer.InputError
			n, err := normalize(t, c.file, c.text)
			if !errors.As(err, &refused) || refused.Line != c.line || n != nil {
				t.Errorf("%v, %v; want line %d", n, err, c.line)
			}
		})
	}
}

func TestAFloodOfChangesIsCountedNotListed(t *testing.T) {
	t.Parallel()
	n, err := normalize(t, "a.sh", "cat <<EOF\n"+strings.Repeat("x \n", 5000)+"EOF\n"+strings.Repeat("y \n", 200_000)+strings.Repeat("z\r\n", 200_000))
	if err != nil {
		t.Fatal(err)
	}
	if n.Lines != 405_000 || n.Dangers != 5000 || len(n.Changes) > 2000 {
		t.Errorf("%d lines, %d dangers, %d listed", n.Lines, n.Dangers, len(n.Changes))
	}
	dangers := 0
	for _, c := range n.Changes {
		if c.Danger != "" {
			dangers++
		}
	}
	if dangers != 1000 {
		t.Errorf("%d dangers listed", dangers)
	}
}

// FuzzNormalize: what comes out can be signed, says the same in all that can be
// seen, and is not changed again.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"a \r\nb", "cat <<EOF\nEOF \n", "x \\ \n'''\n", "@' \n'@ \n", "a\x00 \n", "\xff\n"} {
		for _, name := range []string{"a.sh", "a.py", "a.ps1"} {
			f.Add(name, s)
		}
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		rb, err := runbook.Parse(name, []byte(text))
		if err != nil {
			return
		}
		n, err := format.NewClearsign().Normalize(rb)
		if err != nil {
			return
		}
		if err := cleartext.CheckText(n.Text); err != nil {
			t.Fatalf("it cannot be signed: %v", err)
		}
		before, after := bytes.Split([]byte(text), []byte("\n")), bytes.Split(n.Text, []byte("\n"))
		if !strings.HasSuffix(text, "\n") {
			before = append(before, nil)
		}
		if len(before) != len(after) {
			t.Fatalf("%d lines became %d", len(before), len(after))
		}
		changed := 0
		for i := range before {
			cut, ok := bytes.CutPrefix(before[i], after[i])
			if !ok || len(bytes.Trim(cut, " \t\r")) > 0 {
				t.Fatalf("line %d: %q became %q", i+1, before[i], after[i])
			}
			if len(cut) > 0 || i == len(before)-2 && !strings.HasSuffix(text, "\n") {
				changed++
			}
		}
		if changed != n.Lines || (n.Lines == 0) != (string(n.Text) == text) {
			t.Fatalf("%d lines changed, said are %d", changed, n.Lines)
		}
		again, err := runbook.Parse(name, n.Text)
		if err != nil {
			return
		}
		if twice, err := format.NewClearsign().Normalize(again); err != nil || twice.Lines != 0 {
			t.Fatalf("changed again: %v, %v", twice, err)
		}
	})
}
