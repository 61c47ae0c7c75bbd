package signer

import (
	"crypto"
	"crypto/x509"
	"slices"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Key is a key to sign with, wherever it lives: an X.509 key with its
// certificate chain, or an OpenPGP secret key. It is what a format gets to see
// of a key source.
type Key struct {
	source string
	signer crypto.Signer
	chain  []*x509.Certificate
	entity *openpgp.Entity
}

// NewX509Key makes a key of a signer, which may live in a KMS, and the chain of
// its certificate, leaf first. It fails with *KeyError if the two do not belong
// together.
func NewX509Key(source string, signer crypto.Signer, chain []*x509.Certificate) (*Key, error) {
	if signer == nil || len(chain) == 0 {
		return nil, &KeyError{source, "a private key and its certificate are needed"}
	}
	pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(chain[0].PublicKey) {
		return nil, &KeyError{source, "the private key does not belong to the certificate"}
	}
	return &Key{source: source, signer: signer, chain: slices.Clone(chain)}, nil
}

// NewOpenPGPKey makes a key of an OpenPGP entity whose secret keys are already
// decrypted.
func NewOpenPGPKey(source string, entity *openpgp.Entity) (*Key, error) {
	if entity == nil || entity.PrivateKey == nil {
		return nil, &KeyError{source, "not an OpenPGP secret key"}
	}
	return &Key{source: source, entity: entity}, nil
}

// Source says where the key comes from, for messages.
func (k *Key) Source() string { return k.source }

// X509 returns signer and chain, leaf first, or *KeyError if the key is of
// another kind.
func (k *Key) X509() (crypto.Signer, []*x509.Certificate, error) {
	if k == nil || k.signer == nil {
		return nil, nil, &KeyError{k.name(), "not an X.509 key: this format needs a PEM key with --cert, or a PKCS#12 file"}
	}
	return k.signer, slices.Clone(k.chain), nil
}

// OpenPGP returns the entity, or *KeyError if the key is of another kind.
func (k *Key) OpenPGP() (*openpgp.Entity, error) {
	if k == nil || k.entity == nil {
		return nil, &KeyError{k.name(), "not an OpenPGP key: clear-signing needs an OpenPGP secret key"}
	}
	return k.entity, nil
}

func (k *Key) name() string {
	if k == nil {
		return ""
	}
	return k.source
}
