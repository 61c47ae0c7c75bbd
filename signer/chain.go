package signer

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/runwrit/writ/internal/cms"
)

// maxCerts is the number of certificates that may come with a key.
const maxCerts = 32

// readCertFile reads the X.509 certificates in a file, PEM, where blocks of other
// kinds are left alone, or DER; or returns the file if it holds an OpenPGP
// certificate.
func readCertFile(path string) (certs []*x509.Certificate, openPGP []byte, err error) {
	data, _, err := readKeyFile(path, false)
	if err != nil {
		return nil, nil, err
	}
	if looksLikeOpenPGP(data) {
		return nil, data, nil
	}
	certs, err = parseCerts(path, data)
	return certs, nil, err
}

func parseCerts(path string, data []byte) ([]*x509.Certificate, error) {
	if !looksLikePEM(data) {
		certs, err := x509.ParseCertificates(data)
		if err != nil || len(certs) == 0 || len(certs) > maxCerts {
			return nil, &KeyError{path, "not certificates in PEM or DER form"}
		}
		return certs, nil
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
		case "PKCS7":
			return nil, &KeyError{path, "PKCS#7: write its certificates as PEM (openssl pkcs7 -print_certs -in FILE -out CERT.pem)"}
		default:
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &KeyError{path, fmt.Sprintf("certificate %d in it cannot be read", len(certs)+1)}
		}
		if certs = append(certs, cert); len(certs) > maxCerts {
			return nil, &KeyError{path, fmt.Sprintf("more than %d certificates", maxCerts)}
		}
	}
	if len(certs) == 0 {
		return nil, &KeyError{path, "no certificate in the file"}
	}
	return certs, nil
}

// orderChain finds the certificate of the key, and the one above each as far as
// they go. It also says how many certificates it had no place for.
func orderChain(pub crypto.PublicKey, certs []*x509.Certificate) (chain []*x509.Certificate, unused int, err error) {
	var rest []*x509.Certificate
	for _, c := range certs {
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSABits {
			return nil, 0, fmt.Errorf("a certificate with an RSA key of more than %d bits", maxRSABits)
		}
		same := func(other *x509.Certificate) bool { return bytes.Equal(other.Raw, c.Raw) }
		switch {
		case slices.ContainsFunc(chain, same) || slices.ContainsFunc(rest, same):
		case samePublicKey(pub, c.PublicKey):
			chain = append(chain, c)
		default:
			rest = append(rest, c)
		}
	}
	switch {
	case len(rest)+len(chain) > maxCerts:
		return nil, 0, fmt.Errorf("more than %d certificates", maxCerts)
	case len(chain) == 0:
		return nil, 0, errors.New("none of the certificates belongs to the private key")
	case len(chain) > 1:
		return nil, 0, errors.New("several certificates belong to the private key: give only the one to sign with")
	}
	for {
		last := chain[len(chain)-1]
		above := slices.IndexFunc(rest, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil
		})
		if above < 0 {
			return chain, len(rest), nil
		}
		chain = append(chain, rest[above])
		rest = slices.Delete(rest, above, above+1)
	}
}

// withoutRoot leaves out the self-signed end of a chain: whoever verifies must
// have it already. A leaf stays.
func withoutRoot(chain []*x509.Certificate) []*x509.Certificate {
	for i, c := range chain {
		if i > 0 && cms.SelfSigned(c) {
			return slices.Clone(chain[:i])
		}
	}
	return slices.Clone(chain)
}
