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
	// KindBare is a private key without a certificate. Only a format whose trust is
	// in public keys can use it.
	KindBare KeyKind = "bare"
	// KindKeyless is a key that is made for this run, with a certificate for the
	// identity of whoever signs.
	KindKeyless KeyKind = "keyless"
)

// Key is a key to sign with, wherever it lives: an X.509 key with its
// certificate chain, an OpenPGP secret key, an OpenPGP key that GnuPG keeps, or a
// bare private key.
// It is what a format gets to see of a key source. It may be used by several
// goroutines.
type Key struct {
	source string
	notes  []string
	signer crypto.Signer
	hash   crypto.Hash         // the only one that whoever keeps the key signs with; 0 for any
	chain  []*x509.Certificate // nil for a bare key
	brings []*x509.Certificate // of the chain what a signature brings along
	entity *openpgp.Entity     // only the keys that can be used; never handed out itself
	gpg    *GPGKey             // in place of entity
	public []byte              // of an OpenPGP key: the whole certificate, armored

	identity string      // of a keyless key: its ID
	certify  CertifyFunc // of a keyless key, in place of signer
}

// NewX509Key makes a key of a signer, which may live in a KMS, and the chain of
// its certificate, leaf first. It fails with *KeyError if the two do not belong
// together, or a certificate of the chain did not issue the one before it.
func NewX509Key(source string, signer crypto.Signer, chain []*x509.Certificate) (*Key, error) {
	if signer == nil || len(chain) == 0 {
		return nil, &KeyError{source, "a private key and its certificate are needed"}
	}
	if !samePublicKey(signer.Public(), chain[0].PublicKey) {
		return nil, &KeyError{source, "the private key does not belong to the certificate"}
	}
	for i, issuer := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(issuer); err != nil {
			return nil, &KeyError{source, fmt.Sprintf("the chain is out of order: %q did not issue %q: %v", issuer.Subject.String(), chain[i].Subject.String(), err)}
		}
	}
	return &Key{source: source, signer: signer, chain: slices.Clone(chain), brings: withoutRoot(chain)}, nil
}

// NewBareKey makes a key of a signer, which may live in a KMS, without a
// certificate. It fails with *KeyError for no signer.
func NewBareKey(source string, signer crypto.Signer) (*Key, error) {
	if signer == nil {
		return nil, &KeyError{source, "a private key is needed"}
	}
	if _, err := x509.MarshalPKIXPublicKey(signer.Public()); err != nil {
		return nil, &KeyError{source, "a key of an algorithm that writ does not know"}
	}
	return &Key{source: source, signer: signer}, nil
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
	case k.signer != nil && k.chain != nil:
		return KindX509
	case k.signer != nil:
		return KindBare
	case k.certify != nil:
		return KindKeyless
	case k.entity != nil, k.gpg != nil:
		return KindOpenPGP
	}
	return ""
}

// ID names the signer as verified signatures do: "x509-sha256:" and the digest
// of the certificate in lower-case hexadecimal, "openpgp:" and the fingerprint of
// the primary key in upper-case hexadecimal, or for a bare key "sigstore-key:" and
// the digest of its SubjectPublicKeyInfo. It is "" for no key.
func (k *Key) ID() string {
	switch k.Kind() {
	case KindX509:
		return "x509-sha256:" + hexDigest(k.chain[0].Raw)
	case KindBare:
		return "sigstore-key:" + k.spkiDigest()
	case KindKeyless:
		return k.identity
	case KindOpenPGP:
		if k.gpg != nil {
			return "openpgp:" + k.gpg.primary
		}
		return "openpgp:" + strings.ToUpper(hex.EncodeToString(k.entity.PrimaryKey.Fingerprint))
	}
	return ""
}

// IDs are all names under which a verified signature by the key may name its
// signer, ID first: which of them depends on the format. None for no key.
func (k *Key) IDs() []string {
	switch k.Kind() {
	case KindX509:
		spki := k.spkiDigest()
		return []string{k.ID(), "x509-spki:" + spki, "sigstore-key:" + spki}
	case KindBare, KindOpenPGP, KindKeyless:
		return []string{k.ID()}
	}
	return nil
}

// made says whether one of the named signers is the key: as bundles beside a file
// name signers, or as what stands inside does. An X.509 key has names of both sorts.
func (k *Key) made(beside string, signers []string) bool {
	return slices.ContainsFunc(k.IDs(), func(id string) bool {
		return strings.HasPrefix(id, "sigstore") == (beside != "") && slices.Contains(signers, id)
	})
}

// Hash returns the only hash function whose digests the key signs, 0 where any
// will do: a KMS may bind one to a key.
func (k *Key) Hash() crypto.Hash {
	if k == nil {
		return 0
	}
	return k.hash
}

// Private returns the signer of an X.509 or bare key, or *KeyError if the key is
// of another kind.
func (k *Key) Private() (crypto.Signer, error) {
	if k.Kind() == KindKeyless {
		return nil, &KeyError{k.name(), "keyless: it has a private key only together with a certificate"}
	}
	if k == nil || k.signer == nil {
		return nil, &KeyError{k.name(), "an OpenPGP key: this format needs a private key in PEM, PKCS#12 or a KMS"}
	}
	return k.signer, nil
}

func (k *Key) spkiDigest() string {
	der, _ := x509.MarshalPKIXPublicKey(k.signer.Public()) // NewBareKey has tried; a certificate's key is of a known kind
	return hexDigest(der)
}

func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Anchor returns the public half of the key as a file of a trust store: for
// X.509 the top certificate of the chain as PEM, for OpenPGP the certificate in
// armor, for a bare key the public key as PEM. A verifier that trusts it and nothing else accepts what this key signs,
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
	case KindBare:
		return k.PublicPEM()
	case KindOpenPGP:
		return bytes.Clone(k.public), nil
	case KindKeyless:
		return nil, &KeyError{k.name(), "keyless signatures are trusted by who gave the certificate, not by a key"}
	}
	return nil, &KeyError{k.name(), "no key"}
}

// PublicPEM returns the public key of an X.509 or bare key as PEM, or *KeyError if
// the key is of another kind.
func (k *Key) PublicPEM() ([]byte, error) {
	if _, err := k.Private(); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		return nil, &KeyError{k.name(), "its public key cannot be written"}
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// X509 returns signer and chain, leaf first, or *KeyError if the key is of
// another kind.
func (k *Key) X509() (crypto.Signer, []*x509.Certificate, error) {
	if k.Kind() != KindX509 {
		return nil, nil, &KeyError{k.name(), "not an X.509 key: this format needs a PEM key with --cert, or a PKCS#12 file"}
	}
	return k.signer, slices.Clone(k.chain), nil
}

// WithoutRoot returns the chain of an X.509 key, leaf first, as a signature brings it
// along: without the self-signed end, which whoever verifies must have already. A
// leaf stays. It is nil for a key of another kind.
func (k *Key) WithoutRoot() []*x509.Certificate {
	if k == nil {
		return nil
	}
	return slices.Clone(k.brings)
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
