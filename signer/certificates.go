package signer

import (
	"context"
	"crypto/x509"
	"errors"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// IsPKCS12 reports whether data begins as a PKCS#12 file does.
func IsPKCS12(data []byte) bool { return looksLikePKCS12(data) }

// PKCS12Certificates returns the certificates of a PKCS#12 file: those of a key
// and its chain, or of a trust store as Java writes it. The private key is
// decrypted on the way, as the form demands, and forgotten. Costs are bounded as
// for a key file; it fails with *KeyError, or with the cause if ctx ends.
func PKCS12Certificates(ctx context.Context, source string, data []byte, passphrase PassphraseFunc) ([]*x509.Certificate, error) {
	file := keyFile{source: source, data: data}
	switch {
	case len(data) > MaxKeyFile:
		return nil, file.fail("larger than %d bytes: not a key file", MaxKeyFile)
	case !looksLikePKCS12(data):
		return nil, file.fail("not a PKCS#12 file")
	}
	if err := boundKDF(data); err != nil {
		return nil, file.fail("the PKCS#12 file is refused: %s", err)
	}
	certs, err := file.openPKCS12(ctx, nil)
	if errors.Is(err, errEncrypted) {
		var secret []byte
		if secret, err = passphrase.ask(ctx, source); err != nil {
			return nil, err
		}
		certs, err = file.openPKCS12(ctx, secret)
		clear(secret)
	}
	return certs, err
}

func (f *keyFile) openPKCS12(ctx context.Context, passphrase []byte) ([]*x509.Certificate, error) {
	return withinTime(ctx, f.source, func() ([]*x509.Certificate, error) {
		_, leaf, above, err := pkcs12.DecodeChain(f.data, string(passphrase))
		if err == nil {
			return append([]*x509.Certificate{leaf}, above...), nil
		}
		if certs, storeErr := pkcs12.DecodeTrustStore(f.data, string(passphrase)); storeErr == nil {
			return certs, nil
		}
		switch {
		case !errors.Is(err, pkcs12.ErrIncorrectPassword) && !errors.Is(err, pkcs12.ErrDecryption):
			return nil, f.fail("the PKCS#12 file cannot be read: write its certificates as PEM (openssl pkcs12 -nokeys -in FILE -out CERTS.pem)")
		case passphrase == nil:
			return nil, errEncrypted
		}
		return nil, f.fail("the passphrase is wrong")
	})
}
