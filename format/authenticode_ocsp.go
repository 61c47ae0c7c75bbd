package format

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/runwrit/writ/internal/cms"
)

// ocspResponse is one OCSP response (RFC 6960) as it is asked about one
// certificate.
type ocspResponse struct {
	name    string
	der     []byte
	id      ocspCertID
	issuers vouched[*ocsp.Response]
}

type ocspCertID struct {
	Algorithm pkix.AlgorithmIdentifier
	Name, Key []byte // digests of the issuer's name and public key
	Serial    *big.Int
}

// ocspOuter and ocspBasic are read beside golang.org/x/crypto/ocsp, which neither
// compares the issuer that a response names nor shows its critical extensions.
type ocspOuter struct {
	Status   asn1.Enumerated
	Response struct {
		Type asn1.ObjectIdentifier
		DER  []byte
	} `asn1:"explicit,tag:0,optional"`
}

type ocspBasic struct {
	Data struct {
		Version    int `asn1:"optional,default:0,explicit,tag:0"`
		Responder  asn1.RawValue
		ProducedAt time.Time `asn1:"generalized"`
		Responses  []struct {
			ID         ocspCertID
			Status     asn1.RawValue
			ThisUpdate time.Time        `asn1:"generalized"`
			NextUpdate time.Time        `asn1:"generalized,explicit,tag:0,optional"`
			Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
		}
		Extensions []pkix.Extension `asn1:"explicit,tag:1,optional"`
	}
	Algorithm    pkix.AlgorithmIdentifier
	Signature    asn1.BitString
	Certificates []asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

// isOCSP tells a response from a list: it begins with a status.
func isOCSP(der []byte) bool {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return false
	}
	return bytes.HasPrefix(outer.Bytes, []byte{asn1.TagEnum, 1})
}

func (r *revocations) addOCSP(name string, der []byte) error {
	responses, err := parseOCSP(name, der)
	for _, o := range responses {
		key := string(o.id.Serial.Bytes())
		r.ocsp[key] = append(r.ocsp[key], o)
	}
	return err
}

func parseOCSP(name string, der []byte) ([]*ocspResponse, error) {
	var outer ocspOuter
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return nil, errors.New("an OCSP response that cannot be read")
	}
	if outer.Status != 0 {
		return nil, fmt.Errorf("an OCSP response that is an error, number %d", outer.Status)
	}
	var basic ocspBasic
	if rest, err := asn1.Unmarshal(outer.Response.DER, &basic); err != nil || len(rest) > 0 {
		return nil, errors.New("an OCSP response that cannot be read")
	}
	if slices.ContainsFunc(basic.Data.Extensions, func(e pkix.Extension) bool { return e.Critical }) {
		return nil, errors.New("an OCSP response with a critical extension, which is not known")
	}
	for _, raw := range basic.Certificates {
		if c, err := x509.ParseCertificate(raw.FullBytes); err != nil || cms.Oversized(c.PublicKey) {
			return nil, errors.New("an OCSP response with a certificate that cannot be used")
		}
	}
	var all []*ocspResponse
	for _, single := range basic.Data.Responses {
		// The library goes by the serial number alone.
		if slices.ContainsFunc(all, func(o *ocspResponse) bool { return o.id.Serial.Cmp(single.ID.Serial) == 0 }) {
			return nil, errors.New("an OCSP response that speaks of one serial number twice")
		}
		if _, err := invalidityDate(single.Extensions); err != nil {
			return nil, err
		}
		all = append(all, &ocspResponse{name: name, der: der, id: single.ID})
	}
	if len(all) == 0 {
		return nil, errors.New("an OCSP response about nothing")
	}
	return all, nil
}

// ask takes the answer about cert, which issuer has issued, if issuer or one
// that it has charged with this made the response.
func (o *ocspResponse) ask(cert, issuer *x509.Certificate, now time.Time) revocationAnswer {
	a := revocationAnswer{source: o.name}
	response, err := o.issuers.by(issuer, func() (*ocsp.Response, error) { return o.verify(cert, issuer) })
	if err != nil {
		a.why = err.Error()
		return a
	}
	if response.Status == ocsp.Unknown {
		a.why = "the responder does not know the certificate"
		return a
	}
	a.revoked = response.Status == ocsp.Revoked
	a.revocation = revocation{date: response.RevokedAt, reason: response.RevocationReason}
	a.invalid, _ = invalidityDate(response.Extensions) // it was read before
	a.fresh = fresh(response.ThisUpdate, response.NextUpdate, now) &&
		(response.Certificate == nil || inTime(response.Certificate, now))
	return a
}

func (o *ocspResponse) verify(cert, issuer *x509.Certificate) (*ocsp.Response, error) {
	if !o.id.names(issuer) {
		return nil, errors.New("it is about a certificate of another issuer")
	}
	response, err := ocsp.ParseResponseForCert(o.der, cert, issuer)
	if err != nil {
		return nil, errors.New("it is not signed by the issuer of the certificate")
	}
	// Any certificate of the issuer would do for the library, the signer's own too.
	if by := response.Certificate; by != nil && !bytes.Equal(by.Raw, issuer.Raw) &&
		(!bytes.Equal(by.RawIssuer, issuer.RawSubject) || !slices.Contains(by.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning)) {
		return nil, errors.New("it is signed by a certificate that is not for that")
	}
	return response, nil
}

// names compares the issuer that a response speaks of.
func (id ocspCertID) names(issuer *x509.Certificate) bool {
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Bits      asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &key); err != nil {
		return false
	}
	hash := map[string]crypto.Hash{
		"1.3.14.3.2.26": crypto.SHA1, "2.16.840.1.101.3.4.2.1": crypto.SHA256,
		"2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
	}[id.Algorithm.Algorithm.String()]
	if hash == 0 || !hash.Available() {
		return false
	}
	sum := func(b []byte) []byte {
		h := hash.New()
		h.Write(b)
		return h.Sum(nil)
	}
	return bytes.Equal(sum(issuer.RawSubject), id.Name) && bytes.Equal(sum(key.Bits.RightAlign()), id.Key)
}
