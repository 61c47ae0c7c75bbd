package newkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// X509Options says which X.509 key to make.
type X509Options struct {
	// Algorithm of the leaf, and of the authority unless Issuer is given:
	// rsa2048, rsa3072, rsa4096, p256 (the default), p384; rsa1024 and p521 are
	// made too, for tests that want them refused.
	Algorithm string
	// Subject is the common name of the leaf; the authority is "SUBJECT CA".
	Subject string
	// Rest are the other attributes of both names, such as an organization.
	Rest pkix.Name
	// NotBefore and NotAfter bound both certificates; NotBefore is needed,
	// NotAfter is 365 days later by default.
	NotBefore, NotAfter time.Time
	// CANotAfter is when the authority ends; NotAfter by default.
	CANotAfter time.Time
	// SelfSigned makes no authority: the leaf signs itself, with the fields that
	// New-SelfSignedCertificate -Type CodeSigningCert of Windows gives it.
	SelfSigned bool
	// EKUs of the leaf; nil means code signing only, an empty slice none.
	EKUs []x509.ExtKeyUsage
	// Issuer, if given, is the key whose authority signs the leaf, instead of a
	// new one.
	Issuer *X509Key
	// Edit, if given, changes the leaf before it is signed: tests make odd
	// certificates with it.
	Edit func(leaf *x509.Certificate)
}

// X509Key is a code-signing key with its authority, if it has one.
type X509Key struct {
	CA    *x509.Certificate // nil if the leaf signed itself
	CAKey crypto.Signer
	Leaf  *x509.Certificate
	Key   crypto.Signer // of the leaf

	CAPEM, LeafPEM []byte
	KeyPEM         []byte // the leaf's key, PKCS#8, not encrypted
}

// Chain returns leaf and authority.
func (k *X509Key) Chain() []*x509.Certificate {
	if k.CA == nil {
		return []*x509.Certificate{k.Leaf}
	}
	return []*x509.Certificate{k.Leaf, k.CA}
}

// ChainPEM returns leaf and authority, if there is one, in one file.
func (k *X509Key) ChainPEM() []byte { return append(append([]byte{}, k.LeafPEM...), k.CAPEM...) }

// X509 makes a self-signed authority and a code-signing leaf below it.
func X509(o X509Options) (*X509Key, error) {
	if o.Subject == "" || o.NotBefore.IsZero() {
		return nil, errors.New("make an x.509 key: a subject and a start of validity are needed")
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = o.NotBefore.AddDate(0, 0, 365)
	}
	k := &X509Key{}
	var err error
	switch {
	case o.SelfSigned:
	case o.Issuer != nil:
		k.CA, k.CAKey, k.CAPEM = o.Issuer.CA, o.Issuer.CAKey, o.Issuer.CAPEM
	default:
		if err = k.makeAuthority(o); err != nil {
			return nil, err
		}
	}
	if err = k.makeLeaf(o); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.Key)
	if err != nil {
		return nil, fmt.Errorf("make an x.509 key: %w", err)
	}
	k.KeyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return k, nil
}

func (k *X509Key) makeAuthority(o X509Options) (err error) {
	if k.CAKey, err = newX509Key(o.Algorithm); err != nil {
		return err
	}
	notAfter := o.CANotAfter
	if notAfter.IsZero() {
		notAfter = o.NotAfter
	}
	template := &x509.Certificate{
		Subject:               o.name(o.Subject + " CA"),
		NotBefore:             o.NotBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // with MaxPathLen 0: leaves only
	}
	k.CA, k.CAPEM, err = newCertificate(template, template, k.CAKey.Public(), k.CAKey)
	return err
}

func (k *X509Key) makeLeaf(o X509Options) (err error) {
	if k.Key, err = newX509Key(o.Algorithm); err != nil {
		return err
	}
	ekus := o.EKUs
	if ekus == nil {
		ekus = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	}
	template := &x509.Certificate{
		Subject:               o.name(o.Subject),
		NotBefore:             o.NotBefore,
		NotAfter:              o.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           ekus,
		BasicConstraintsValid: !o.SelfSigned,
	}
	parent, by := k.CA, k.CAKey
	if o.SelfSigned {
		if template.SubjectKeyId, err = subjectKeyID(k.Key.Public()); err != nil {
			return err
		}
		parent, by = template, k.Key
	}
	if o.Edit != nil {
		o.Edit(template)
	}
	k.Leaf, k.LeafPEM, err = newCertificate(template, parent, k.Key.Public(), by)
	return err
}

// name is the name with this common name.
func (o X509Options) name(common string) pkix.Name {
	name := o.Rest
	name.CommonName = common
	return name
}

// subjectKeyID is method 1 of RFC 7093, section 2: 160 bits of the SHA-256 of the
// public key.
func subjectKeyID(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	sum := sha256.Sum256(info.Key.RightAlign())
	return sum[:20], nil
}

func newCertificate(template, parent *x509.Certificate, pub crypto.PublicKey, by crypto.Signer) (*x509.Certificate, []byte, error) {
	if template.SerialNumber == nil {
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
		if err != nil {
			return nil, nil, fmt.Errorf("make a certificate: %w", err)
		}
		template.SerialNumber = serial.Add(serial, big.NewInt(1)) // a serial number is positive
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, by)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate: %w", err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func newX509Key(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "rsa1024", "rsa2048", "rsa3072", "rsa4096":
		return newRSA(algorithm)
	case "", "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return nil, &AlgorithmError{algorithm}
}

func newRSA(algorithm string) (*rsa.PrivateKey, error) {
	bits := map[string]int{"rsa1024": 1024, "rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}[algorithm]
	if bits == 0 {
		return nil, &AlgorithmError{algorithm}
	}
	return rsa.GenerateKey(rand.Reader, bits)
}
