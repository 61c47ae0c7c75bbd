package format

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
)

// ForceSign signs with whatever key and certificates it is given, as no signer
// of ours would.
func ForceSign(source []byte, key crypto.Signer, chain []*x509.Certificate) ([]byte, error) {
	return ForceSignAs("job.ps1", "job.ps1", source, key, chain)
}

// ForceSignAs puts the signature of a file of one name into one of another.
func ForceSignAs(from, to string, source []byte, key crypto.Signer, chain []*x509.Certificate) ([]byte, error) {
	signed, _ := authscript.StyleOf(from)
	style, _ := authscript.StyleOf(to)
	s, err := authscript.New(style, source)
	if err != nil {
		return nil, err
	}
	h := crypto.SHA256.New()
	if err := s.WriteSigned(h, s.Encoding); err != nil {
		return nil, err
	}
	s.Block, err = signIndirectData(signed, h.Sum(nil), crypto.SHA256, key, chain)
	return s.Render(), err
}

// TimestamperChain builds a chain for a timestamp's signer to the topmost of the
// authorities that came with it, as if they were anchors.
func TimestamperChain(by *x509.Certificate, t *cms.Timestamp) error {
	roots := x509.NewCertPool()
	for _, c := range t.Certificates {
		if c.IsCA && !slices.ContainsFunc(t.Certificates, func(o *x509.Certificate) bool {
			return !bytes.Equal(c.Raw, o.Raw) && bytes.Equal(c.RawIssuer, o.RawSubject)
		}) {
			roots.AddCert(c)
		}
	}
	a := &authenticodeAnchors{roots: roots, bySubject: map[string][]*x509.Certificate{}}
	for _, c := range t.Certificates {
		a.bySubject[string(c.RawSubject)] = append(a.bySubject[string(c.RawSubject)], c)
	}
	_, err := a.timestamperChain(by, t)
	return err
}

// IssuedBelow returns the certificates of the bag that may complete a chain to the
// authorities in ca.
func IssuedBelow(ca []byte, bag []*x509.Certificate) ([]*x509.Certificate, error) {
	a := newAuthenticodeAnchors("")
	_, err := a.add(ca)
	return a.issued(bag), err
}

// RevocationHoldsAt tells whether a revocation counts for what was signed at at.
func RevocationHoldsAt(date, invalid time.Time, reason int, at time.Time) bool {
	return revocation{date: date, invalid: invalid, reason: reason}.holdsAt(at)
}

// ForceSignReading signs bytes without a byte-order mark as text of a code page;
// 65001 is UTF-8.
func ForceSignReading(name string, source []byte, codePage int, key crypto.Signer, chain []*x509.Certificate) ([]byte, error) {
	style, _ := authscript.StyleOf(name)
	s, err := authscript.New(style, source)
	if err != nil {
		return nil, err
	}
	reading := authscript.UTF8
	if codePage != 65001 {
		reading, _ = authscript.CodePage(codePage)
	}
	h := crypto.SHA256.New()
	if err := s.WriteSigned(h, reading); err != nil {
		return nil, err
	}
	s.Block, err = signIndirectData(style, h.Sum(nil), crypto.SHA256, key, chain)
	return s.Render(), err
}
