package format_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
)

// opaque hides the private key, as a KMS does.
type opaque struct{ signer crypto.Signer }

func (o opaque) Public() crypto.PublicKey { return o.signer.Public() }

func (o opaque) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.signer.Sign(rand, digest, opts)
}

func serverAuthOnly() []x509.ExtKeyUsage { return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }

func noEKU() []x509.ExtKeyUsage { return []x509.ExtKeyUsage{} }

func withoutDigitalSignature(leaf *x509.Certificate) {
	leaf.KeyUsage = x509.KeyUsageKeyEncipherment
}

func addUnknownCritical(c *x509.Certificate) {
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}})
}

// onlyOrganisation limits an authority to directory names of one organisation.
func onlyOrganisation(critical bool) func(*x509.Certificate) {
	// SEQUENCE { [0] { SEQUENCE { [4] { SEQUENCE { SET { SEQUENCE { organizationName, "x" } } } } } } }
	const names = "\x30\x14\xa0\x12\x30\x10\xa4\x0e\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01x"
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: critical, Value: []byte(names)})
	}
}

func forceSign(t testing.TB, k *newkeys.X509Key, source []byte) []byte {
	t.Helper()
	return forceSignChain(t, k.Key, []*x509.Certificate{k.Leaf}, source)
}

func forceSignChain(t testing.TB, key crypto.Signer, chain []*x509.Certificate, source []byte) []byte {
	t.Helper()
	signed, err := format.ForceSign(source, key, chain)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// authority is a certificate with its key, made by hand where a test needs more
// than newkeys makes.
type authority struct {
	cert *x509.Certificate
	pem  []byte
	key  *ecdsa.PrivateKey
}

// issue makes a certificate signed by parent, or by itself if parent is nil.
func issue(t testing.TB, name string, parent *authority, edit func(*x509.Certificate)) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: testenv.VectorTime().AddDate(-1, 0, 0), NotAfter: testenv.VectorTime().AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if edit != nil {
		edit(template)
	}
	if parent == nil {
		parent = &authority{cert: template, key: key}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})}
}

// oversized has an RSA key that would take seconds to use, much larger ones hours.
func oversized(t testing.TB) *authority {
	t.Helper()
	parent := issue(t, "Maker of large keys", nil, nil)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Large"}}
	key := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), cms.MaxRSA, 1), E: 65537}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key, parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert: cert, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})}
}

// codeSigner makes a template that of a code-signing leaf.
func codeSigner(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.ExtKeyUsage = false, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
}
