package signer

import (
	"crypto/x509"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// looksLikePKCS12 says whether data begins as a PFX does: a sequence of the
// version 3 and a sequence.
func looksLikePKCS12(data []byte) bool {
	var pfx cryptobyte.String
	var version int
	s := cryptobyte.String(data)
	return s.ReadASN1(&pfx, asn1.SEQUENCE) && pfx.ReadASN1Integer(&version) && version == 3 && pfx.PeekASN1Tag(asn1.SEQUENCE)
}

// parsePKCS12 reads key and certificates. The empty passphrase, which many such
// files have, is tried before anyone is asked.
func (f *keyFile) parsePKCS12(passphrase []byte) (*Key, error) {
	if err := boundKDF(f.data); err != nil {
		return nil, f.fail("the PKCS#12 file is refused: %s", err)
	}
	private, leaf, above, err := pkcs12.DecodeChain(f.data, string(passphrase))
	var unknown pkcs12.NotImplementedError
	switch {
	case err == nil:
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		if passphrase == nil {
			return nil, errEncrypted
		}
		return nil, f.fail("the passphrase is wrong")
	case errors.As(err, &unknown):
		return nil, f.fail("the PKCS#12 file uses something that writ does not know: write it anew (openssl pkcs12 -export)")
	default:
		return nil, f.fail("the PKCS#12 file cannot be read: damaged, without a MAC, or without a private key and its certificate")
	}
	certs := append([]*x509.Certificate{leaf}, above...)
	return f.privateKey(private, append(certs, f.certs...))
}
