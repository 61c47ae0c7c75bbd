package format

import (
	"crypto/x509"

	"github.com/runwrit/writ/internal/cms"
)

// CertificateFacts is what there is to say of a certificate by itself, in the
// words of reports and policies.
type CertificateFacts struct {
	Subject, Issuer string   // as pins write them
	IDs             []string // by its bytes, and by its key
	Algorithm       string   // of its key, such as "rsa3072"
	Weak            bool     // the key is too short
	Oversized       bool     // the key is so large that no trust store takes it
	SelfSigned      bool     // a root, where a trust store holds it
	// Authority says that it may sign certificates.
	Authority bool
}

// DescribeCertificate says what there is to say of a certificate.
func DescribeCertificate(c *x509.Certificate) CertificateFacts {
	f := CertificateFacts{
		Subject: exactName(c.RawSubject), Issuer: exactName(c.RawIssuer), IDs: certificateIDs(c), Algorithm: keyAlgorithm(c),
		Weak: cms.WeakKey(c.PublicKey), Oversized: cms.Oversized(c.PublicKey),
	}
	f.SelfSigned = !f.Oversized && cms.SelfSigned(c)
	// As crypto/x509 has it: of version 1, every certificate may.
	f.Authority = (c.Version < 3 || c.BasicConstraintsValid && c.IsCA) && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
	return f
}

// ReadAnchors reads a file of the room x509-ca or tsa: PEM with nothing but
// certificates, or DER.
func ReadAnchors(data []byte) ([]*x509.Certificate, error) { return parseAnchors(data) }
