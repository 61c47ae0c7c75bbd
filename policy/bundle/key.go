package bundle

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
)

// Key is the public key of somebody who may sign policies.
type Key struct {
	// Owner is the person: all keys of one owner count once.
	Owner string

	public crypto.PublicKey
	id     string // SHA-256 of the SubjectPublicKeyInfo, hexadecimal
	alg    algorithm
}

// ID is the SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal. Signatures
// name keys by it.
func (k Key) ID() string { return k.id }

// algorithm is the name of a signature algorithm, as in JSON Web Signatures. A
// key is of exactly one.
type algorithm string

const (
	es256 algorithm = "ES256"
	ps256 algorithm = "PS256"
	edDSA algorithm = "EdDSA"
)

var ownerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)

// NewKey makes a key of a file with one public key in PEM form ("PUBLIC KEY"):
// ECDSA on P-256, RSA of 2048 to 8192 bits, or Ed25519.
func NewKey(owner string, file []byte) (Key, error) {
	if len(owner) > maxName || !ownerForm.MatchString(owner) {
		return Key{}, fmt.Errorf("the owner of a key is %q: want a name of letters, digits and \". _ @ -\"", owner)
	}
	block, rest := pem.Decode(file)
	switch {
	case block == nil || block.Type != "PUBLIC KEY" || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0:
		return Key{}, fmt.Errorf("the key of %s is not one PEM block \"PUBLIC KEY\" (openssl pkey -in KEY -pubout)", owner)
	case !bytes.HasPrefix(bytes.TrimSpace(file), []byte("-----BEGIN PUBLIC KEY-----")):
		return Key{}, fmt.Errorf("the key of %s: text stands before it", owner)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("the key of %s cannot be read", owner)
	}
	k, err := keyOf(public)
	if err != nil {
		return Key{}, fmt.Errorf("the key of %s is %v", owner, err)
	}
	k.Owner = owner
	return k, nil
}

func keyOf(public crypto.PublicKey) (Key, error) {
	k := Key{public: public}
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return Key{}, errors.New("an ECDSA key on another curve than P-256")
		}
		k.alg = es256
	case *rsa.PublicKey:
		if bits := p.N.BitLen(); bits < 2048 || bits > 8192 {
			return Key{}, fmt.Errorf("an RSA key of %d bits: 2048 to 8192 are possible", bits)
		}
		k.alg = ps256
	case ed25519.PublicKey:
		k.alg = edDSA
	default:
		return Key{}, errors.New("neither ECDSA on P-256, nor RSA, nor Ed25519")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, errors.New("a key that cannot be written")
	}
	sum := sha256.Sum256(der)
	k.id = hex.EncodeToString(sum[:])
	return k, nil
}

// pem is the key as OPA reads it.
func (k *Key) pem() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.public)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

// sizeOfHalf is the length of r and of s in an ES256 signature.
const sizeOfHalf = 32

var pss = &rsa.PSSOptions{SaltLength: sha256.Size, Hash: crypto.SHA256}

// verify accepts signatures in the form of JSON Web Signatures (RFC 7518), of ECDSA
// one of the two that anybody can make of one.
func (k *Key) verify(message, signature []byte) bool {
	sum := sha256.Sum256(message)
	switch p := k.public.(type) {
	case *ecdsa.PublicKey:
		if len(signature) != 2*sizeOfHalf {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:sizeOfHalf]), new(big.Int).SetBytes(signature[sizeOfHalf:])
		return s.Cmp(mirror(s)) < 0 && ecdsa.Verify(p, sum[:], r, s)
	case *rsa.PublicKey:
		return rsa.VerifyPSS(p, crypto.SHA256, sum[:], signature, pss) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(p, message, signature)
	}
	return false
}

// verifyDER is verify for ECDSA signatures in ASN.1 form, as DSSE has them.
func (k *Key) verifyDER(message, signature []byte) bool {
	if p, ok := k.public.(*ecdsa.PublicKey); ok {
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(p, sum[:], signature)
	}
	return k.verify(message, signature)
}

// sign makes a signature that verifyDER accepts. The private key may live in a
// KMS.
func (k *Key) sign(private crypto.Signer, message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	switch k.alg {
	case es256:
		return private.Sign(rand.Reader, sum[:], crypto.SHA256)
	case ps256:
		return private.Sign(rand.Reader, sum[:], pss)
	case edDSA:
		return private.Sign(rand.Reader, message, crypto.Hash(0))
	}
	return nil, fmt.Errorf("sign with %q: not possible", k.alg)
}

// mirror is n-s: with (r, s) it is as good an ECDSA signature, which anybody can
// make. Only the smaller of the two counts in a token, so that nobody without the key
// makes a second bundle of one.
func mirror(s *big.Int) *big.Int { return new(big.Int).Sub(elliptic.P256().Params().N, s) }

// fixedSize turns an ECDSA signature in ASN.1 form into that of JSON Web
// Signatures, the smaller of the two; others are the same in both.
func (k *Key) fixedSize(signature []byte) ([]byte, error) {
	if k.alg != es256 {
		return signature, nil
	}
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &pair); err != nil || len(rest) > 0 || pair.R.Sign() <= 0 || pair.S.Sign() <= 0 ||
		pair.R.BitLen() > 8*sizeOfHalf || pair.S.BitLen() > 8*sizeOfHalf {
		return nil, errors.New("the key made no ECDSA signature")
	}
	if other := mirror(pair.S); other.Sign() > 0 && other.Cmp(pair.S) < 0 {
		pair.S = other
	}
	fixed := make([]byte, 2*sizeOfHalf)
	pair.R.FillBytes(fixed[:sizeOfHalf])
	pair.S.FillBytes(fixed[sizeOfHalf:])
	return fixed, nil
}

// Trust says whose signatures a bundle needs.
type Trust struct {
	keys      []Key
	threshold int
}

// NewTrust makes a trust of keys, of whose owners at least threshold must have
// signed. It fails where that could never be, and for a key of two owners.
func NewTrust(threshold int, keys ...Key) (*Trust, error) {
	if len(keys) > MaxSigners {
		return nil, fmt.Errorf("%d keys, the limit is %d", len(keys), MaxSigners)
	}
	owners := map[string]bool{}
	for i, k := range keys {
		if k.public == nil || k.Owner == "" {
			return nil, errors.New("a key without an owner, or an owner without a key")
		}
		if j := slices.IndexFunc(keys[:i], func(other Key) bool { return other.id == k.id }); j >= 0 {
			return nil, fmt.Errorf("one key is listed twice, of %s and of %s", keys[j].Owner, k.Owner)
		}
		owners[k.Owner] = true
	}
	if threshold < 1 || threshold > len(owners) {
		return nil, fmt.Errorf("the threshold is %d, with keys of %d owners", threshold, len(owners))
	}
	return &Trust{keys: slices.Clone(keys), threshold: threshold}, nil
}

func (t *Trust) key(id string) (Key, bool) {
	i := slices.IndexFunc(t.keys, func(k Key) bool { return k.id == id })
	if i < 0 {
		return Key{}, false
	}
	return t.keys[i], true
}
