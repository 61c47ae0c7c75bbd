package resign

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/runwrit/writ/internal/pgpcert"
)

// Certificate is that of an old signer.
type Certificate struct {
	// ID is the signer's, as verified signatures name it.
	ID string
	// OpenPGP says that it is an OpenPGP certificate, which a verifier needs to check
	// signatures. An X.509 certificate comes with each signature.
	OpenPGP bool
}

// ReadCertificate reads a file with an X.509 certificate, PEM or DER, the first of
// which is the signer's, or with one OpenPGP certificate, armored or binary.
func ReadCertificate(name string, data []byte) (Certificate, error) {
	if der, found := firstCertificate(data); found {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return Certificate{}, fmt.Errorf("%q: %w", name, err)
		}
		sum := sha256.Sum256(c.Raw)
		return Certificate{ID: "x509-sha256:" + hex.EncodeToString(sum[:])}, nil
	}
	loader := pgpcert.NewLoader()
	if err := loader.Add(name, data); err != nil {
		return Certificate{}, fmt.Errorf("%q holds neither an X.509 certificate nor an OpenPGP certificate: %w", name, err)
	}
	switch found := loader.Ring().Certificates(); len(found) {
	case 1:
		return Certificate{ID: "openpgp:" + found[0].Fingerprint, OpenPGP: true}, nil
	case 0:
		return Certificate{}, fmt.Errorf("%q: %w", name, errors.New("its certificate cannot be used"))
	default:
		return Certificate{}, fmt.Errorf("%q holds %d certificates: want that of the old signer alone", name, len(found))
	}
}

// firstCertificate returns the first certificate of PEM, whatever stands before it,
// or what may be one in DER.
func firstCertificate(data []byte) ([]byte, bool) {
	const sequence = 0x30 // how DER begins, and no OpenPGP packet does
	if len(data) > 0 && data[0] == sequence {
		return data, true
	}
	if !bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) {
		return nil, false
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return block.Bytes, true
		}
	}
	return nil, false
}
