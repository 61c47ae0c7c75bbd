package format_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// keptKey stands for a key in a KMS: it signs digests of one function, counts how
// often it is asked, and may answer as a bad one does.
type keptKey struct {
	crypto.Signer
	hash   crypto.Hash
	calls  atomic.Int32
	answer func(digest []byte) ([]byte, error) // in place of a signature
}

var errDenied = errors.New("AccessDenied: role ci-untrusted may not use key runbooks")

func (k *keptKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.calls.Add(1)
	if opts.HashFunc() != k.hash || len(digest) != k.hash.Size() {
		return nil, fmt.Errorf("the key is bound to %s", k.hash)
	}
	if k.answer != nil {
		return k.answer(digest)
	}
	return k.Signer.Sign(rand.Reader, digest, opts)
}

// keptKeys are the algorithms of keys in a KMS. They are made once: primes are dear.
var keptKeys = []struct {
	algorithm, header string
	hash              crypto.Hash
}{
	{"rsa2048", "SHA256", crypto.SHA256},
	{"rsa3072", "SHA256", crypto.SHA256},
	{"p256", "SHA256", crypto.SHA256},
	{"p384", "SHA384", crypto.SHA384},
}

var keptX509 = sync.OnceValues(func() (map[string]*newkeys.X509Key, error) {
	made := map[string]*newkeys.X509Key{}
	issuer, err := newkeys.X509(newkeys.X509Options{Algorithm: "p256", Subject: "KMS", NotBefore: clearsignKeyTime, NotAfter: clearsignKeyTime.AddDate(25, 0, 0)})
	if err != nil {
		return nil, err
	}
	for _, k := range keptKeys {
		if made[k.algorithm], err = newkeys.X509(newkeys.X509Options{
			Algorithm: k.algorithm, Subject: "KMS", NotBefore: clearsignKeyTime, NotAfter: clearsignKeyTime.AddDate(25, 0, 0), Issuer: issuer,
		}); err != nil {
			return nil, err
		}
	}
	return made, nil
})

// newKept returns a key of that algorithm, and its X.509 certificates.
func newKept(t testing.TB, algorithm string) (*keptKey, *newkeys.X509Key) {
	t.Helper()
	made, err := keptX509()
	if err != nil {
		t.Fatal(err)
	}
	kept := &keptKey{Signer: made[algorithm].Key, hash: crypto.SHA256}
	if algorithm == "p384" {
		kept.hash = crypto.SHA384
	}
	return kept, made[algorithm]
}

// certify makes the OpenPGP certificate, which is a call of the key of its own.
func (k *keptKey) certify(t testing.TB, created time.Time) []byte {
	t.Helper()
	armored, _, err := signer.NewOpenPGPCertificate("kms://test", k, signer.CertificateOptions{UserID: "Runbook signing (KMS)", Created: created, Hash: k.hash})
	if err != nil {
		t.Fatal(err)
	}
	if n := k.calls.Swap(0); n != 1 {
		t.Errorf("the certificate took %d calls", n)
	}
	return armored
}

func (k *keptKey) openPGP(t testing.TB, certificate []byte) *signer.Key {
	t.Helper()
	key, err := signer.NewOpaqueOpenPGPKey("kms://test", k, k.hash, certificate)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func trustIn(t testing.TB, room verifier.Room, anchor []byte) *verifier.TrustStore {
	t.Helper()
	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "self", Room: room, Name: "key", Data: anchor})
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// 20 signatures each: with other armor some RSA signatures have no padding, and
// GnuPG 2.2 refuses those without a checksum.
func TestGnuPGVerifiesClearSignedTextOfAKeyInAKMS(t *testing.T) {
	t.Parallel()
	for _, k := range keptKeys {
		t.Run(k.algorithm, func(t *testing.T) {
			t.Parallel()
			kept, _ := newKept(t, k.algorithm)
			certificate := kept.certify(t, clearsignKeyTime)
			key := kept.openPGP(t, certificate)
			g := newGnuPG(t)
			if _, said, err := g.run(certificate, "--import"); err != nil || strings.Contains(strings.ToLower(said), "warn") || !strings.Contains(said, "IMPORT_OK 1 ") {
				t.Fatalf("gpg --import: %v\n%s", err, said)
			}
			public := g.mustRun(nil, "--export")
			v := clearsignVerifier(t, trustIn(t, verifier.RoomOpenPGP, certificate), clearsignTime)
			const count = 20
			for i := range count {
				text := fmt.Sprintf("#!/bin/bash\n-x %d\n%s\n\n", i, strings.Repeat("y", i*300))
				signed := clearsigned(t, "deploy.sh", text, key)
				if !bytes.Contains(signed, []byte("\nHash: "+k.header+"\n")) {
					t.Errorf("the header names another function: %.80s", signed)
				}
				out, said, err := g.run(signed, "--decrypt")
				if err != nil || !strings.Contains(said, "] VALIDSIG ") || string(out) != text {
					t.Errorf("signature %d: %v, text %q\n%s", i, err, out, said)
				}
				if i%10 == 0 {
					acceptedByGpgv(t, public, signed, text)
				}
				if report, payload := clearsignVerdict(t, v, "deploy.sh.asc", signed); report.Verdict != verifier.Valid || string(payload) != text {
					t.Errorf("signature %d: %s", i, report.Verdict)
				}
			}
			if n := kept.calls.Load(); n != count {
				t.Errorf("%d calls of the KMS for %d signatures", n, count)
			}
		})
	}
}

func TestOsslsigncodeVerifiesScriptsOfAKeyInAKMS(t *testing.T) {
	t.Parallel()
	tool := testenv.Tool(t, "osslsigncode")
	for _, k := range keptKeys {
		t.Run(k.algorithm, func(t *testing.T) {
			t.Parallel()
			kept, certs := newKept(t, k.algorithm)
			key, err := signer.NewX509Key("kms://test", kept, certs.Chain())
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			ca := filepath.Join(dir, "ca.pem")
			writeFile(t, ca, certs.CAPEM)
			v := newVerifier(t, testenv.VectorTime(), certs.CAPEM)
			for _, ext := range []string{"ps1", "vbs", "wsf"} {
				script := map[string]string{"ps1": "Write-Host 'x'\r\n", "vbs": "WScript.Echo 1\r\n", "wsf": "<job>\r\n<script language=\"VBScript\">\r\nWScript.Echo 1\r\n</script>\r\n</job>\r\n"}[ext]
				rb, err := runbook.Parse("a."+ext, []byte(script))
				if err != nil {
					t.Fatal(err)
				}
				kept.calls.Store(0)
				signed, err := authenticodeAt().Sign(t.Context(), rb, key)
				if err != nil {
					t.Fatal(err)
				}
				if n := kept.calls.Load(); n != 1 {
					t.Errorf("%s: %d calls of the KMS", ext, n)
				}
				checkValid(t, v, "a."+ext, signed)
				if ext != "ps1" {
					continue // osslsigncode knows no others
				}
				file := filepath.Join(dir, "a.ps1")
				writeFile(t, file, signed)
				out, err := exec.Command(tool, "verify", "-CAfile", ca, "-in", file).CombinedOutput()
				if err != nil || !strings.Contains(string(out), "Signature verification: ok") {
					t.Errorf("%v\n%s", err, out)
				}
			}
		})
	}
}

// A key in a KMS may be a subkey of a certificate whose primary key is kept
// offline.
func TestAKeyInAKMSMayBeASubkey(t *testing.T) {
	t.Parallel()
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Algorithm: "rsa2048", Name: "Team", Created: clearsignKeyTime})
	if err != nil {
		t.Fatal(err)
	}
	private, ok := entity.Subkeys[0].PrivateKey.PrivateKey.(crypto.Signer)
	if !ok {
		t.Fatal("no signer")
	}
	certificate, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	kept := &keptKey{Signer: private, hash: crypto.SHA256}
	key := kept.openPGP(t, certificate)
	if want := fmt.Sprintf("openpgp:%X", entity.PrimaryKey.Fingerprint); key.ID() != want {
		t.Errorf("the key is %s, want %s", key.ID(), want)
	}
	text := "echo hello\n"
	signed := clearsigned(t, "a.sh", text, key)
	g := newGnuPG(t)
	g.mustRun(certificate, "--import")
	if _, said, err := g.run(signed, "--verify"); err != nil || !strings.Contains(said, fmt.Sprintf("VALIDSIG %X ", entity.Subkeys[0].PublicKey.Fingerprint)) {
		t.Errorf("%v\n%s", err, said)
	}
	v := clearsignVerifier(t, trustIn(t, verifier.RoomOpenPGP, certificate), clearsignTime)
	if report, _ := clearsignVerdict(t, v, "a.sh.asc", signed); report.Verdict != verifier.Valid {
		t.Errorf("%s", report.Verdict)
	}
}

// A document with signatures of both kinds names both functions: GnuPG hashes with
// no others than the header names.
func TestAKeyInAKMSSignsBesideOneInMemory(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p384")
	certificate := kept.certify(t, clearsignKeyTime)
	entity, inMemory := clearsignKey(t, newkeys.OpenPGPOptions{})
	signed := clearsigned(t, "a.sh", "echo hello\n", inMemory)
	rb, err := runbook.Parse("a.sh.asc", signed)
	if err != nil {
		t.Fatal(err)
	}
	f := &format.Clearsign{Now: func() time.Time { return clearsignTime }}
	both, err := f.Append(t.Context(), rb, kept.openPGP(t, certificate))
	if err != nil || !bytes.Contains(both, []byte("\nHash: SHA512, SHA384\n")) {
		t.Fatalf("%v: %.80s", err, both)
	}
	g := newGnuPG(t)
	g.importPublic(entity)
	g.mustRun(certificate, "--import")
	if _, said, err := g.run(both, "--verify"); err != nil || strings.Count(said, "] VALIDSIG ") != 2 {
		t.Errorf("%v\n%s", err, said)
	}
}

// besideTheKMS is all that signing a file in one format takes, with our verifier.
type besideTheKMS struct {
	in, out string
	text    []byte
	options signer.Options
}

// eachFormatOfAKMS runs a test with a key in a KMS for both formats and algorithms of
// both families: go-crypto drops the errors of RSA only.
func eachFormatOfAKMS(t *testing.T, test func(t *testing.T, kept *keptKey, s besideTheKMS)) {
	t.Helper()
	for _, algorithm := range []string{"rsa2048", "p256", "p384"} {
		t.Run("authenticode "+algorithm, func(t *testing.T) {
			t.Parallel()
			kept, certs := newKept(t, algorithm)
			key, err := signer.NewX509Key("kms://test", kept, certs.Chain())
			if err != nil {
				t.Fatal(err)
			}
			v := newVerifier(t, testenv.VectorTime(), certs.CAPEM)
			test(t, kept, besideTheKMS{"a.ps1", "a.ps1", []byte("Write-Host 'x'\r\n"), signer.Options{Format: authenticodeAt(), Key: key, Verify: verifyBy(v)}})
		})
		t.Run("clearsign "+algorithm, func(t *testing.T) {
			t.Parallel()
			kept, _ := newKept(t, algorithm)
			key := kept.openPGP(t, kept.certify(t, clearsignKeyTime))
			anchor, err := key.Anchor()
			if err != nil {
				t.Fatal(err)
			}
			v := clearsignVerifier(t, trustIn(t, verifier.RoomOpenPGP, anchor), clearsignTime)
			f := &format.Clearsign{Now: func() time.Time { return clearsignTime }}
			test(t, kept, besideTheKMS{"a.sh", "a.sh.asc", []byte("echo hello\n"), signer.Options{Format: f, Key: key, Verify: verifyBy(v)}})
		})
	}
}

func verifyBy(v *verifier.Verifier) signer.VerifyFunc {
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		verified, err := v.Verify(ctx, rb)
		var no *verifier.UnverifiedError
		switch {
		case errors.As(err, &no) && no.Report.Verdict == verifier.Unsigned:
			return nil, signer.ErrUnsigned
		case err != nil:
			return nil, err
		}
		return &signer.Verification{Payload: verified.Payload(), Signers: verified.Report().Signatures[0].Signer.IDs}, nil
	}
}

func TestAFileIsSignedWithOneCallOfTheKMS(t *testing.T) {
	t.Parallel()
	eachFormatOfAKMS(t, func(t *testing.T, kept *keptKey, s besideTheKMS) {
		path := filepath.Join(t.TempDir(), s.in)
		writeFile(t, path, s.text)
		for _, want := range []bool{false, true} {
			outcome, err := signer.SignFile(t.Context(), path, s.options)
			if err != nil || outcome.Unchanged != want {
				t.Errorf("%+v, %v", outcome, err)
			}
		}
		if n := kept.calls.Load(); n != 1 {
			t.Errorf("%d calls for one signature, and a file that is left alone", n)
		}
	})
}

// refusesAndLeavesTheFile signs with a key whose keeper is bad.
func refusesAndLeavesTheFile(t *testing.T, s besideTheKMS, wants ...string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, s.in)
	writeFile(t, path, s.text)
	outcome, err := signer.SignFile(t.Context(), path, s.options)
	if err == nil {
		t.Fatalf("signed: %+v", outcome)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	after, readErr := os.ReadFile(path)
	entries, dirErr := os.ReadDir(dir)
	if readErr != nil || dirErr != nil || !bytes.Equal(after, s.text) || len(entries) != 1 {
		t.Errorf("the file is not as it was, or not alone: %v %v %q %v", readErr, dirErr, after, entries)
	}
}

func TestTheReasonOfAKMSReachesTheUser(t *testing.T) {
	t.Parallel()
	eachFormatOfAKMS(t, func(t *testing.T, kept *keptKey, s besideTheKMS) {
		kept.answer = func([]byte) ([]byte, error) { return nil, errDenied }
		refusesAndLeavesTheFile(t, s, errDenied.Error(), "kms://test")
	})
}

func TestAttackAKMSThatPanics(t *testing.T) {
	t.Parallel()
	eachFormatOfAKMS(t, func(t *testing.T, kept *keptKey, s besideTheKMS) {
		kept.answer = func([]byte) ([]byte, error) { panic("index out of range") }
		refusesAndLeavesTheFile(t, s, "index out of range", "kms://test")
	})
}

// otherKey is another key of the same kind.
func otherKey(t testing.TB, public crypto.PublicKey) crypto.Signer {
	t.Helper()
	if k, ok := public.(*ecdsa.PublicKey); ok {
		fresh, err := ecdsa.GenerateKey(k.Curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return fresh
	}
	kept, _ := newKept(t, "rsa3072")
	return kept.Signer
}

func TestAttackAKMSThatSignsWithAnotherKey(t *testing.T) {
	t.Parallel()
	eachFormatOfAKMS(t, func(t *testing.T, kept *keptKey, s besideTheKMS) {
		other := otherKey(t, kept.Public())
		kept.answer = func(digest []byte) ([]byte, error) { return other.Sign(rand.Reader, digest, kept.hash) }
		refusesAndLeavesTheFile(t, s)
	})
}

func TestAttackAKMSThatSignsAnotherDigest(t *testing.T) {
	t.Parallel()
	eachFormatOfAKMS(t, func(t *testing.T, kept *keptKey, s besideTheKMS) {
		kept.answer = func(digest []byte) ([]byte, error) {
			other := bytes.Clone(digest)
			other[0] ^= 1
			return kept.Signer.Sign(rand.Reader, other, kept.hash)
		}
		refusesAndLeavesTheFile(t, s)
	})
}

func TestAttackAKMSThatAnswersHalf(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]byte) []byte{
		"nothing":        func([]byte) []byte { return nil },
		"half":           func(s []byte) []byte { return s[:len(s)/2] },
		"zeros":          func(s []byte) []byte { return make([]byte, len(s)) },
		"negative half":  func([]byte) []byte { return []byte{0x30, 0x06, 0x02, 0x01, 0xff, 0x02, 0x01, 0xff} },
		"not a sequence": func(s []byte) []byte { return slices.Concat([]byte("signature="), s) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFormatOfAKMS(t, func(t *testing.T, kept *keptKey, s besideTheKMS) {
				kept.answer = func(digest []byte) ([]byte, error) {
					good, err := kept.Signer.Sign(rand.Reader, digest, kept.hash)
					return spoil(good), err
				}
				refusesAndLeavesTheFile(t, s)
			})
		})
	}
}

// refusesCertificate opens a key in a KMS with a certificate that is not for it.
func refusesCertificate(t *testing.T, kept *keptKey, certificate []byte, wants ...string) {
	t.Helper()
	key, err := signer.NewOpaqueOpenPGPKey("kms://test", kept, kept.hash, certificate)
	var refused *signer.KeyError
	if key != nil || !errors.As(err, &refused) {
		t.Fatalf("%v, %v", key, err)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	if n := kept.calls.Load(); n != 0 {
		t.Errorf("the KMS was asked %d times", n)
	}
}

func TestAttackACertificateOfAnotherKey(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p256")
	other, _ := newKept(t, "p384")
	refusesCertificate(t, kept, other.certify(t, clearsignKeyTime), "not the key of the OpenPGP certificate")
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{Algorithm: "p256"})
	certificate, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	refusesCertificate(t, kept, certificate, fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint))
}

func TestAttackSeveralCertificatesOrASecretKey(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p256")
	mine := kept.certify(t, clearsignKeyTime)
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{})
	theirs, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := newkeys.ArmoredSecret(entity, nil)
	if err != nil {
		t.Fatal(err)
	}
	refusesCertificate(t, kept, slices.Concat(mine, theirs), "several OpenPGP certificates")
	refusesCertificate(t, kept, secret, "a secret OpenPGP key")
	refusesCertificate(t, kept, mine[:len(mine)/2], "is refused: malformed")
	refusesCertificate(t, kept, bytes.Repeat([]byte{0xc6}, 100), "malformed packets")
	refusesCertificate(t, kept, nil, "malformed packets")
}

// certifiedBy makes a certificate of a kept key, whose only statement is edited.
func certifiedBy(t testing.TB, kept *keptKey, edit func(*packet.Signature)) []byte {
	t.Helper()
	certificate := kept.certify(t, clearsignKeyTime)
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(certificate))
	if err != nil {
		t.Fatal(err)
	}
	e := ring[0]
	for name, identity := range e.Identities {
		sig := identity.SelfCertifications[0].Packet
		edit(sig)
		private := &packet.PrivateKey{PublicKey: *e.PrimaryKey, PrivateKey: kept.Signer}
		if err := sig.SignUserId(name, e.PrimaryKey, private, nil); err != nil {
			t.Fatal(err)
		}
	}
	made, err := newkeys.ArmoredPublic(e)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAttackACertificateWithoutTheFlagForSigning(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p256")
	certificate := certifiedBy(t, kept, func(s *packet.Signature) { s.FlagSign = false })
	refusesCertificate(t, kept, certificate, "lacks the flag for signing")
}

func TestAttackAnExpiredCertificate(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p256")
	month := uint32(30 * 24 * 3600)
	key := kept.openPGP(t, certifiedBy(t, kept, func(s *packet.Signature) { s.KeyLifetimeSecs = &month }))
	_, err := clearsignAt(t, "a.sh", "echo\n", key, clearsignTime)
	if err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
	if n := kept.calls.Load(); n != 0 {
		t.Errorf("the KMS was asked %d times", n)
	}
}

// A self-signature that is not of this key lets nobody sign: whoever can edit the
// certificate gains nothing.
func TestAttackACertificateWithAForgedSelfSignature(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p256")
	forged := certifiedBy(t, kept, func(s *packet.Signature) { s.FlagSign = true })
	ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(forged))
	if err != nil {
		t.Fatal(err)
	}
	entity, _ := clearsignKey(t, newkeys.OpenPGPOptions{Algorithm: "p256"})
	for name, identity := range ring[0].Identities {
		sig := identity.SelfCertifications[0].Packet
		if err := sig.SignUserId(name, ring[0].PrimaryKey, entity.PrivateKey, nil); err != nil {
			t.Fatal(err)
		}
	}
	certificate, err := newkeys.ArmoredPublic(ring[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.NewOpaqueOpenPGPKey("kms://test", kept, kept.hash, certificate)
	if err == nil {
		_, err = clearsignAt(t, "a.sh", "echo\n", key, clearsignTime)
	}
	var refused *signer.KeyError
	if !errors.As(err, &refused) || kept.calls.Load() != 0 {
		t.Errorf("%v, %d calls", err, kept.calls.Load())
	}
}

func TestAttackACertificateOfVersion6(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p256")
	config := &packet.Config{V6Keys: true, Time: func() time.Time { return clearsignKeyTime }}
	entity, err := openpgp.NewEntity("Six", "", "", config)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	refusesCertificate(t, kept, certificate, "version 6", "GnuPG")
}

func TestADigestThatOpenPGPCannotSignIsRefused(t *testing.T) {
	t.Parallel()
	kept, _ := newKept(t, "p256")
	certificate := kept.certify(t, clearsignKeyTime)
	key, err := signer.NewOpaqueOpenPGPKey("kms://test", kept, crypto.SHA3_256, certificate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = clearsignAt(t, "a.sh", "echo\n", key, clearsignTime); err == nil || !strings.Contains(err.Error(), "SHA3-256") {
		t.Errorf("%v", err)
	}
}
