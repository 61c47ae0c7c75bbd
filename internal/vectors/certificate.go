package vectors

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
	"math/big"
	"testing"
	"time"
)

// Identity is a certificate with its key.
type Identity struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// PEM is the certificate as a file.
func (i *Identity) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Cert.Raw})
}

// Edit changes a certificate before it is signed.
type Edit func(*x509.Certificate)

// P256 makes a key of the kind that is made fastest.
func P256(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return must[crypto.Signer](t, key, err)
}

// RSA makes an RSA key, also one that is too short.
func RSA(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	return must[crypto.Signer](t, key, err)
}

// Issue makes a certificate with a new P-256 key, signed by parent, or by itself
// if parent is nil. It is an authority, from a year before at to a year after it,
// unless the edits say something else.
func Issue(t testing.TB, at time.Time, name string, parent *Identity, edits ...Edit) *Identity {
	t.Helper()
	return IssueFor(t, at, name, parent, P256(t), edits...)
}

// IssueFor makes a certificate for a key that there is already.
func IssueFor(t testing.TB, at time.Time, name string, parent *Identity, key crypto.Signer, edits ...Edit) *Identity {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{
		SerialNumber: must(t, serial, err), Subject: pkix.Name{CommonName: name},
		NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	for _, edit := range edits {
		edit(template)
	}
	if parent == nil {
		parent = &Identity{Cert: template, Key: key}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent.Cert, key.Public(), parent.Key)
	cert, err2 := x509.ParseCertificate(must(t, raw, err))
	return &Identity{Cert: must(t, cert, err2), Key: key}
}

// CodeSigning makes it a leaf that may sign code.
func CodeSigning(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.ExtKeyUsage = false, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
}

// ServerAuth makes it a leaf for TLS servers.
func ServerAuth(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.ExtKeyUsage = false, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}

// TimeStamping makes it a leaf that may stamp times, as RFC 3161 demands it: for
// nothing else, and critical.
func TimeStamping(c *x509.Certificate) { purposes(true, oidTimeStamping)(c) }

// TimeStampingNotCritical is what RFC 3161, 2.3, does not allow.
func TimeStampingNotCritical(c *x509.Certificate) { purposes(false, oidTimeStamping)(c) }

// TimeStampingAndCodeSigning is what RFC 3161, 2.3, does not allow.
func TimeStampingAndCodeSigning(c *x509.Certificate) {
	purposes(true, oidTimeStamping, oidCodeSigning)(c)
}

// TimeStampingAndLifetimeSigning is what RFC 3161, 2.3, does not allow, with a
// purpose that crypto/x509 has no name for.
func TimeStampingAndLifetimeSigning(c *x509.Certificate) {
	purposes(true, oidTimeStamping, oidLifetimeSigning)(c)
}

// LifetimeSigning makes it a leaf whose signatures end with it, whatever their
// timestamps say.
func LifetimeSigning(c *x509.Certificate) {
	CodeSigning(c)
	c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, oidLifetimeSigning)
}

var (
	oidExtKeyUsage  = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidCodeSigning  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}
	oidTimeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}

	oidLifetimeSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 3, 13}
)

func purposes(critical bool, list ...asn1.ObjectIdentifier) Edit {
	return func(c *x509.Certificate) {
		value, err := asn1.Marshal(list)
		if err != nil {
			panic(err) // of constants
		}
		c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidExtKeyUsage, Critical: critical, Value: value})
	}
}

// Valid sets both ends of the validity.
func Valid(from, to time.Time) Edit {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// Serial sets the serial number.
func Serial(n int64) Edit {
	return func(c *x509.Certificate) { c.SerialNumber = big.NewInt(n) }
}

// CRL is a revocation list of issuer, made at at and good for a week, with the
// certificates of entries by their serial numbers.
func CRL(t testing.TB, issuer *Identity, at time.Time, entries ...x509.RevocationListEntry) []byte {
	t.Helper()
	raw, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 7), RevokedCertificateEntries: entries,
	}, issuer.Cert, issuer.Key)
	return must(t, raw, err)
}
