package format_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// literal is an unsigned OpenPGP message of the form that gpg --store makes.
var literal = append([]byte{0xcb, 14}, "t\x00\x00\x00\x00\x00rm -rf x"...)

// signedBy makes a clear-signed document with odd signatures: edit changes the
// packet before it is signed.
func signedBy(t testing.TB, text string, key *packet.PrivateKey, edit func(*packet.Signature)) []byte {
	t.Helper()
	s := &packet.Signature{
		Version: key.Version, SigType: packet.SigTypeText, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA512,
		CreationTime: clearsignTime, IssuerKeyId: &key.KeyId,
	}
	if edit != nil {
		edit(s)
	}
	h := s.Hash.New()
	if err := cleartext.HashText(h, []byte(text)); err != nil {
		t.Fatal(err)
	}
	config := &packet.Config{NonDeterministicSignaturesViaNotation: packet.BoolPointer(false)} // the salt has no SHA-1
	if err := s.Sign(h, key, config); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := s.Serialize(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func documentOf(t testing.TB, text string, signatures ...[]byte) []byte {
	t.Helper()
	doc, err := cleartext.New([]byte(text), "SHA512", bytes.Join(signatures, nil))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Render()
}

func TestClearsignAttacksOnTheFile(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := clearsignVerifier(t, clearsignTrust(t, entity), clearsignTime)
	signed := string(clearsigned(t, "a.sh", "echo a\n", key))
	if report, _ := clearsignVerdict(t, v, "a.sh.asc", []byte(signed)); report.Verdict != verifier.Valid {
		t.Fatalf("the document to attack is %s", report.Verdict)
	}
	var utf16 bytes.Buffer
	utf16.WriteString("\xff\xfe")
	for _, c := range []byte(signed) {
		utf16.Write([]byte{c, 0})
	}
	var compressed bytes.Buffer
	compressed.Write([]byte{0xa3, 1}) // old form, to the end; ZIP
	w, err := flate.NewWriter(&compressed, flate.BestCompression)
	if err == nil {
		_, err = w.Write(literal)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	signature := signedBy(t, "echo a\n", entity.Subkeys[0].PrivateKey, nil)
	onePass := []byte{0xc4, 13, 3, 1, 10, 22, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	for name, c := range map[string]struct {
		file    string
		verdict verifier.Verdict
		finding string
	}{
		"text before the document":              {"rm x\n" + signed, verifier.Malformed, "text-before"},
		"text after the document":               {signed + "rm x\n", verifier.Malformed, "text-after"},
		"a here-document polyglot":              {": <<'X'\n" + signed + "X\nrm x\n", verifier.Malformed, "text-before"},
		"a Python polyglot":                     {"'''\n" + signed + "'''\nimport os\n", verifier.Malformed, "text-before"},
		"two documents":                         {signed + signed, verifier.Malformed, "second-message"},
		"a byte order mark before it":           {"\xef\xbb\xbf" + signed, verifier.Malformed, "text-before"},
		"a conversion to UTF-16":                {utf16.String(), verifier.Malformed, "utf-16"},
		"a here-document's terminator":          {strings.Replace(signed, "echo a\n", "echo a \n", 1), verifier.Noncanonical, "trailing-blanks"},
		"a CR at one line end":                  {strings.Replace(signed, "echo a\n", "echo a\r\n", 1), verifier.Noncanonical, "trailing-cr"},
		"30000 blanks and a command":            {strings.Replace(signed, "echo a\n", "echo a"+strings.Repeat(" ", 30_000)+"; rm x\n", 1), verifier.Tampered, ""},
		"a changed text":                        {strings.Replace(signed, "echo a", "echo b", 1), verifier.Tampered, ""},
		"a line added":                          {strings.Replace(signed, "echo a\n", "echo a\n\n", 1), verifier.Tampered, ""},
		"a form feed at a line end":             {strings.Replace(signed, "echo a\n", "echo a\f\n", 1), verifier.Malformed, "control-character"},
		"NotDashEscaped":                        {strings.Replace(signed, "Hash: SHA512\n", "Hash: SHA512\nNotDashEscaped: You need GnuPG to verify this message\n", 1), verifier.Malformed, "not-dash-escaped-header"},
		"a Hash header that lies":               {strings.Replace(signed, "SHA512", "SHA256", 1), verifier.Malformed, ""},
		"an empty signature block":              {string(documentOf(t, "echo a\n")), verifier.Unsigned, "no-signature"},
		"no signature block":                    {signed[:strings.Index(signed, "-----BEGIN PGP SIGNATURE")], verifier.Unsigned, "no-signature-block"},
		"a literal packet beside the signature": {string(documentOf(t, "echo a\n", signature, literal)), verifier.Malformed, "foreign-packet"},
		"a marker packet in the block":          {string(documentOf(t, "echo a\n", []byte{0xca, 3, 'P', 'G', 'P'}, signature)), verifier.Malformed, "foreign-packet"},
		"junk behind the signature":             {string(documentOf(t, "echo a\n", signature, []byte("junk"))), verifier.Malformed, "bad-packet"},
		"a flood of signatures":                 {string(documentOf(t, "echo a\n", bytes.Repeat(signature, 9))), verifier.Malformed, "too-many-signatures"},
		"an unsigned literal message":           {string(testenv.Armored(t, "PGP MESSAGE", literal)), verifier.Unsigned, "unsigned-message"},
		"an unsigned literal message, binary":   {string(literal), verifier.Unsigned, "unsigned-message"},
		"an unsigned compressed message":        {string(testenv.Armored(t, "PGP MESSAGE", compressed.Bytes())), verifier.Unsigned, "unsigned-message"},
		"a signed message and another":          {string(testenv.Armored(t, "PGP MESSAGE", bytes.Join([][]byte{onePass, literal, signature, literal}, nil))), verifier.Malformed, "several-messages"},
		"a signed message":                      {string(testenv.Armored(t, "PGP MESSAGE", bytes.Join([][]byte{onePass, literal, signature}, nil))), verifier.Unsupported, "opaque-signed"},
		"an encrypted message":                  {string(testenv.Armored(t, "PGP MESSAGE", []byte{0xd2, 3, 1, 0, 0})), verifier.Unsupported, "encrypted-message"},
		"a detached signature":                  {string(testenv.Armored(t, "PGP SIGNATURE", signature)), verifier.Unsigned, "detached-signature"},
		"a certificate":                         {string(testenv.Armored(t, "PGP PUBLIC KEY BLOCK", nil)), verifier.Unsigned, "key-block"},
		"a secret key":                          {string(testenv.Armored(t, "PGP PRIVATE KEY BLOCK", nil)), verifier.Unsigned, "secret-key-block"},
		"a message in broken armor":             {"-----BEGIN PGP MESSAGE-----\n\n!!\n-----END PGP MESSAGE-----\n", verifier.Malformed, "bad-armor"},
		"a part of a message":                   {strings.Replace(signed, "SIGNED MESSAGE", "MESSAGE, PART 1/2", 1), verifier.Malformed, "unknown-armor"},
		"a plain script":                        {"echo a\n", verifier.Unsigned, "not-clearsigned"},
		"an empty file":                         {"", verifier.Unsigned, "empty-file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, payload := clearsignVerdict(t, v, "a.sh.asc", []byte(c.file))
			if report.Verdict != c.verdict || payload != nil || !report.Payload.IsZero() {
				t.Fatalf("%s, want %s: %+v", report.Verdict, c.verdict, report)
			}
			if c.finding != "" && (len(report.Findings) == 0 || report.Findings[0].Code != c.finding) {
				t.Errorf("findings %+v, want %s", report.Findings, c.finding)
			}
		})
	}
}

func TestClearsignAttacksOnTheSignature(t *testing.T) {
	t.Parallel()
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{Name: "Trusted"})
	other, _ := clearsignKey(t, newkeys.OpenPGPOptions{Name: "Trusted"}) // the same user ID
	rsa2048, _ := clearsignKey(t, newkeys.OpenPGPOptions{Algorithm: "rsa2048"})
	v := clearsignVerifier(t, clearsignTrust(t, entity, rsa2048), clearsignTime)
	const text = "echo a\n"
	key := entity.Subkeys[0].PrivateKey
	minute := uint32(60)
	with := func(edit func(*packet.Signature)) []byte { return signedBy(t, text, key, edit) }
	flip := func(at int) []byte {
		sig := with(nil)
		sig[len(sig)+at] ^= 1
		return sig
	}
	for name, c := range map[string]struct {
		doc     []byte
		verdict verifier.Verdict
	}{
		"an impostor's user ID":                 {documentOf(t, text, signedBy(t, text, other.Subkeys[0].PrivateKey, nil)), verifier.Untrusted},
		"a binary signature":                    {documentOf(t, text, with(func(s *packet.Signature) { s.SigType = packet.SigTypeBinary })), verifier.WrongPurpose},
		"a key that only certifies":             {documentOf(t, text, signedBy(t, text, entity.PrivateKey, nil)), verifier.WrongPurpose},
		"a SHA-1 digest":                        {bytes.Replace(documentOf(t, text, with(func(s *packet.Signature) { s.Hash = crypto.SHA1 })), []byte("SHA512"), []byte("SHA1"), 1), verifier.Weak},
		"a SHA-224 digest":                      {bytes.Replace(documentOf(t, text, with(func(s *packet.Signature) { s.Hash = crypto.SHA224 })), []byte("SHA512"), []byte("SHA224"), 1), verifier.Weak},
		"a signature from the future":           {documentOf(t, text, with(func(s *packet.Signature) { s.CreationTime = clearsignTime.Add(time.Hour) })), verifier.Expired},
		"a signature older than its key":        {documentOf(t, text, with(func(s *packet.Signature) { s.CreationTime = clearsignKeyTime.Add(-time.Hour) })), verifier.Expired},
		"an expired signature":                  {documentOf(t, text, with(func(s *packet.Signature) { s.CreationTime = clearsignTime.Add(-time.Hour); s.SigLifetimeSecs = &minute })), verifier.Expired},
		"a critical notation":                   {documentOf(t, text, with(func(s *packet.Signature) { s.Notations = []*packet.Notation{{Name: "a@b", IsCritical: true}} })), verifier.Malformed},
		"a wrong value":                         {documentOf(t, text, flip(-1)), verifier.BadSignature},
		"a signature of another text":           {documentOf(t, "echo b\n", with(nil)), verifier.Tampered},
		"a good signature, then a bad one":      {documentOf(t, text, with(nil), signedBy(t, "x", rsa2048.Subkeys[0].PrivateKey, nil)), verifier.Tampered},
		"an unknown signer beside a good one":   {documentOf(t, text, signedBy(t, text, other.Subkeys[0].PrivateKey, nil), with(nil)), verifier.Valid},
		"a bad one by an unknown signer beside": {documentOf(t, text, with(nil), signedBy(t, "x", other.Subkeys[0].PrivateKey, nil)), verifier.Valid},
		"a notation that looks like gpg status": {documentOf(t, text, with(func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "a@b", Value: []byte("\n[GNUPG:] VALIDSIG\n"), IsHumanReadable: true}}
		})), verifier.Valid},
		"RSA of 2048 bits": {documentOf(t, text, signedBy(t, text, rsa2048.Subkeys[0].PrivateKey, nil)), verifier.Valid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, payload := clearsignVerdict(t, v, "a.sh.asc", c.doc)
			if report.Verdict != c.verdict {
				t.Fatalf("%s, want %s: %+v", report.Verdict, c.verdict, report)
			}
			if (payload != nil) != (c.verdict == verifier.Valid) {
				t.Errorf("payload %q", payload)
			}
			for _, s := range report.Signatures {
				if s.Verdict == verifier.Valid && len(s.Signer.IDs) != 1 || s.Verdict == verifier.Untrusted && len(s.Signer.IDs) != 0 {
					t.Errorf("%s, but signed by %v", s.Verdict, s.Signer.IDs)
				}
			}
			if strings.Contains(fmt.Sprint(report), "VALIDSIG") {
				t.Error("the notation is repeated in the report")
			}
		})
	}
}

func TestClearsignASignerOfTwoCertificatesIsNamedByTheOneThatItBelongsTo(t *testing.T) {
	t.Parallel()
	victim, key := clearsignKey(t, newkeys.OpenPGPOptions{Name: "Victim"})
	thief, _ := clearsignKey(t, newkeys.OpenPGPOptions{Name: "Thief"})
	binding := &packet.Signature{
		Version: 4, SigType: packet.SigTypeSubkeyBinding, PubKeyAlgo: thief.PrimaryKey.PubKeyAlgo, Hash: crypto.SHA512,
		CreationTime: clearsignKeyTime, IssuerKeyId: &thief.PrimaryKey.KeyId, FlagsValid: true, FlagSign: true,
	}
	if err := binding.SignKey(victim.Subkeys[0].PublicKey, thief.PrivateKey, nil); err != nil {
		t.Fatal(err)
	}
	thief.Subkeys = append(thief.Subkeys, openpgp.Subkey{
		Primary: thief, PublicKey: victim.Subkeys[0].PublicKey,
		Bindings: []*packet.VerifiableSignature{packet.NewVerifiableSig(binding)},
	})
	signed := clearsigned(t, "a.sh", "echo a\n", key)
	want := fmt.Sprintf("openpgp:%X", victim.PrimaryKey.Fingerprint)
	for _, order := range [][]*openpgp.Entity{{victim, thief}, {thief, victim}} {
		report, _ := clearsignVerdict(t, clearsignVerifier(t, clearsignTrust(t, order...), clearsignTime), "a.sh.asc", signed)
		if report.Verdict != verifier.Valid || report.Signatures[0].Signer.IDs[0] != want {
			t.Errorf("%s by %v, want %s", report.Verdict, report.Signatures[0].Signer.IDs, want)
		}
	}
	report, _ := clearsignVerdict(t, clearsignVerifier(t, clearsignTrust(t, thief), clearsignTime), "a.sh.asc", signed)
	if report.Verdict != verifier.WrongPurpose {
		t.Errorf("with the thief's certificate alone: %s", report.Verdict)
	}
}

func TestClearsignLoadRefusesTrustThatItCannotRead(t *testing.T) {
	t.Parallel()
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	secret, err := newkeys.ArmoredSecret(entity, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ data, want string }{
		"a secret key":         {string(secret), "gpg --export"},
		"GnuPG's key database": {"SQLite format 3\x00...", "gpg --export"},
		"something else":       {"hello\n", "no usable openpgp certificate"},
	} {
		trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "odd.asc", Data: []byte(c.data)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewClearsign()}})
		var te *verifier.TrustError
		if !errors.As(err, &te) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "odd.asc") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClearsignAnUnusableCertificateIsNamedWhereItIsMissed(t *testing.T) {
	t.Parallel()
	good, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	bad, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	var public bytes.Buffer
	if err := errors.Join(good.Serialize(&public), bad.Serialize(&public)); err != nil {
		t.Fatal(err)
	}
	public.Write(literal) // a packet that belongs into no certificate
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "test", Room: verifier.RoomOpenPGP, Name: "ring.pgp", Data: public.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	// The subkey's ID is not known of a certificate that cannot be read, the
	// primary key's is.
	doc := documentOf(t, "echo a\n", signedBy(t, "echo a\n", bad.PrivateKey, nil))
	report, _ := clearsignVerdict(t, clearsignVerifier(t, trust, clearsignTime), "a.sh.asc", doc)
	if report.Verdict != verifier.Untrusted || len(report.Findings) != 1 || report.Findings[0].Code != "certificate-unusable" {
		t.Errorf("%s, %+v", report.Verdict, report.Findings)
	}
}

// TestClearsignNoBitFlipStaysValidWithAnotherPayload: whatever bit of an
// accepted document is flipped, it is refused or the payload is the same.
func TestClearsignNoBitFlipStaysValidWithAnotherPayload(t *testing.T) {
	t.Parallel()
	entity, key := clearsignKey(t, newkeys.OpenPGPOptions{})
	sweepClearsign(t, clearsignVerifier(t, clearsignTrust(t, entity), clearsignTime), "own", clearsigned(t, "a.sh", "#!/bin/bash\n-x\necho a\n", key))
	if testing.Short() {
		return
	}
	dir := testenv.Shared(t, "vectors/openpgp")
	v := clearsignVerifier(t, clearsignVectorTrust(t, "trusted-gpg.pgp", "trusted-go.pgp"), testenv.VectorTime())
	for _, name := range []string{"a01-plain", "a02-dash-from", "a05-hash-list", "a10-sig-headers", "a11-two-good-sigs", "a12-rsasub", "a20-nistp256", "e32-unknown-subpacket", "e73-v6", "g13-two-keys", "a07-crlf-file"} {
		data, err := os.ReadFile(filepath.Join(dir, "cases", name+".asc"))
		if err != nil {
			t.Fatal(err)
		}
		sweepClearsign(t, v, name, data)
	}
}

func sweepClearsign(t *testing.T, v *verifier.Verifier, name string, data []byte) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		report, payload := clearsignVerdict(t, v, "a.sh.asc", data)
		if report.Verdict != verifier.Valid {
			t.Fatalf("is %s", report.Verdict)
		}
		stayed := 0
		for i := range data {
			for bit := range 8 {
				changed := bytes.Clone(data)
				changed[i] ^= 1 << bit
				again, got := clearsignVerdict(t, v, "a.sh.asc", changed)
				if again.Verdict != verifier.Valid {
					continue
				}
				stayed++
				if !bytes.Equal(got, payload) {
					t.Errorf("bit %d of byte %d: valid with payload %q", bit, i, got)
				}
			}
		}
		t.Logf("%d of %d flips stay valid, with the same payload", stayed, 8*len(data))
	})
}

// TestClearsignFlipsInsideThePacketAreRefused looks below the
// armor, whose checksum would hide such changes.
func TestClearsignFlipsInsideThePacketAreRefused(t *testing.T) {
	t.Parallel()
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	v := clearsignVerifier(t, clearsignTrust(t, entity), clearsignTime)
	sig := signedBy(t, "echo a\n", entity.Subkeys[0].PrivateKey, nil)
	for i := range sig {
		for bit := range 8 {
			changed := bytes.Clone(sig)
			changed[i] ^= 1 << bit
			if report, _ := clearsignVerdict(t, v, "a.sh.asc", documentOf(t, "echo a\n", changed)); report.Verdict == verifier.Valid {
				t.Errorf("bit %d of byte %d of the packet: valid", bit, i)
			}
		}
	}
}

func TestClearsignCheckerIsSafeForManyGoroutines(t *testing.T) {
	t.Parallel()
	var entities []*openpgp.Entity
	var docs [][]byte
	for i := range 4 {
		entity, key := clearsignKey(t, newkeys.OpenPGPOptions{Name: fmt.Sprintf("Signer %d", i)})
		entities = append(entities, entity)
		docs = append(docs, clearsigned(t, "a.sh", fmt.Sprintf("echo %d\n", i), key))
	}
	trust := clearsignTrust(t, entities...)
	for range 5 { // a fresh checker each time, which has checked no certificate yet
		checker, err := format.NewClearsign().Load(trust)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 20 {
					n := (g + i) % len(docs)
					rb, err := runbook.Parse("a.sh.asc", docs[n])
					if err != nil {
						t.Error(err)
						return
					}
					// Each at another time: what one asks must not be what another gets.
					at := clearsignTime
					if g%2 == 1 {
						at = clearsignKeyTime.AddDate(-1, 0, 0)
					}
					out := checker.Check(t.Context(), rb, at)
					verdict := verifier.JudgeChecks(out.Signatures[0].Checks)
					if (verdict == verifier.Valid) != (g%2 == 0) {
						t.Errorf("at %s: %s", at, verdict)
					}
				}
			})
		}
		wg.Wait()
	}
}

// FuzzClearsign: no file is valid but with the text that was signed.
func FuzzClearsign(f *testing.F) {
	entity, key := clearsignKey(f, newkeys.OpenPGPOptions{})
	text := "#!/bin/bash\n-x\necho a\n"
	signed := clearsigned(f, "a.sh", text, key)
	f.Add(signed)
	f.Add(mustClaim(f, "a.sh", text, "1.4", "prod", key))
	f.Add(mustAppend(f, "a.sh.asc", signed, key))
	f.Add(bytes.ReplaceAll(signed, []byte("\n"), []byte("\r\n")))
	f.Add(testenv.Armored(f, "PGP MESSAGE", literal))
	f.Add(literal)
	f.Add([]byte(base64.StdEncoding.EncodeToString(signed)))
	v := clearsignVerifier(f, clearsignTrust(f, entity), clearsignTime)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > runbook.MaxSize {
			return
		}
		report, payload := clearsignVerdict(t, v, "a.sh.asc", data)
		if report.Verdict == verifier.Valid && string(payload) != text {
			t.Errorf("valid with %q", payload)
		}
		for _, s := range report.Signatures {
			if s.Claims != nil && s.Claims.Problem() != "" || s.Verdict == verifier.Valid && s.Claims == nil {
				t.Errorf("a %s signature claims %+v", s.Verdict, s.Claims)
			}
		}
	})
}
