package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// besideVerifier knows all formats, as the program does.
func besideVerifier(t testing.TB, trust *verifier.TrustStore, now time.Time) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign(), format.NewDetached()},
		Now:     func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func ringTrust(t testing.TB, ring []byte) *verifier.TrustStore {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "ring.pgp", Data: ring})
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

func besideVerdict(t testing.TB, v *verifier.Verifier, name string, data []byte, sidecars ...runbook.Sidecar) (*verifier.Report, []byte) {
	t.Helper()
	rb, err := runbook.ParseWithSidecars(name, data, sidecars...)
	if err != nil {
		t.Fatal(err)
	}
	good, err := v.Verify(t.Context(), rb)
	var bad *verifier.UnverifiedError
	switch {
	case err == nil:
		return good.Report(), good.Payload()
	case errors.As(err, &bad):
		return bad.Report, nil
	}
	t.Fatal(err)
	return nil, nil
}

// over is a signature packet over the exact bytes.
func (f *forger) over(kind byte, data []byte) []byte {
	return forgedPacket(2, f.sign(forged{kind: kind, hashed: [][]byte{at(2, f.created), f.issuer()}}, data)...)
}

// detachedScript is a text that nobody could clear-sign: its bytes are signed as they are.
var detachedScript = []byte("#!/bin/bash\necho 'trailing blanks stay'  \r\n- dash\nno newline at the end")

func TestDetachedAttacksOnTheSidecar(t *testing.T) {
	t.Parallel()
	alice, mallory := newForger(clearsignTime.Add(-time.Hour)), newForger(clearsignTime.Add(-time.Hour))
	v := besideVerifier(t, ringTrust(t, alice.certificate()), clearsignTime)
	good := alice.over(0x00, detachedScript)
	armored := testenv.Armored(t, "PGP SIGNATURE", good)
	unknown := mallory.over(0x00, detachedScript)
	bad := slices.Clone(good)
	bad[len(bad)-3] ^= 1
	textual := bytes.ReplaceAll(bytes.ReplaceAll(detachedScript, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	document := documentOf(t, "echo signed\n", alice.text("echo signed\n", forged{kind: 1, hashed: [][]byte{at(2, alice.created), alice.issuer()}}))
	sig := func(data []byte) []runbook.Sidecar { return []runbook.Sidecar{{Name: "deploy.sh.sig", Data: data}} }
	for name, c := range map[string]struct {
		sidecars []runbook.Sidecar
		verdict  verifier.Verdict
		finding  string
	}{
		"a binary signature":                         {sig(good), verifier.Valid, ""},
		"an armored one":                             {sig(armored), verifier.Valid, ""},
		"an armored one with CRLF":                   {sig(bytes.ReplaceAll(armored, []byte("\n"), []byte("\r\n"))), verifier.Valid, ""},
		"an armored one in NAME.asc":                 {[]runbook.Sidecar{{Name: "deploy.sh.asc", Data: armored}}, verifier.Valid, ""},
		"two signers in one file":                    {sig(slices.Concat(good, unknown)), verifier.Valid, ""},
		"two files, both good":                       {append(sig(good), runbook.Sidecar{Name: "deploy.sh.asc", Data: armored}), verifier.Valid, ""},
		"a good file and one by an unknown key":      {append(sig(good), runbook.Sidecar{Name: "deploy.sh.asc", Data: unknown}), verifier.Valid, ""},
		"a good file and an empty one":               {append(sig(good), runbook.Sidecar{Name: "deploy.sh.asc"}), verifier.Malformed, "empty-file"},
		"a good file and a bad one":                  {append(sig(good), runbook.Sidecar{Name: "deploy.sh.asc", Data: bad}), verifier.BadSignature, ""},
		"a good file and one that could not be read": {append(sig(good), runbook.Sidecar{Name: "deploy.sh.asc", Refused: "it is not a regular file"}), verifier.Malformed, "sidecar-refused"},
		"a signature of another file":                {sig(alice.over(0x00, []byte("echo other\n"))), verifier.Tampered, ""},
		"a signature whose value is wrong":           {sig(bad), verifier.BadSignature, ""},
		"a good signature and a bad one":             {sig(slices.Concat(good, bad)), verifier.BadSignature, ""},
		"a signature by an unknown key":              {sig(unknown), verifier.Untrusted, ""},
		"a signature over text":                      {sig(alice.over(0x01, textual)), verifier.WrongPurpose, ""},
		"a signature over text, given as over bytes": {sig(alice.over(0x01, detachedScript)), verifier.WrongPurpose, ""},
		"a standalone signature":                     {sig(alice.over(0x02, nil)), verifier.WrongPurpose, ""},
		"a timestamp signature":                      {sig(alice.over(0x40, detachedScript)), verifier.WrongPurpose, ""},
		"SHA-1":                                      {sig(forgedPacket(2, alice.sign(forged{hash: 2, hashed: [][]byte{at(2, alice.created), alice.issuer()}}, detachedScript)...)), verifier.Weak, ""},
		"no creation time":                           {sig(forgedPacket(2, alice.sign(forged{hashed: [][]byte{alice.issuer()}}, detachedScript)...)), verifier.Malformed, ""},
		"an empty file":                              {sig(nil), verifier.Malformed, "empty-file"},
		"a file of blanks":                           {sig([]byte("\n\n")), verifier.Malformed, "bad-armor"},
		"text":                                       {sig([]byte("signed by me\n")), verifier.Malformed, "bad-armor"},
		"an armored block without packets":           {sig(testenv.Armored(t, "PGP SIGNATURE", nil)), verifier.Malformed, ""},
		"a certificate":                              {sig(alice.certificate()), verifier.Malformed, "foreign-packet"},
		"an armored certificate":                     {sig(testenv.Armored(t, "PGP PUBLIC KEY BLOCK", alice.certificate())), verifier.Malformed, "bad-armor"},
		"a signed message":                           {sig(testenv.Armored(t, "PGP MESSAGE", good)), verifier.Malformed, "bad-armor"},
		"a signature and a literal":                  {sig(slices.Concat(good, forgedPacket(11, 'b', 0, 0, 0, 0, 0, 'x'))), verifier.Malformed, "foreign-packet"},
		"a literal and a signature":                  {sig(slices.Concat(forgedPacket(11, 'b', 0, 0, 0, 0, 0, 'x'), good)), verifier.Malformed, "foreign-packet"},
		"a marker packet before it":                  {sig(slices.Concat(forgedPacket(10, 'P', 'G', 'P'), good)), verifier.Malformed, "foreign-packet"},
		"bytes behind it":                            {sig(append(slices.Clone(good), 'x')), verifier.Malformed, "bad-packet"},
		"a NUL behind it":                            {sig(append(slices.Clone(good), 0)), verifier.Malformed, "bad-packet"},
		"a signature that is cut off":                {sig(good[:len(good)-1]), verifier.Malformed, "bad-packet"},
		"text before the armor":                      {sig(append([]byte("Hello\n"), armored...)), verifier.Malformed, "bad-armor"},
		"an empty line before the armor":             {sig(append([]byte("\n"), armored...)), verifier.Malformed, "bad-armor"},
		"a byte order mark before the armor":         {sig(append([]byte("\xef\xbb\xbf"), armored...)), verifier.Malformed, "foreign-packet"},
		"text behind the armor":                      {sig(append(slices.Clone(armored), "rm\n"...)), verifier.Malformed, "text-after"},
		"a second block":                             {sig(slices.Concat(armored, armored)), verifier.Malformed, "second-signature-block"},
		"a clear-signed document behind it":          {sig(slices.Concat(armored, document)), verifier.Malformed, "second-message"},
		"a wrong checksum":                           {sig(breakCRC(t, armored)), verifier.Malformed, "bad-crc"},
		"nine signatures":                            {sig(bytes.Repeat(good, 9)), verifier.Malformed, "too-many-signatures"},
		"nine signatures in two files":               {append(sig(bytes.Repeat(good, 5)), runbook.Sidecar{Name: "deploy.sh.asc", Data: bytes.Repeat(good, 4)}), verifier.Malformed, "too-many-signatures"},
		"a large file":                               {sig(bytes.Repeat(forgedPacket(63, make([]byte, 1000)...), 1000)), verifier.Malformed, "too-large"},
		"a file larger than is read":                 {sig(make([]byte, runbook.MaxSidecar+1)), verifier.Malformed, "sidecar-refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, payload := besideVerdict(t, v, "deploy.sh", detachedScript, c.sidecars...)
			if report.Verdict != c.verdict || c.finding != "" && !hasFinding(report, c.finding) {
				t.Errorf("is %s, want %s and %q: %+v", report.Verdict, c.verdict, c.finding, report)
			}
			if report.Format != "detached" {
				t.Errorf("format %q", report.Format)
			}
			if valid := report.Verdict == verifier.Valid; valid && !bytes.Equal(payload, detachedScript) || !valid && payload != nil {
				t.Errorf("payload %q", payload)
			}
		})
	}
}

func breakCRC(t testing.TB, armored []byte) []byte {
	t.Helper()
	i := bytes.LastIndex(armored, []byte("\n="))
	if i < 0 {
		t.Fatal("the armor has no checksum")
	}
	out := slices.Clone(armored)
	if out[i+2] == 'A' {
		out[i+2] = 'B'
	} else {
		out[i+2] = 'A'
	}
	return out
}

// A type 0x00 signature over what a document covers does not count in it, and
// the 0x01 signature of a document does not count beside its text.
func TestDetachedAndClearSignedSignaturesAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	alice := newForger(clearsignTime.Add(-time.Hour))
	v := besideVerifier(t, ringTrust(t, alice.certificate()), clearsignTime)
	text := "echo one line"
	by := [][]byte{at(2, alice.created), alice.issuer()}
	ofText := alice.text(text+"\n", forged{kind: 1, hashed: by})
	if report, _ := besideVerdict(t, v, "a.sh.asc", documentOf(t, text+"\n", ofText)); report.Verdict != verifier.Valid {
		t.Fatalf("the document is %s", report.Verdict)
	}
	report, _ := besideVerdict(t, v, "a.sh", []byte(text), runbook.Sidecar{Name: "a.sh.sig", Data: ofText})
	if report.Verdict != verifier.WrongPurpose {
		t.Errorf("the signature of a document, beside its text: %s", report.Verdict)
	}
	report, _ = besideVerdict(t, v, "a.sh.asc", documentOf(t, text+"\n", alice.over(0x00, []byte(text))))
	if report.Verdict != verifier.WrongPurpose {
		t.Errorf("a detached signature, in a document: %s", report.Verdict)
	}
}

// TestASidecarNeverOutranksWhatIsInside: whatever lies beside it, a file that
// carries something like a signature is judged by that alone.
func TestASidecarNeverOutranksWhatIsInside(t *testing.T) {
	t.Parallel()
	alice, mallory := newForger(clearsignTime.Add(-time.Hour)), newForger(clearsignTime.Add(-time.Hour))
	v := besideVerifier(t, ringTrust(t, alice.certificate()), clearsignTime)
	document := func(by *forger, covered, shown string) []byte {
		return documentOf(t, shown, by.text(covered, forged{kind: 1, hashed: [][]byte{at(2, by.created), by.issuer()}}))
	}
	block := "\r\n# SIG # Begin signature block\r\n# MIIB\r\n# SIG # End signature block\r\n"
	for name, c := range map[string]struct {
		file    string
		data    []byte
		verdict verifier.Verdict
		format  string
	}{
		"a valid document":                 {"a.sh", document(alice, "echo a\n", "echo a\n"), verifier.Valid, "clearsign"},
		"a document that was changed":      {"a.sh", document(alice, "echo a\n", "echo b\n"), verifier.Tampered, "clearsign"},
		"a document by an unknown key":     {"a.sh", document(mallory, "echo a\n", "echo a\n"), verifier.Untrusted, "clearsign"},
		"a document with text before it":   {"a.sh", append([]byte("echo evil\n"), document(alice, "echo a\n", "echo a\n")...), verifier.Malformed, "clearsign"},
		"a broken Authenticode block":      {"a.ps1", []byte("echo a" + block), verifier.Malformed, "authenticode"},
		"an OpenPGP message, not signed":   {"a.sh", testenv.Armored(t, "PGP MESSAGE", forgedPacket(11, 'b', 0, 0, 0, 0, 0, 'x')), verifier.Unsigned, "clearsign"},
		"a binary OpenPGP message":         {"a.sh", forgedPacket(11, 'b', 0, 0, 0, 0, 0, 'x'), verifier.Unsigned, "clearsign"},
		"the source of a Windows script":   {"a.ps1", []byte("echo a\r\n"), verifier.Valid, "detached"},
		"a file of a type without runbook": {"notes.txt", []byte("hello\n"), verifier.Valid, "detached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := besideVerdict(t, v, c.file, c.data, runbook.Sidecar{Name: c.file + ".sig", Data: alice.over(0x00, c.data)})
			if report.Verdict != c.verdict || report.Format != c.format {
				t.Errorf("is %s of format %s, want %s of %s: %+v", report.Verdict, report.Format, c.verdict, c.format, report)
			}
			if inside := c.format != "detached"; inside != hasFinding(report, "sidecar-not-used") {
				t.Errorf("findings: %+v", report.Findings)
			}
			if windows := c.format == "detached" && c.file == "a.ps1"; windows != hasFinding(report, "not-for-windows") {
				t.Errorf("findings: %+v", report.Findings)
			}
			// And a sidecar that is worth nothing takes nothing away from a good file.
			report, _ = besideVerdict(t, v, c.file, c.data, runbook.Sidecar{Name: c.file + ".sig", Data: []byte("junk")})
			if want := c.verdict; c.format != "detached" && report.Verdict != want {
				t.Errorf("beside junk it is %s, want %s", report.Verdict, want)
			}
		})
	}
}

func TestDetachedHiddenCharactersAreSaid(t *testing.T) {
	t.Parallel()
	alice := newForger(clearsignTime.Add(-time.Hour))
	v := besideVerifier(t, ringTrust(t, alice.certificate()), clearsignTime)
	text := []byte("# \u202e evil\necho a\n# caf\xe9\n")
	report, _ := besideVerdict(t, v, "a.sh", text, runbook.Sidecar{Name: "a.sh.sig", Data: alice.over(0x00, text)})
	if report.Verdict != verifier.Valid || !hasFinding(report, "bidi-control") || !hasFinding(report, "not-utf8") {
		t.Errorf("%s: %+v", report.Verdict, report.Findings)
	}
}

// TestDetachedSignersAreJudgedAsAllOthers: pins, deny lists and claims hold
// whatever the container is.
func TestDetachedSignersAreJudgedAsAllOthers(t *testing.T) {
	t.Parallel()
	alice := newForger(clearsignTime.Add(-time.Hour))
	text := []byte("echo a\n")
	claims := forgedPacket(2, alice.sign(forged{hashed: [][]byte{
		at(2, alice.created), alice.issuer(), claim("runbook-name", "b.sh"), claim("runbook-version", "1.4"),
	}}, text)...)
	id := fmt.Sprintf("openpgp:%X", alice.fingerprint())
	for name, c := range map[string]struct {
		room, entry string
		verdict     verifier.Verdict
	}{
		"no list":                 {"deny", "sha256:" + sha256Hex(nil), verifier.Valid},
		"a denied file":           {"deny", "sha256:" + sha256Hex(text), verifier.Revoked},
		"a denied key":            {"deny", id, verifier.Revoked},
		"a pin that fits":         {"openpgp-pins", id + " kinds=bash", verifier.Valid},
		"a pin for another kind":  {"openpgp-pins", id + " kinds=python", verifier.Untrusted},
		"a pin of somebody else":  {"openpgp-pins", "openpgp:" + strings.Repeat("AB", 20), verifier.Untrusted},
		"a pin for another place": {"openpgp-pins", id + ` paths="/srv/**"`, verifier.Untrusted},
	} {
		trust, err := verifier.NewTrust(
			verifier.TrustFile{Store: "s", Room: verifier.RoomOpenPGP, Name: "ring", Data: alice.certificate()},
			verifier.TrustFile{Store: "s", Room: verifier.Room(c.room), Name: "list", Data: []byte(c.entry + "\n")},
		)
		if err != nil {
			t.Fatal(err)
		}
		report, _ := besideVerdict(t, besideVerifier(t, trust, clearsignTime), "a.sh", text, runbook.Sidecar{Name: "a.sh.sig", Data: claims})
		if report.Verdict != c.verdict {
			t.Errorf("%s: %s, want %s: %+v", name, report.Verdict, c.verdict, report)
		}
		if s := report.Signatures[0]; s.Claims == nil || s.Claims.Version != "1.4" {
			t.Errorf("%s: claims %+v", name, s.Claims)
		}
		if said := hasFinding(report, verifier.CodeContradicts); said != (report.Signatures[0].Verdict == verifier.Valid) {
			t.Errorf("%s: findings %+v", name, report.Findings)
		}
	}
}

func TestDetachedNoFlippedBitStaysValid(t *testing.T) {
	t.Parallel()
	alice := newForger(clearsignTime.Add(-time.Hour))
	v := besideVerifier(t, ringTrust(t, alice.certificate()), clearsignTime)
	text := []byte("echo a\n")
	good := alice.over(0x00, text)
	files := map[string][]byte{"a.sh.sig": good, "a.sh.asc": testenv.Armored(t, "PGP SIGNATURE", good)}
	for name, sidecar := range files {
		for i := range len(sidecar) * 8 {
			changed := slices.Clone(sidecar)
			changed[i/8] ^= 1 << (i % 8)
			report, payload := besideVerdict(t, v, "a.sh", text, runbook.Sidecar{Name: name, Data: changed})
			if report.Verdict == verifier.Valid && !bytes.Equal(payload, text) {
				t.Fatalf("%s, bit %d: valid with the payload %q", name, i, payload)
			}
			// The unhashed part of a packet and the comment of its armor are nobody's.
			if report.Verdict == verifier.Valid && name == "a.sh.sig" {
				t.Errorf("%s, bit %d: still valid", name, i)
			}
		}
	}
	for i := range len(text) * 8 {
		changed := slices.Clone(text)
		changed[i/8] ^= 1 << (i % 8)
		if report, _ := besideVerdict(t, v, "a.sh", changed, runbook.Sidecar{Name: "a.sh.sig", Data: good}); report.Verdict == verifier.Valid {
			t.Errorf("bit %d of the runbook: still valid", i)
		}
	}
}

// gnuPGThatSigns returns a GnuPG with a key, and a verifier that trusts it.
func gnuPGThatSigns(t *testing.T) (*gnupg, *verifier.Verifier) {
	t.Helper()
	g := newGnuPG(t)
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{Algorithm: "ed25519"})
	secret, err := newkeys.ArmoredSecret(entity, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.mustRun(secret, "--import")
	return g, besideVerifier(t, clearsignTrust(t, entity), time.Now().Add(time.Minute))
}

// TestDetachedWeVerifyWhatGnuPGSigns reads from the disk what GnuPG put there.
func TestDetachedWeVerifyWhatGnuPGSigns(t *testing.T) {
	t.Parallel()
	g, v := gnuPGThatSigns(t)
	for name, c := range map[string]struct {
		args    []string
		output  string
		verdict verifier.Verdict
	}{
		"--detach-sign":                  {[]string{"--detach-sign"}, ".sig", verifier.Valid},
		"--detach-sign --armor":          {[]string{"--armor", "--detach-sign"}, ".asc", verifier.Valid},
		"--detach-sign --armor, as .sig": {[]string{"--armor", "--detach-sign"}, ".sig", verifier.Valid},
		"--detach-sign --textmode":       {[]string{"--textmode", "--detach-sign"}, ".sig", verifier.WrongPurpose},
		"--detach-sign, SHA-1":           {[]string{"--digest-algo", "SHA1", "--detach-sign"}, ".sig", verifier.Weak},
		"--detach-sign with a claim":     {[]string{"--set-notation", "runbook-version" + claimedUnder + "=1.4", "--detach-sign"}, ".sig", verifier.Valid},
		"--sign":                         {[]string{"--sign"}, ".sig", verifier.Malformed},
		"--clear-sign, as .asc":          {[]string{"--clear-sign"}, ".asc", verifier.Unsigned}, // a file of its own
		"--clear-sign, as .sig":          {[]string{"--clear-sign"}, ".sig", verifier.Malformed},
	} {
		path := filepath.Join(t.TempDir(), "deploy.sh")
		if err := os.WriteFile(path, detachedScript, 0o600); err != nil {
			t.Fatal(err)
		}
		g.mustRun(nil, append(append([]string{"--output", path + c.output}, c.args...), path)...)
		rb, err := runbook.ReadFileWithSidecars(path, false)
		if err != nil {
			t.Fatal(err)
		}
		report, err := v.Inspect(t.Context(), rb)
		if err != nil || report.Verdict != c.verdict {
			t.Errorf("%s: %s, want %s: %+v", name, report.Verdict, c.verdict, report)
		}
		if c.verdict == verifier.Valid && report.Signatures[0].Sidecar != "deploy.sh"+c.output {
			t.Errorf("%s: the signature is said to be in %q", name, report.Signatures[0].Sidecar)
		}
		if c := report.Signatures; strings.HasSuffix(name, "a claim") && (c[0].Claims == nil || c[0].Claims.Version != "1.4") {
			t.Errorf("%s: claims %+v", name, c[0].Claims)
		}
	}
}

func FuzzDetached(f *testing.F) {
	alice := newForger(clearsignTime.Add(-time.Hour))
	v := besideVerifier(f, ringTrust(f, alice.certificate()), clearsignTime)
	text := []byte("echo a\n")
	good := alice.over(0x00, text)
	for _, seed := range [][]byte{good, testenv.Armored(f, "PGP SIGNATURE", good), alice.over(0x01, text), slices.Concat(good, good), {}, []byte("-----BEGIN PGP SIGNATURE-----\n")} {
		f.Add(text, seed)
	}
	f.Fuzz(func(t *testing.T, data, sidecar []byte) {
		if len(data) > runbook.MaxSize {
			return
		}
		report, payload := besideVerdict(t, v, "a.sh", data, runbook.Sidecar{Name: "a.sh.sig", Data: sidecar})
		if report.Verdict == verifier.Valid && !bytes.Equal(payload, text) {
			t.Errorf("valid, with the payload %q", payload)
		}
	})
}
