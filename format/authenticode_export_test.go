package format

import (
	"crypto"
	"crypto/x509"

	"github.com/runwrit/writ/internal/authscript"
)

// ForceSign signs with whatever key and certificates it is given, as no signer
// of ours would.
func ForceSign(source []byte, key crypto.Signer, chain []*x509.Certificate) ([]byte, error) {
	s := &authscript.Script{Encoding: authscript.Detect(source), Content: source}
	h := crypto.SHA256.New()
	if err := s.WriteSigned(h, s.Encoding); err != nil {
		return nil, err
	}
	var err error
	s.Block, err = signIndirectData(h.Sum(nil), crypto.SHA256, key, chain)
	return s.Render(), err
}
