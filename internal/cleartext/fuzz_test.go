package cleartext_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/cleartext"
)

func addSeeds(f *testing.F) {
	f.Add([]byte(head + "echo a\n- -x\n" + block))
	f.Add([]byte(strings.ReplaceAll(head+"echo a\n- x\n\n"+block+"\n", "\n", "\r\n")))
	f.Add([]byte(strings.TrimSuffix(head+"\n"+block, "\n")))
	f.Add([]byte(head + "a \nb\r\n" + block))
	shared, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "vectors", "openpgp", "cases", "*.asc"))
	for _, name := range shared {
		if data, err := os.ReadFile(name); err == nil && len(data) < 8<<10 {
			f.Add(data)
		}
	}
}

// FuzzMalleability: what is accepted as canonical is given back byte for byte,
// so that no two files carry the same signed text unseen.
func FuzzMalleability(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := cleartext.Parse(data)
		if err != nil || !doc.Canonical() {
			return
		}
		if out := doc.Render(); !bytes.Equal(out, data) {
			t.Errorf("parsed %q\nrendered %q", data, out)
		}
		more, err := doc.Append([]byte("more"), "SHA512")
		if err != nil {
			return // there is no room
		}
		again, err := cleartext.Parse(more.Render())
		if len(more.Render()) <= cleartext.MaxSize && (err != nil || !again.Canonical() || !bytes.Equal(again.Text(), doc.Text()) ||
			!bytes.Equal(again.Signature(), append(bytes.Clone(doc.Signature()), "more"...))) {
			t.Errorf("appended to %q: %v", data, err)
		}
	})
}

// FuzzParse: the text holds nothing that the grammar forbids, and can be signed
// and read again.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := cleartext.Parse(data)
		if err != nil {
			if doc != nil {
				t.Fatal("a document beside the error")
			}
			return
		}
		text := doc.Text()
		if !bytes.HasPrefix(data, []byte(cleartext.BeginMessage)) || !bytes.HasSuffix(text, []byte("\n")) ||
			bytes.ContainsAny(text, "\r\x00\x0c\x1b\x7f") || bytes.Contains(text, []byte(" \n")) || bytes.Contains(text, []byte("\t\n")) {
			t.Fatalf("text %q", text)
		}
		again, err := cleartext.New(text, "SHA512", doc.Signature())
		if err != nil {
			return // such as text that is not UTF-8
		}
		parsed, err := cleartext.Parse(again.Render())
		if err != nil || !bytes.Equal(parsed.Text(), text) {
			t.Fatalf("error %v, text %q of %q", err, parsed.Text(), text)
		}
	})
}

// FuzzDearmor: no input makes it panic or hang.
func FuzzDearmor(f *testing.F) {
	f.Add([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n=Je8i\n-----END PGP PUBLIC KEY BLOCK-----\n"))
	f.Add([]byte("x\n-----BEGIN PGP X-----\nA: b\n\n-----END PGP X-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks, err := cleartext.Dearmor(data)
		if err != nil && blocks != nil {
			t.Fatal("blocks beside the error")
		}
	})
}
