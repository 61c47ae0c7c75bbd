package format

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

// crlFile is one revocation list (RFC 5280, 5), with its entries by serial
// number.
type crlFile struct {
	name    string
	list    *x509.RevocationList // without its entries
	entries map[string]revocation
	scope   crlScope
	issuers vouched[struct{}]
}

// crlScope is what a list is about: everything that its issuer has issued, or
// the part that its issuing distribution point names.
type crlScope struct {
	onlyUser, onlyCA bool
	points           []string // URIs; nil for no limit
}

// parseCRL reads a list in DER, and refuses the kinds of list that are not
// honoured: delta, indirect, for some reasons only, and those with critical
// extensions that nobody here knows.
func parseCRL(name string, der []byte) (*crlFile, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, errors.New("neither revocation lists in PEM nor one in DER nor an OCSP response")
	}
	if len(list.Raw) != len(der) {
		return nil, errors.New("bytes behind the revocation list")
	}
	l := &crlFile{name: name, list: list, entries: make(map[string]revocation, len(list.RevokedCertificateEntries))}
	if err := l.readExtensions(); err != nil {
		return nil, err
	}
	for _, e := range list.RevokedCertificateEntries {
		r := revocation{date: e.RevocationTime, reason: e.ReasonCode}
		if r.invalid, err = invalidityDate(e.Extensions); err != nil {
			return nil, err
		}
		key := string(e.SerialNumber.Bytes())
		if _, twice := l.entries[key]; twice {
			r.reason, r.invalid = reasonKeyCompromise, time.Time{} // the strictest reading of both
		}
		l.entries[key] = r
	}
	list.RevokedCertificateEntries = nil
	list.RevokedCertificates = nil //nolint:staticcheck // it is deprecated, and holds as much memory as the other
	return l, nil
}

func (l *crlFile) readExtensions() error {
	for _, e := range l.list.Extensions {
		switch id := e.Id.String(); {
		case id == "2.5.29.27":
			return errors.New("a delta list: it tells only what changed, and is not honoured; get the complete one")
		case id == "2.5.29.28":
			if err := l.readScope(e.Value); err != nil {
				return err
			}
		case id == "2.5.29.35" || id == "2.5.29.20": // authority key identifier, number
		case e.Critical:
			return fmt.Errorf("a list with the critical extension %s, which is not known", id)
		}
	}
	return nil
}

// readScope reads the issuing distribution point (RFC 5280, 5.2.5).
func (l *crlFile) readScope(value []byte) error {
	var point struct {
		Name       asn1.RawValue  `asn1:"optional,tag:0"`
		OnlyUser   bool           `asn1:"optional,tag:1"`
		OnlyCA     bool           `asn1:"optional,tag:2"`
		Reasons    asn1.BitString `asn1:"optional,tag:3"`
		Indirect   bool           `asn1:"optional,tag:4"`
		Attributes bool           `asn1:"optional,tag:5"`
	}
	rest, err := asn1.Unmarshal(value, &point)
	switch {
	case err != nil || len(rest) > 0:
		return errors.New("an issuing distribution point that cannot be read")
	case point.Indirect:
		return errors.New("an indirect list: it speaks for other authorities, and is not honoured")
	case point.Reasons.BitLength > 0 || point.Attributes:
		return errors.New("a list for some reasons only, or for attribute certificates, is not honoured")
	}
	l.scope.onlyUser, l.scope.onlyCA = point.OnlyUser, point.OnlyCA
	if len(point.Name.FullBytes) == 0 {
		return nil
	}
	var names []asn1.RawValue
	if rest, err := asn1.UnmarshalWithParams(point.Name.Bytes, &names, "tag:0"); err != nil || len(rest) > 0 {
		return errors.New("a list for a distribution point of a relative name is not honoured")
	}
	for _, name := range names {
		l.scope.points = append(l.scope.points, "") // so that a name of another kind fits nothing
		if name.Class == asn1.ClassContextSpecific && name.Tag == 6 {
			l.scope.points = append(l.scope.points, string(name.Bytes))
		}
	}
	return nil
}

// covers tells whether the list would have an entry for cert if it were revoked.
func (s crlScope) covers(cert *x509.Certificate) bool {
	if s.onlyUser && cert.IsCA || s.onlyCA && !cert.IsCA {
		return false
	}
	return s.points == nil || slices.ContainsFunc(cert.CRLDistributionPoints, func(uri string) bool {
		return uri != "" && slices.Contains(s.points, uri)
	})
}

// ask looks up cert, which issuer has issued, if issuer made the list.
func (l *crlFile) ask(cert, issuer *x509.Certificate, now time.Time) revocationAnswer {
	a := revocationAnswer{source: l.name}
	_, err := l.issuers.by(issuer, func() (struct{}, error) {
		if !bytes.Equal(l.list.RawIssuer, issuer.RawSubject) {
			return struct{}{}, errors.New("of another issuer")
		}
		return struct{}{}, l.list.CheckSignatureFrom(issuer)
	})
	if err != nil {
		a.why = fmt.Sprintf("not signed by the issuer of the certificate: %v", err)
		return a
	}
	a.revocation, a.revoked = l.entries[serialKey(cert)]
	if !a.revoked && !l.scope.covers(cert) {
		a.why = "it is about other certificates of the issuer"
	}
	a.fresh = fresh(l.list.ThisUpdate, l.list.NextUpdate, now)
	return a
}
