package cleartext_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/cleartext"
)

const appendable = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- -x\n- needless\ntext\n" +
	"-----BEGIN PGP SIGNATURE-----\nVersion: GnuPG v2\nComment: x\n\naGVs\nbG8=\n-----END PGP SIGNATURE-----\n\n\n"

// TestAppendChangesNothingButTheBlockAndTheHashHeaders: the first packets, the
// text with its escapes, and what stands around them are as they were.
func TestAppendChangesNothingButTheBlockAndTheHashHeaders(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("Hash: SHA256\n", 15)
	for name, c := range map[string]struct {
		old, new string // of the document: what changes up to the signature block
		headers  string
	}{
		"a header gains a name":        {"", "", "Hash: SHA256, SHA512\n"},
		"a header that has the name":   {"Hash: SHA256\n", "Hash: SHA512,SHA256\n", "Hash: SHA512,SHA256\n"},
		"several headers":              {"Hash: SHA256\n", "Hash: SHA384\nHash: SHA256\n", "Hash: SHA384\nHash: SHA256, SHA512\n"},
		"no header":                    {"Hash: SHA256\n", "", "Hash: SHA256, SHA512\n"},
		"a header without room":        {"Hash: SHA256\n", "Hash: SHA256" + strings.Repeat(", SHA256", 62) + "\n", "Hash: SHA256" + strings.Repeat(", SHA256", 62) + "\nHash: SHA512\n"},
		"as many headers as there are": {"Hash: SHA256\n", full + "Hash: SHA256\n", full + "Hash: SHA256, SHA512\n"},
	} {
		for end, convert := range map[string]func(string) string{
			"LF":          func(s string) string { return s },
			"CRLF":        func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
			"no line end": func(s string) string { return strings.TrimRight(s, "\n") },
		} {
			data := convert(strings.Replace(appendable, c.old, c.new, 1))
			doc, err := cleartext.Parse([]byte(data))
			if err != nil {
				t.Fatalf("%s, %s: %v", name, end, err)
			}
			more, err := doc.Append([]byte(" world"), "SHA256", "SHA512")
			if err != nil {
				t.Fatalf("%s, %s: %v", name, end, err)
			}
			out := more.Render()
			again, err := cleartext.Parse(out)
			if err != nil || !bytes.Equal(again.Text(), doc.Text()) || string(again.Signature()) != "hello world" {
				t.Errorf("%s, %s: %v\n%s", name, end, err, out)
				continue
			}
			head, _, _ := strings.Cut(strings.ReplaceAll(string(out), "\r", ""), "aGVsbG8gd29ybGQ=\n=")
			want, _, _ := strings.Cut(strings.Replace(appendable, "Hash: SHA256\n", c.headers, 1), "aGVs\n")
			if head != want {
				t.Errorf("%s, %s:\n%q\nwant\n%q", name, end, head, want)
			}
			tail := func(s string) string { return s[strings.Index(s, cleartext.EndSignature):] }
			if tail(string(out)) != tail(data) {
				t.Errorf("%s, %s: ends in %q", name, end, tail(string(out)))
			}
			if string(doc.Render()) != data {
				t.Errorf("%s, %s: the document itself was changed", name, end)
			}
		}
	}
}

func TestAppendStopsAtTheLimits(t *testing.T) {
	t.Parallel()
	doc, err := cleartext.Parse([]byte(appendable))
	if err != nil {
		t.Fatal(err)
	}
	var syntax *cleartext.SyntaxError
	if _, err := doc.Append(make([]byte, cleartext.MaxSignature-4), "SHA512"); !errors.As(err, &syntax) || syntax.Code != cleartext.BadArmor {
		t.Errorf("a block that is too large: %v", err)
	}
	line := "Hash: SHA256" + strings.Repeat(", SHA256", 62) + "\n"
	doc, err = cleartext.Parse([]byte(strings.Replace(appendable, "Hash: SHA256\n", strings.Repeat(line, cleartext.MaxHeaders), 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Append([]byte("x"), "SHA512"); !errors.As(err, &syntax) || syntax.Code != cleartext.TooManyHeaders {
		t.Errorf("no room for a header: %v", err)
	}
	if more, err := doc.Append([]byte("x"), "SHA256"); err != nil || !slices.Equal(more.Hashes(), doc.Hashes()) {
		t.Errorf("no header is needed: %v", err)
	}
}
