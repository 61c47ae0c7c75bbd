package format_test

import (
	"crypto"
	"crypto/x509"
	"io"
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
