package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// appended adds a signature to a document at clearsignTime.
func appended(t testing.TB, name string, doc []byte, key *signer.Key) ([]byte, error) {
	t.Helper()
	rb, err := runbook.Parse(name, doc)
	if err != nil {
		t.Fatal(err)
	}
	f := format.NewClearsign()
	f.Now = func() time.Time { return clearsignTime }
	return f.Append(t.Context(), rb, key)
}

func mustAppend(t testing.TB, name string, doc []byte, key *signer.Key) []byte {
	t.Helper()
	out, err := appended(t, name, doc, key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// team makes people with a key each.
func team(t testing.TB, n int) (entities []*openpgp.Entity, keys []*signer.Key) {
	t.Helper()
	for i := range n {
		e, k := clearsignKey(t, newkeys.OpenPGPOptions{Name: fmt.Sprintf("Signer %d", i)})
		entities, keys = append(entities, e), append(keys, k)
	}
	return entities, keys
}

func TestAppendedSignaturesAreAllValidAndEachIsNamed(t *testing.T) {
	t.Parallel()
	entities, keys := team(t, 3)
	text := "#!/bin/bash\n-x\n"
	doc := clearsigned(t, "deploy.sh", text, keys[0])
	for _, key := range keys[1:] {
		before := doc
		doc = mustAppend(t, "deploy.sh.asc", doc, key)
		block := []byte("-----BEGIN PGP SIGNATURE-----\n\n")
		// Whole lines of base64 of the packets that were there stay as they are.
		end := bytes.Index(before, block) + len(block) + 2*65
		if !bytes.Equal(doc[:end], before[:end]) {
			t.Error("the first packets, or the text, changed")
		}
	}
	v := clearsignVerifier(t, clearsignTrust(t, entities...), clearsignTime)
	report, payload := clearsignVerdict(t, v, "deploy.sh.asc", doc)
	if report.Verdict != verifier.Valid || string(payload) != text || len(report.Signatures) != 3 || len(report.Findings) != 0 {
		t.Fatalf("%s, %d signatures, %+v", report.Verdict, len(report.Signatures), report.Findings)
	}
	for i, s := range report.Signatures {
		id := fmt.Sprintf("openpgp:%X", entities[i].PrimaryKey.Fingerprint)
		if s.Verdict != verifier.Valid || len(s.Signer.IDs) != 1 || s.Signer.IDs[0] != id || s.Claims == nil || s.Claims.Name != "deploy.sh" || s.Claims.Kind != "bash" {
			t.Errorf("signature %d: %s by %v, %+v", i+1, s.Verdict, s.Signer.IDs, s.Claims)
		}
	}
	// One of them is not known: reported, and no harm.
	report, _ = clearsignVerdict(t, clearsignVerifier(t, clearsignTrust(t, entities[0], entities[2]), clearsignTime), "deploy.sh.asc", doc)
	if report.Verdict != verifier.Valid || report.Signatures[1].Verdict != verifier.Untrusted {
		t.Errorf("%s, %+v", report.Verdict, report.Signatures[1])
	}
}

// TestABadSignatureByATrustedKeyBesideAppendedOnesRefusesTheFile: the signature
// of another text is put beside two good ones.
func TestABadSignatureByATrustedKeyBesideAppendedOnesRefusesTheFile(t *testing.T) {
	t.Parallel()
	entities, keys := team(t, 3)
	v := clearsignVerifier(t, clearsignTrust(t, entities...), clearsignTime)
	doc := mustAppend(t, "a.sh.asc", clearsigned(t, "a.sh", "echo a\n", keys[0]), keys[1])
	other := signedBy(t, "echo b\n", entities[2].Subkeys[0].PrivateKey, nil)
	bad := documentOf(t, "echo a\n", packetsOf(t, doc), other)
	if report, _ := clearsignVerdict(t, v, "a.sh.asc", bad); report.Verdict != verifier.Tampered {
		t.Errorf("%s, want tampered", report.Verdict)
	}
	if report, _ := clearsignVerdict(t, v, "a.sh.asc", documentOf(t, "echo a\n", packetsOf(t, doc))); report.Verdict != verifier.Valid {
		t.Errorf("without it: %s", report.Verdict)
	}
}

func TestWhatCannotBeSignedGetsNoSecondSignature(t *testing.T) {
	t.Parallel()
	_, keys := team(t, 1)
	good := clearsigned(t, "a.sh", "echo a\n", keys[0])
	full := good
	for range 7 {
		full = mustAppend(t, "a.sh.asc", full, keys[0])
	}
	long := documentOf(t, "echo a\n", packetsOf(t, good))
	for name, doc := range map[string][]byte{
		"a ninth signature":        full,
		"trailing blanks":          bytes.Replace(good, []byte("echo a\n"), []byte("echo a \n"), 1),
		"text before":              append([]byte("x\n"), good...),
		"text behind":              append(bytes.Clone(good), "x\n"...),
		"no document":              []byte("echo a\n"),
		"nothing":                  {},
		"no signature":             documentOf(t, "echo a\n"),
		"a foreign packet":         documentOf(t, "echo a\n", literal),
		"text that is not UTF-8":   bytes.Replace(long, []byte("echo a\n"), []byte("echo \xe9\n"), 1),
		"a line that GnuPG cuts":   bytes.Replace(long, []byte("echo a\n"), []byte(strings.Repeat("x", 20_000)+"\n"), 1),
		"a signature of no packet": documentOf(t, "echo a\n", []byte("junk")),
	} {
		var input *signer.InputError
		if out, err := appended(t, "a.sh.asc", doc, keys[0]); !errors.As(err, &input) || out != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := format.NewClearsign()
	rb, err := runbook.Parse("a.sh.asc", full)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.Signatures(rb); n != 8 || err != nil {
		t.Errorf("%d signatures, %v", n, err)
	}
}

// TestGnuPGVerifiesDocumentsWithAppendedSignatures: of ours, and of GnuPG's own,
// whose signatures use another hash function than ours.
func TestGnuPGVerifiesDocumentsWithAppendedSignatures(t *testing.T) {
	t.Parallel()
	gpgv := testenv.Tool(t, "gpgv")
	g := newGnuPG(t)
	rsaEntity, rsaKey := clearsignKey(t, newkeys.OpenPGPOptions{Algorithm: "rsa3072", Name: "RSA"})
	entities, keys := team(t, 2)
	entities, keys = append(entities, rsaEntity), append(keys, rsaKey)
	var ring bytes.Buffer
	for _, e := range entities {
		secret, err := newkeys.ArmoredSecret(e, nil)
		if err != nil {
			t.Fatal(err)
		}
		g.mustRun(secret, "--import")
		if err := e.Serialize(&ring); err != nil {
			t.Fatal(err)
		}
	}
	user := func(i int) string { return fmt.Sprintf("%X", entities[i].PrimaryKey.Fingerprint) }
	text := "#!/bin/bash\n-x\nFrom here\necho a\n"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ring.gpg"), ring.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	gnupgs := g.mustRun([]byte(text), "--digest-algo", "SHA256", "-u", user(0), "--clear-sign")
	two := g.mustRun([]byte(text), "--digest-algo", "SHA384", "-u", user(0), "-u", user(1), "--comment", "made by hand", "--clear-sign")
	for name, c := range map[string]struct {
		doc  []byte
		want int
	}{
		"ours":                        {mustAppend(t, "a.sh.asc", clearsigned(t, "a.sh", text, keys[0]), rsaKey), 2},
		"ours, by three":              {mustAppend(t, "a.sh.asc", mustAppend(t, "a.sh.asc", clearsigned(t, "a.sh", text, rsaKey), keys[0]), keys[1]), 3},
		"GnuPG's":                     {mustAppend(t, "a.sh.asc", gnupgs, keys[1]), 2},
		"GnuPG's, and an RSA key":     {mustAppend(t, "a.sh.asc", gnupgs, rsaKey), 2},
		"GnuPG's own two":             {mustAppend(t, "a.sh.asc", two, rsaKey), 3},
		"GnuPG's with CRLF line ends": {mustAppend(t, "a.sh.asc", bytes.ReplaceAll(gnupgs, []byte("\n"), []byte("\r\n")), keys[1]), 2},
	} {
		t.Run(name, func(t *testing.T) {
			out, said, err := g.run(c.doc, "--decrypt")
			if n := strings.Count(said, "] VALIDSIG "); err != nil || n != c.want || strings.ReplaceAll(string(out), "\r\n", "\n") != text {
				t.Errorf("%v, %d good signatures, text %q\n%s\n%s", err, n, out, said, c.doc)
			}
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "")+".asc")
			if err := os.WriteFile(file, c.doc, 0o600); err != nil {
				t.Fatal(err)
			}
			if said, err := exec.CommandContext(t.Context(), gpgv, "--homedir", dir, "--keyring", filepath.Join(dir, "ring.gpg"), file).CombinedOutput(); err != nil {
				t.Errorf("gpgv: %v\n%s", err, said)
			}
			v := clearsignVerifier(t, clearsignTrust(t, entities...), time.Now().Add(time.Minute)) // GnuPG signs now
			report, payload := clearsignVerdict(t, v, "a.sh.asc", c.doc)
			if report.Verdict != verifier.Valid || len(report.Signatures) != c.want || string(payload) != text {
				t.Errorf("%s, %d signatures", report.Verdict, len(report.Signatures))
			}
		})
	}
}

// packetsOf returns the signature packets of a document.
func packetsOf(t testing.TB, data []byte) []byte {
	t.Helper()
	doc, err := cleartext.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Signature()
}
