package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/md5" //nolint:gosec // only to tell a weak signature from a forged one
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // only to tell a weak signature from a forged one
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/runwrit/writ/internal/rsasig"
)

// Key sizes in bits. The upper limit keeps a hostile key from taking seconds.
const (
	MinRSA = 2048
	MaxRSA = 8192
	// maxExponent is the largest public exponent of RSA, and the one that nearly
	// everybody has. A check takes as long as it has bits.
	maxExponent = 65537
)

// Digest is a digest algorithm.
type Digest struct {
	Name string
	Hash crypto.Hash
	// Weak says that collisions are known: never good enough to run something.
	Weak bool
}

var digestOf = map[OID]Digest{
	"1.2.840.113549.2.5":     {"md5", crypto.MD5, true},
	"1.3.14.3.2.26":          {"sha1", crypto.SHA1, true},
	"2.16.840.1.101.3.4.2.1": {"sha256", crypto.SHA256, false},
	"2.16.840.1.101.3.4.2.2": {"sha384", crypto.SHA384, false},
	"2.16.840.1.101.3.4.2.3": {"sha512", crypto.SHA512, false},
}

// DigestOf returns the digest algorithm that a names; its parameters must be
// absent or NULL.
func DigestOf(a Algorithm) (Digest, bool) {
	d, ok := digestOf[a.ID]
	return d, ok && a.plain()
}

// plain reports whether the parameters are absent or NULL.
func (a Algorithm) plain() bool {
	return a.Parameters == nil || bytes.Equal(a.Parameters, []byte{tagNull, 0})
}

// namesCurveOf reports whether a is an EC key with the curve of c as parameter,
// as a certificate has it.
func (a Algorithm) namesCurveOf(c *x509.Certificate) bool {
	k, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || a.ID != OIDECKey {
		return false
	}
	curve := read(a.Parameters).oid("curve")
	return k.Curve == elliptic.P256() && curve == "1.2.840.10045.3.1.7" || k.Curve == elliptic.P384() && curve == "1.3.132.0.34"
}

// OIDs of signature algorithms. A signer's key may be named with or without the
// digest; Windows names the key alone.
const (
	oidRSA   OID = "1.2.840.113549.1.1.1"
	oidPSS   OID = "1.2.840.113549.1.1.10"
	OIDECKey OID = "1.2.840.10045.2.1"
)

// signatureOf gives for each signature algorithm the kind of key and the digest
// that it names; the zero digest for none.
var signatureOf = map[OID]struct {
	key  x509.PublicKeyAlgorithm
	hash crypto.Hash
}{
	oidRSA:                  {x509.RSA, 0},
	"1.2.840.113549.1.1.4":  {x509.RSA, crypto.MD5},
	"1.2.840.113549.1.1.5":  {x509.RSA, crypto.SHA1},
	"1.2.840.113549.1.1.11": {x509.RSA, crypto.SHA256},
	"1.2.840.113549.1.1.12": {x509.RSA, crypto.SHA384},
	"1.2.840.113549.1.1.13": {x509.RSA, crypto.SHA512},
	OIDECKey:                {x509.ECDSA, 0},
	"1.2.840.10045.4.1":     {x509.ECDSA, crypto.SHA1},
	"1.2.840.10045.4.3.2":   {x509.ECDSA, crypto.SHA256},
	"1.2.840.10045.4.3.3":   {x509.ECDSA, crypto.SHA384},
	"1.2.840.10045.4.3.4":   {x509.ECDSA, crypto.SHA512},
}

// UnsupportedError names an algorithm or a key that this package cannot check.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What + " is not supported" }

// CheckSupported tells whether the signature algorithm, the digest and the key
// of the signer are ones that CheckSignature can use, and fit each other. It
// fails with *UnsupportedError.
func (s *SignedData) CheckSupported(c *x509.Certificate) error {
	d, ok := DigestOf(s.Signer.Digest)
	if !ok {
		return &UnsupportedError{fmt.Sprintf("digest algorithm %s", s.Signer.Digest.ID)}
	}
	id := s.Signer.Signature.ID
	if id == oidPSS {
		return &UnsupportedError{"RSA-PSS"}
	}
	alg, ok := signatureOf[id]
	if !ok || !s.Signer.Signature.plain() && !s.Signer.Signature.namesCurveOf(c) {
		return &UnsupportedError{fmt.Sprintf("signature algorithm %s", id)}
	}
	if alg.hash != 0 && alg.hash != d.Hash || alg.key != c.PublicKeyAlgorithm {
		return &UnsupportedError{fmt.Sprintf("signature algorithm %s with digest %s and a key of type %s", id, d.Name, c.PublicKeyAlgorithm)}
	}
	return CheckKey(c.PublicKey)
}

// CheckKey accepts RSA keys up to MaxRSA bits and the curves P-256 and P-384,
// of whatever strength. It fails with *UnsupportedError.
func CheckKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if Oversized(k) {
			return &UnsupportedError{fmt.Sprintf("an RSA key of %d bits with the exponent %d", k.N.BitLen(), k.E)}
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return &UnsupportedError{"curve " + k.Params().Name}
		}
	default:
		return &UnsupportedError{fmt.Sprintf("a key of type %T", key)}
	}
	return nil
}

// KeyAlgorithm names algorithm and size of a public key, such as "rsa3072",
// "ecdsa-p256" or "ed25519"; "" for any other kind.
func KeyAlgorithm(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ecdsa-" + strings.ToLower(strings.ReplaceAll(k.Params().Name, "-", ""))
	case ed25519.PublicKey:
		return "ed25519"
	}
	return ""
}

// WeakKey tells whether a key that CheckKey accepts is too short.
func WeakKey(key crypto.PublicKey) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k.N.BitLen() < MinRSA
}

// Oversized tells whether a key, by its modulus or its exponent, is one that would
// take too much time to use. It
// is to be asked of every certificate that a signature could be checked with.
func Oversized(key crypto.PublicKey) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && (k.N.BitLen() > MaxRSA || k.E > maxExponent)
}

// ErrDigest says that the signed attributes name another digest than that of the
// content; ErrSignature that the signature value does not fit.
var (
	ErrDigest    = errors.New("the signed message digest is not that of the signature's content")
	ErrSignature = errors.New("the signature value does not fit the signer's key and the signed attributes")
)

// CheckMessageDigest compares the signed message digest with that of the
// content. It fails with ErrDigest, or *UnsupportedError.
func (s *SignedData) CheckMessageDigest() error {
	d, ok := DigestOf(s.Signer.Digest)
	if !ok {
		return &UnsupportedError{fmt.Sprintf("digest algorithm %s", s.Signer.Digest.ID)}
	}
	h := d.Hash.New()
	h.Write(s.digested())
	if subtle.ConstantTimeCompare(h.Sum(nil), s.Signer.MessageDigest) != 1 {
		return ErrDigest
	}
	return nil
}

// CheckSignature checks the signature value over the signed attributes with the
// key of c. It fails with ErrSignature, or *UnsupportedError.
func (s *SignedData) CheckSignature(c *x509.Certificate) error {
	if err := s.CheckSupported(c); err != nil {
		return err
	}
	d := digestOf[s.Signer.Digest.ID]
	h := d.Hash.New()
	h.Write(s.Signer.signedDER)
	good := false
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		good = rsasig.Verify(k, d.Hash, h.Sum(nil), s.Signer.Value)
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, h.Sum(nil), s.Signer.Value)
	}
	if !good {
		return ErrSignature
	}
	return nil
}
