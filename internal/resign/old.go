package resign

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/runwrit/writ/internal/pgpcert"
)

// Certificate is that of an old signer.
type Certificate struct {
	// IDs are the signer's, as verified signatures name it: the first is the one to
	// tell it by.
	IDs []string
	// OpenPGP says that it is an OpenPGP certificate, which a verifier needs to check
	// signatures. An X.509 certificate comes with each signature.
	OpenPGP bool
	// Public is the public key in PEM, which Sigstore bundles do not bring along; nil
	// for an OpenPGP certificate.
	Public []byte
}

// IDs are all names of the signer that has this ID: a public key is the same one in
// a certificate and in a bundle.
func IDs(id string) []string {
	if digest, is := strings.CutPrefix(id, "x509-spki:"); is {
		return []string{id, "sigstore-key:" + digest}
	}
	if digest, is := strings.CutPrefix(id, "sigstore-key:"); is {
		return []string{id, "x509-spki:" + digest}
	}
	return []string{id}
}

// ReadCertificate reads a file with an X.509 certificate, PEM or DER, the first of
// which is the signer's and any others those of authorities; or with one public key
// in PEM; or with one OpenPGP certificate, armored or binary.
func ReadCertificate(name string, data []byte) (Certificate, error) {
	if c, found, err := readX509(data); found || err != nil {
		if err != nil {
			err = fmt.Errorf("%q: %w", name, err)
		}
		return c, err
	}
	loader := pgpcert.NewLoader()
	if err := loader.Add(name, data); err != nil {
		return Certificate{}, fmt.Errorf("%q holds neither an X.509 certificate, nor a public key in PEM, nor an OpenPGP certificate: %w", name, err)
	}
	switch found := loader.Ring().Certificates(); len(found) {
	case 1:
		return Certificate{IDs: []string{"openpgp:" + found[0].Fingerprint}, OpenPGP: true}, nil
	case 0:
		return Certificate{}, fmt.Errorf("%q: %w", name, errors.New("its certificate cannot be used"))
	default:
		return Certificate{}, fmt.Errorf("%q holds %d certificates: want that of the old signer alone", name, len(found))
	}
}

// readX509 reads certificates, whatever text stands before and between them, or a
// public key; found is false for what is neither.
func readX509(data []byte) (c Certificate, found bool, err error) {
	const sequence = 0x30 // how DER begins, and no OpenPGP packet does
	if len(data) > 0 && data[0] == sequence {
		return ofChain([][]byte{data})
	}
	var chain, keys [][]byte
	if !bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) && !bytes.Contains(data, []byte("-----BEGIN PUBLIC KEY-----")) {
		return c, false, nil
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			chain = append(chain, block.Bytes)
		case "PUBLIC KEY":
			keys = append(keys, block.Bytes)
		}
	}
	switch {
	case len(chain) > 0 && len(keys) == 0:
		return ofChain(chain)
	case len(keys) == 1 && len(chain) == 0:
		return ofKey(keys[0])
	}
	return c, true, errors.New("it names more than one signer, or none: want the certificate of the old signer, or its public key alone")
}

// ofChain takes the first certificate for the signer's. One behind it that is no
// authority's is another signer's.
func ofChain(chain [][]byte) (Certificate, bool, error) {
	var leaf *x509.Certificate
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		switch {
		case err != nil:
			return Certificate{}, true, err
		case i == 0:
			leaf = c
		case !c.IsCA && !c.Equal(leaf):
			return Certificate{}, true, fmt.Errorf("certificate %d is that of another signer, and not of an authority: want that of the old signer alone", i+1)
		}
	}
	spki := leaf.RawSubjectPublicKeyInfo
	return Certificate{
		IDs: []string{"x509-sha256:" + digestOf(leaf.Raw), "sigstore-key:" + digestOf(spki)}, Public: publicPEM(spki),
	}, true, nil
}

func ofKey(spki []byte) (Certificate, bool, error) {
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return Certificate{}, true, errors.New("a public key that cannot be read")
	}
	if again, err := x509.MarshalPKIXPublicKey(public); err != nil || !bytes.Equal(again, spki) {
		return Certificate{}, true, errors.New("a public key that is not written as usual: write it again (openssl pkey -pubin)")
	}
	return Certificate{IDs: IDs("sigstore-key:" + digestOf(spki)), Public: publicPEM(spki)}, true, nil
}

func publicPEM(spki []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
