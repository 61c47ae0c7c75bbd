package resign_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/resign"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/vectors"
)

func TestACertificateFileNamesTheOldSigner(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.old.Cert.Raw})
	chain := append(append([]byte("subject=Old\n"), asPEM...), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ca.Cert.Raw})...)
	for name, data := range map[string][]byte{"PEM": asPEM, "DER": s.old.Cert.Raw, "a chain, leaf first": chain} {
		c, err := resign.ReadCertificate("old", data)
		if err != nil || c.IDs[0] != idOf(s.old) || c.OpenPGP {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	spki := digest(s.old.Cert.RawSubjectPublicKeyInfo)
	publicKey := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.old.Cert.RawSubjectPublicKeyInfo})
	c, err := resign.ReadCertificate("old", asPEM)
	if err != nil || !slices.Equal(c.IDs, []string{idOf(s.old), "sigstore-key:" + spki}) || !bytes.Equal(c.Public, publicKey) {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = resign.ReadCertificate("old", publicKey)
	if err != nil || !slices.Equal(c.IDs, []string{"sigstore-key:" + spki, "x509-spki:" + spki}) || !bytes.Equal(c.Public, publicKey) {
		t.Errorf("a public key: %+v, %v", c, err)
	}
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Old", Created: at})
	if err != nil {
		t.Fatal(err)
	}
	binary, armored := public(t, entity)
	for name, data := range map[string][]byte{"armored": armored, "binary": binary} {
		c, err := resign.ReadCertificate("old", data)
		if err != nil || !strings.HasPrefix(c.IDs[0], "openpgp:") || !c.OpenPGP || !resign.IsID(c.IDs[0]) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("old"), "half a certificate": s.old.Cert.Raw[:100],
		"PEM of something else":                 pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}),
		"half a certificate behind a whole one": append(bytes.Clone(asPEM), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.old.Cert.Raw[:100]})...),
		"two OpenPGP certificates": append(bytes.Clone(binary), func() []byte {
			other, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Other", Created: at})
			if err != nil {
				t.Fatal(err)
			}
			b, _ := public(t, other)
			return b
		}()...),
	} {
		if c, err := resign.ReadCertificate("old", data); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// Whoever wants a stranger's files signed anew may put the stranger's certificate
// behind, or before, that of the old signer.
func TestAttackAFileThatNamesTwoSigners(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	old, other := block("CERTIFICATE", s.old.Cert.Raw), block("CERTIFICATE", s.stranger.Cert.Raw)
	oldKey, otherKey := block("PUBLIC KEY", s.old.Cert.RawSubjectPublicKeyInfo), block("PUBLIC KEY", s.stranger.Cert.RawSubjectPublicKeyInfo)
	for name, file := range map[string][][]byte{
		"a stranger behind": {old, other}, "a stranger first": {other, old}, "behind the authority": {old, block("CERTIFICATE", s.ca.Cert.Raw), other},
		"two public keys": {oldKey, otherKey}, "a stranger's public key": {old, otherKey}, "its own public key": {old, oldKey},
	} {
		if c, err := resign.ReadCertificate("old", slices.Concat(file...)); err == nil || !strings.Contains(err.Error(), "signer") {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if c, err := resign.ReadCertificate("old", slices.Concat(old, old)); err != nil || c.IDs[0] != idOf(s.old) {
		t.Errorf("the same twice: %+v, %v", c, err)
	}
	for _, id := range []string{"sigstore-identity:ops", "sigstore:https://issuer.example|", "sigstore-key:" + digest(nil) + ",sigstore-key:" + digest(nil)} {
		if resign.IsID(id) {
			t.Errorf("%s is the ID of one signer", id)
		}
	}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func public(t *testing.T, e *openpgp.Entity) (binary, armored []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), testenv.Armored(t, "PGP PUBLIC KEY BLOCK", b.Bytes())
}

func TestIDsHaveTheFormsThatPoliciesKnow(t *testing.T) {
	t.Parallel()
	hex64 := strings.Repeat("0a", 32)
	for _, id := range []string{
		"x509-sha256:" + hex64, "x509-spki:" + hex64, "sigstore-key:" + hex64,
		"openpgp:0123456789ABCDEF0123456789ABCDEF01234567", "sigstore:https://issuer.example|https://ci.example/job",
	} {
		if !resign.IsID(id) {
			t.Errorf("%s is none", id)
		}
	}
	for _, id := range []string{
		"", "x509-sha256:", "x509-sha256:" + strings.ToUpper(hex64), "x509-sha256:" + hex64 + "0", "openpgp:0123456789abcdef0123456789abcdef01234567",
		"openpgp:01234567", "sigstore:issuer", "cert.pem", "x509-sha256:" + hex64 + "\n",
	} {
		if resign.IsID(id) {
			t.Errorf("%q is one", id)
		}
	}
}

// FuzzReadCertificate: whatever the file is, it names a signer in a form that
// policies know, or is refused.
func FuzzReadCertificate(f *testing.F) {
	der := vectors.Issue(f, at, "Old", nil).Cert.Raw
	f.Add(der)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	f.Add([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n=aaaa\n-----END PGP PUBLIC KEY BLOCK-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := resign.ReadCertificate("old", data); err == nil && (len(c.IDs) == 0 || slices.ContainsFunc(c.IDs, func(id string) bool { return !resign.IsID(id) })) {
			t.Errorf("%q", c.IDs)
		}
	})
}
