package signer

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// KeyKind says what sort of key a Key is.
type KeyKind string

// The kinds of keys.
const (
	KindX509    KeyKind = "x509"
	KindOpenPGP KeyKind = "openpgp"
)

// Key is a key to sign with, wherever it lives: an X.509 key with its
// certificate chain, an OpenPGP secret key, or an OpenPGP key that GnuPG keeps.
// It is what a format gets to see of a key source. It may be used by several
// goroutines.
type Key struct {
	source string
	notes  []string
	signer crypto.Signer
	chain  []*x509.Certificate
	entity *openpgp.Entity // only the keys that can be used; never handed out itself
	gpg    *GPGKey         // in place of entity
	public []byte          // of an OpenPGP key: the whole certificate, armored
}

// NewX509Key makes a key of a signer, which may live in a KMS, and the chain of
// its certificate, leaf first. It fails with *KeyError if the two do not belong
// together.
func NewX509Key(source string, signer crypto.Signer, chain []*x509.Certificate) (*Key, error) {
	if signer == nil || len(chain) == 0 {
		return nil, &KeyError{source, "a private key and its certificate are needed"}
	}
	if !samePublicKey(signer.Public(), chain[0].PublicKey) {
		return nil, &KeyError{source, "the private key does not belong to the certificate"}
	}
	return &Key{source: source, signer: signer, chain: slices.Clone(chain)}, nil
}

// NewOpenPGPKey makes a key of an OpenPGP entity. The primary key may be absent
// or still encrypted, as long as one key that may sign is there and decrypted:
// the Key rests on those. It does not keep entity.
func NewOpenPGPKey(source string, entity *openpgp.Entity) (*Key, error) {
	if entity == nil || entity.PrimaryKey == nil {
		return nil, &KeyError{source, "not an OpenPGP key"}
	}
	usable := usableEntity(entity)
	if len(usable.Subkeys) == 0 && (!isUsable(entity.PrivateKey) || !primaryMaySign(entity)) {
		return nil, &KeyError{source, "the OpenPGP key has no secret key that may sign"}
	}
	public, err := armorPublic(entity)
	if err != nil {
		return nil, &KeyError{source, "the OpenPGP certificate of the key cannot be written"}
	}
	return &Key{source: source, entity: usable, public: public}, nil
}

// Source says where the key comes from, for messages.
func (k *Key) Source() string { return k.name() }

// Notes are warnings about the key, for the user: none of them stops it from
// being used.
func (k *Key) Notes() []string { return slices.Clone(k.notes) }

// Kind says what sort of key it is, "" for none.
func (k *Key) Kind() KeyKind {
	switch {
	case k == nil:
		return ""
	case k.signer != nil:
		return KindX509
	case k.entity != nil, k.gpg != nil:
		return KindOpenPGP
	}
	return ""
}

// ID names the signer as verified signatures do: "x509-sha256:" and the digest
// of the certificate in lower-case hexadecimal, or "openpgp:" and the
// fingerprint of the primary key in upper-case hexadecimal. It is "" for no key.
func (k *Key) ID() string {
	switch k.Kind() {
	case KindX509:
		sum := sha256.Sum256(k.chain[0].Raw)
		return "x509-sha256:" + hex.EncodeToString(sum[:])
	case KindOpenPGP:
		if k.gpg != nil {
			return "openpgp:" + k.gpg.primary
		}
		return "openpgp:" + strings.ToUpper(hex.EncodeToString(k.entity.PrimaryKey.Fingerprint))
	}
	return ""
}

// Anchor returns the public half of the key as a file of a trust store: for
// X.509 the top certificate of the chain as PEM, for OpenPGP the certificate in
// armor. A verifier that trusts it and nothing else accepts what this key signs,
// and says nothing about whether anyone else should. It fails with *KeyError for
// no key, and for a chain that does not go up to a root.
func (k *Key) Anchor() ([]byte, error) {
	switch k.Kind() {
	case KindX509:
		top := k.chain[len(k.chain)-1]
		if !bytes.Equal(top.RawSubject, top.RawIssuer) {
			return nil, &KeyError{k.name(), fmt.Sprintf(
				"its chain of certificates ends at %q, without that of %q: give all of them with --cert, up to the root", top.Subject.String(), top.Issuer.String())}
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: top.Raw}), nil
	case KindOpenPGP:
		return bytes.Clone(k.public), nil
	}
	return nil, &KeyError{k.name(), "no key"}
}

// X509 returns signer and chain, leaf first, or *KeyError if the key is of
// another kind.
func (k *Key) X509() (crypto.Signer, []*x509.Certificate, error) {
	if k == nil || k.signer == nil {
		return nil, nil, &KeyError{k.name(), "not an X.509 key: this format needs a PEM key with --cert, or a PKCS#12 file"}
	}
	return k.signer, slices.Clone(k.chain), nil
}

// OpenPGP returns the entity, or *KeyError if the key is of another kind or GPG
// returns it. Of the
// entity's subkeys only those are there that can sign here and now; its primary
// key may lack the secret part. Each call returns a copy, because the library
// caches what it learns about a certificate inside it.
func (k *Key) OpenPGP() (*openpgp.Entity, error) {
	if k.GPG() != nil {
		return nil, &KeyError{k.name(), "its secret part is kept by GnuPG"}
	}
	if k == nil || k.entity == nil {
		return nil, &KeyError{k.name(), "not an OpenPGP key: clear-signing needs an OpenPGP secret key"}
	}
	return usableEntity(k.entity), nil
}

// String names the key without its secrets; a Key never prints more.
func (k *Key) String() string { return fmt.Sprintf("key %q", k.name()) }

// GoString is String.
func (k *Key) GoString() string { return k.String() }

func (k *Key) name() string {
	if k == nil {
		return ""
	}
	return k.source
}

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
