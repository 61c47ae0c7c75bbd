package format

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// parseAnchors reads PEM with nothing but certificates, or DER.
func parseAnchors(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	rest := data
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a PEM block of type %q where only certificates belong", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	// The decoder passes over a block that it cannot read, such as one behind a
	// byte-order mark; an anchor must not go missing in silence.
	if n := bytes.Count(data, []byte("-----BEGIN ")); n > len(certs) {
		return nil, fmt.Errorf("%d of %d PEM blocks cannot be read", n-len(certs), n)
	}
	if len(certs) > 0 {
		return certs, nil
	}
	certs, err := x509.ParseCertificates(data)
	if err != nil || len(certs) == 0 {
		return nil, errors.New("neither certificates in PEM nor in DER")
	}
	return certs, nil
}

// timeless returns c as if it were valid for ever.
func timeless(c *x509.Certificate) *x509.Certificate {
	forever := *c
	forever.NotBefore = time.Time{}
	forever.NotAfter = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	return &forever
}

// issued returns the certificates of the bag that lead to an authority of the
// store, each by a signature that was checked. What else is in a bag cannot
// complete a chain, and may be there to keep a verifier busy: many authorities of
// one name, with keys that take long. So only keys of authorities are ever used.
func (a *authenticodeAnchors) issued(bag []*x509.Certificate) []*x509.Certificate {
	var good []*x509.Certificate
	issuers := a.bySubject
	for len(issuers) > 0 {
		next := map[string][]*x509.Certificate{}
		for _, c := range bag {
			if holds(good, c) || !slices.ContainsFunc(issuers[string(c.RawIssuer)], func(by *x509.Certificate) bool {
				return by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
			}) {
				continue
			}
			good = append(good, c)
			if c.IsCA {
				next[string(c.RawSubject)] = append(next[string(c.RawSubject)], c)
			}
		}
		issuers = next
	}
	return good
}

// chains builds chains from leaf to the roots, with those of the bag that the
// store has issued.
func (a *authenticodeAnchors) chains(leaf *x509.Certificate, bag []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) ([][]*x509.Certificate, error) {
	return buildChains(leaf, bag, a.intermediates, a.roots, usage, now)
}

func (a *authenticodeAnchors) timelessChains(leaf *x509.Certificate, bag []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time) ([][]*x509.Certificate, error) {
	var forever []*x509.Certificate
	for _, c := range slices.Concat(bag, a.intermediates) {
		forever = append(forever, timeless(c))
	}
	return buildChains(timeless(leaf), forever, nil, a.timelessRoots, usage, now)
}

func buildChains(leaf *x509.Certificate, bag, more []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage, now time.Time) ([][]*x509.Certificate, error) {
	pool := x509.NewCertPool()
	for _, c := range bag {
		pool.AddCert(c)
	}
	for _, c := range more {
		pool.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return nil, err
	}
	chains = slices.DeleteFunc(chains, func(chain []*x509.Certificate) bool {
		return slices.ContainsFunc(chain[1:], constrainsUnreadNames)
	})
	if len(chains) == 0 {
		return nil, errors.New("an authority of the chain has name constraints of a kind that cannot be evaluated")
	}
	return chains, nil
}

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

type generalSubtree struct{ Base asn1.RawValue }

// constrainsUnreadNames tells whether c limits names of a kind that crypto/x509
// does not look at, such as directory names. It refuses them itself if they are
// marked critical, as RFC 5280, 4.2.1.10 demands, and ignores them if not.
func constrainsUnreadNames(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidNameConstraints) {
			continue
		}
		var names struct {
			Permitted []generalSubtree `asn1:"optional,tag:0"`
			Excluded  []generalSubtree `asn1:"optional,tag:1"`
		}
		if rest, err := asn1.Unmarshal(e.Value, &names); err != nil || len(rest) > 0 {
			return true
		}
		for _, s := range slices.Concat(names.Permitted, names.Excluded) {
			switch s.Base.Tag {
			case 1, 2, 6, 7: // mail, DNS, URI, IP
			default:
				return true
			}
		}
	}
	return false
}
