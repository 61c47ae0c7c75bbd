package newkeys

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// How much work a guess at a passphrase takes. Of PKCS#12 there are three
// derivations in a file, and .NET reads none with more than 600,000 in all.
const (
	pkcs8Iterations  = 600_000
	pkcs12Iterations = 100_000
)

var (
	oidPBES2          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC      = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// The structures of RFC 8018, appendix A.
type (
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}
	pbes2Params struct{ KDF, Cipher algorithm }
	algorithm   struct {
		ID     asn1.ObjectIdentifier
		Params any
	}
	encryptedKey struct {
		Algorithm struct {
			ID     asn1.ObjectIdentifier
			Params pbes2Params
		}
		Data []byte
	}
)

// PrivatePEM writes a private key as PKCS#8, encrypted (PBES2 with PBKDF2 and
// AES-256) if passphrase is not empty.
func PrivatePEM(key crypto.Signer, passphrase []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a private key: %w", err)
	}
	if len(passphrase) == 0 {
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	defer clear(der)
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	_, _ = rand.Read(salt) // never fails
	_, _ = rand.Read(iv)
	derived, err := pbkdf2.Key(sha256.New, string(passphrase), salt, pkcs8Iterations, 32)
	if err != nil {
		return nil, fmt.Errorf("encrypt a private key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("encrypt a private key: %w", err)
	}
	padding := aes.BlockSize - len(der)%aes.BlockSize
	for range padding {
		der = append(der, byte(padding))
	}
	e := encryptedKey{Data: make([]byte, len(der))}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(e.Data, der)
	e.Algorithm.ID = oidPBES2
	e.Algorithm.Params = pbes2Params{
		KDF:    algorithm{oidPBKDF2, pbkdf2Params{salt, pkcs8Iterations, pkix.AlgorithmIdentifier{Algorithm: oidHMACWithSHA256, Parameters: asn1.NullRawValue}}},
		Cipher: algorithm{oidAES256CBC, iv},
	}
	out, err := asn1.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encrypt a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: out}), nil
}

// PKCS12 writes key and chain into one file that Windows, OpenSSL 3 and .NET
// read: AES-256 and SHA-256, also with an empty passphrase.
func (k *X509Key) PKCS12(passphrase []byte) ([]byte, error) {
	data, err := pkcs12.Modern.WithIterations(pkcs12Iterations).Encode(k.Key, k.Leaf, k.Chain()[1:], string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("write a PKCS#12 file: %w", err)
	}
	return data, nil
}
