package resign_test

import (
	"bytes"
	"encoding/pem"
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
	chain := append(append([]byte("subject=Old\n"), asPEM...), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.fresh.Cert.Raw})...)
	for name, data := range map[string][]byte{"PEM": asPEM, "DER": s.old.Cert.Raw, "a chain, leaf first": chain} {
		c, err := resign.ReadCertificate("old", data)
		if err != nil || c.ID != idOf(s.old) || c.OpenPGP {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Old", Created: at})
	if err != nil {
		t.Fatal(err)
	}
	binary, armored := public(t, entity)
	for name, data := range map[string][]byte{"armored": armored, "binary": binary} {
		c, err := resign.ReadCertificate("old", data)
		if err != nil || !strings.HasPrefix(c.ID, "openpgp:") || !c.OpenPGP || !resign.IsID(c.ID) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("old"), "half a certificate": s.old.Cert.Raw[:100],
		"PEM of something else": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}),
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
		if c, err := resign.ReadCertificate("old", data); err == nil && !resign.IsID(c.ID) {
			t.Errorf("%q", c.ID)
		}
	})
}
