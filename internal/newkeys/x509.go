package newkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
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
	// NotBefore and NotAfter bound both certificates; NotBefore is needed,
	// NotAfter is 365 days later by default.
	NotBefore, NotAfter time.Time
	// EKUs of the leaf; nil means code signing only, an empty slice none.
	EKUs []x509.ExtKeyUsage
	// Issuer, if given, is the key whose authority signs the leaf, instead of a
	// new one.
	Issuer *X509Key
	// Edit, if given, changes the leaf before it is signed: tests make odd
	// certificates with it.
	Edit func(leaf *x509.Certificate)
}

// X509Key is a code-signing key with its authority.
type X509Key struct {
	CA    *x509.Certificate
	CAKey crypto.Signer
	Leaf  *x509.Certificate
	Key   crypto.Signer // of the leaf

	CAPEM, LeafPEM []byte
	KeyPEM         []byte // the leaf's key, PKCS#8, not encrypted
}

// Chain returns leaf and authority.
func (k *X509Key) Chain() []*x509.Certificate { return []*x509.Certificate{k.Leaf, k.CA} }

// ChainPEM returns leaf and authority in one file.
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
	if o.Issuer != nil {
		k.CA, k.CAKey, k.CAPEM = o.Issuer.CA, o.Issuer.CAKey, o.Issuer.CAPEM
	} else if err = k.makeAuthority(o); err != nil {
		return nil, err
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
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: o.Subject + " CA"},
		NotBefore:             o.NotBefore,
		NotAfter:              o.NotAfter,
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
		Subject:               pkix.Name{CommonName: o.Subject},
		NotBefore:             o.NotBefore,
		NotAfter:              o.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           ekus,
		BasicConstraintsValid: true,
	}
	if o.Edit != nil {
		o.Edit(template)
	}
	k.Leaf, k.LeafPEM, err = newCertificate(template, k.CA, k.Key.Public(), k.CAKey)
	return err
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
