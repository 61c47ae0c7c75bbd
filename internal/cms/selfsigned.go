package cms

import (
	"bytes"
	"crypto/x509"
	"errors"
)

// SelfSigned says whether a certificate is signed by its own key. Old roots signed
// themselves with SHA-1, which crypto/x509 does not check any more: they count by
// their name. For a root that the operator chose that proves nothing anyway.
func SelfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		return false
	}
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure)
}
