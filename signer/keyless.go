package signer

import (
	"context"
	"crypto"
	"crypto/x509"
	"strings"
)

// CertifyFunc returns a private key that lives in memory, and a certificate for it
// that is valid now and names the identity. Several goroutines may call it.
type CertifyFunc func(ctx context.Context) (crypto.Signer, *x509.Certificate, error)

// NewKeylessKey makes a key of an identity, such as "sigstore:ISSUER|NAME", and what
// gets certificates for it. It fails with *KeyError if one of them is missing.
func NewKeylessKey(source, identity string, certify CertifyFunc) (*Key, error) {
	if !strings.HasPrefix(identity, "sigstore:") || certify == nil {
		return nil, &KeyError{source, "an identity and a certificate for it are needed"}
	}
	return &Key{source: source, identity: identity, certify: certify}, nil
}

// Certified returns the private key and the certificate of a keyless key, or
// *KeyError if the key is of another kind.
func (k *Key) Certified(ctx context.Context) (crypto.Signer, *x509.Certificate, error) {
	if k.Kind() != KindKeyless {
		return nil, nil, &KeyError{k.name(), "not a keyless one"}
	}
	return k.certify(ctx)
}
