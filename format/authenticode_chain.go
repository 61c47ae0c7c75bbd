package format

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
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

// selfSigned: old roots signed themselves with SHA-1, which crypto/x509 does not
// check any more. For a root that the operator chose that proves nothing anyway.
func selfSigned(c *x509.Certificate) bool {
	if !bytes.Equal(c.RawSubject, c.RawIssuer) {
		return false
	}
	err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	return err == nil || errors.As(err, &insecure)
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

// checkChain makes the checks of the signer's certificate, and returns the chain
// that they stand on, leaf first; nil if there is none. Whose certificate a
// signature names means nothing where its value does not fit. Each store judges
// by itself, and the first that trusts the signer is the one that counts; without
// one, that which comes closest explains why not.
func (x *authenticodeExam) checkChain(sd *cms.SignedData, leaf *x509.Certificate) []*x509.Certificate {
	if !x.has(verifier.CheckSignature, verifier.StatusPassed) {
		return nil
	}
	var best authenticodeExam
	var chain []*x509.Certificate
	closest := -1
	for _, store := range x.trust.stores {
		trial := *x
		trial.anchors = store
		trial.signature.Checks = slices.Clone(x.signature.Checks)
		trial.findings = slices.Clone(x.findings)
		found := trial.checkChainIn(sd, leaf)
		if near := trial.nearness(found); near > closest {
			best, chain, closest = trial, found, near
		}
	}
	*x = best
	if x.has(verifier.CheckTrust, verifier.StatusPassed) {
		x.signature.TrustStore = x.anchors.name
	}
	return chain
}

// nearness is how close a store comes to trusting the signer, by the checks that
// a store has a say in. One that knows the authority comes before one that does
// not.
func (x *authenticodeExam) nearness(chain []*x509.Certificate) int {
	verdict := verifier.Valid
	for _, c := range x.signature.Checks {
		switch c.ID {
		case verifier.CheckTrust, verifier.CheckValidity, verifier.CheckKeyUsage, verifier.CheckAlgorithms, verifier.CheckRevocation:
			if c.Status == verifier.StatusFailed {
				verdict = verifier.Worst(verdict, verifier.JudgeChecks([]verifier.Check{c}))
			}
		default:
		}
	}
	near := verdict.Rank()
	if chain != nil {
		near += len(verifier.Verdicts())
	}
	return near
}

// checkChainIn asks one store, x.anchors.
func (x *authenticodeExam) checkChainIn(sd *cms.SignedData, leaf *x509.Certificate) []*x509.Certificate {
	if chain := x.anchors.memo.get(keyOf(leaf, sd.Certificates), x.at); chain != nil {
		x.chainAgreed = true
		x.chainPassed(chain)
		x.checkRevocation(chain)
		return chain
	}
	leafErr := mayVerifyCode(leaf)
	if leafErr != nil {
		x.failed(verifier.CheckKeyUsage, "%v", leafErr)
	}
	bag := x.anchors.issued(sd.Certificates)
	chains, err := x.anchors.chains(leaf, bag, x509.ExtKeyUsageCodeSigning, x.at)
	if err != nil {
		chains = x.diagnoseChain(bag, leaf, err)
		if chains == nil {
			return nil
		}
	} else {
		x.chainPassed(chains[0])
		if leafErr != nil {
			x.failed(verifier.CheckKeyUsage, "%v", leafErr)
		}
	}
	pinned := x.anchors.pinned(chains)
	if len(pinned) == 0 {
		x.failed(verifier.CheckTrust, "the chain is good, and no pin names the signer%s: %s, subject %q, issuer %q",
			x.anchors.where(), certificateIDs(leaf)[0], exactName(leaf.RawSubject), exactName(leaf.RawIssuer))
		x.checkRevocation(chains[0])
		return chains[0]
	}
	chain := strongest(pinned)
	if weak := weakIn(chain); weak != nil {
		x.failed(verifier.CheckAlgorithms, "the chain has a weak key, of %q: %s", weak.Subject.String(), keyAlgorithm(weak))
	}
	if c := x.unvouched(sd, chains); c != nil {
		x.failed(verifier.CheckTrust, "the signature carries a certificate, of %q by %q, that nothing in the chain or the trust store vouches for",
			c.Subject.String(), c.Issuer.String())
		return nil
	}
	x.trustPassed(chain)
	x.checkRevocation(chain)
	return chain
}

// Details of what passed.
const (
	trustDetail    = "chain of %d certificates to %q%s"
	validityDetail = "every certificate of the chain is in its time"
	usageDetail    = "code signing, for each certificate of the chain"
)

func (x *authenticodeExam) trustPassed(chain []*x509.Certificate) {
	x.passed(verifier.CheckTrust, trustDetail, len(chain), chain[len(chain)-1].Subject.String(), x.anchors.where())
}

func (x *authenticodeExam) chainPassed(chain []*x509.Certificate) {
	x.trustPassed(chain)
	x.passed(verifier.CheckValidity, validityDetail)
	x.passed(verifier.CheckKeyUsage, usageDetail)
}

// remember keeps a chain for the next file, if nothing at all was wrong with it
// and it does not stand on exceptions.
func (x *authenticodeExam) remember(sd *cms.SignedData, leaf *x509.Certificate, chain []*x509.Certificate) {
	if chain == nil || x.chainAgreed || verifier.JudgeChecks(x.signature.Checks) != verifier.Valid || hasLegacyTimestamp(sd) {
		return
	}
	x.anchors.memo.put(keyOf(leaf, sd.Certificates), chain)
}

// diagnoseChain finds out why there is no chain for code signing now: no way to
// a root at all, a certificate out of its time, or one for another purpose. It
// returns the chains that there are if these are put aside.
func (x *authenticodeExam) diagnoseChain(bag []*x509.Certificate, leaf *x509.Certificate, why error) [][]*x509.Certificate {
	chains, err := x.anchors.timelessChains(leaf, bag, x509.ExtKeyUsageAny, x.at)
	if err != nil {
		x.failed(verifier.CheckTrust, "%v", err)
		if !inTime(leaf, x.at) {
			x.failed(verifier.CheckValidity, "%s", outOfTime(leaf, x.at))
		}
		return nil
	}
	if _, err := x.anchors.chains(leaf, bag, x509.ExtKeyUsageAny, x.at); err != nil {
		x.failed(verifier.CheckValidity, "%s", whoIsOutOfTime(chains, x.at, err))
	} else {
		x.passed(verifier.CheckValidity, validityDetail)
	}
	if _, err := x.anchors.timelessChains(leaf, bag, x509.ExtKeyUsageCodeSigning, x.at); err != nil {
		x.failed(verifier.CheckKeyUsage, "the chain is not for code signing: %v", err)
	} else if !x.has(verifier.CheckKeyUsage, verifier.StatusFailed) {
		x.passed(verifier.CheckKeyUsage, usageDetail)
	}
	if x.has(verifier.CheckValidity, verifier.StatusPassed) && x.has(verifier.CheckKeyUsage, verifier.StatusPassed) {
		// Each holds for some chain, and no chain for both.
		x.failed(verifier.CheckTrust, "%v", why)
		return nil
	}
	return chains
}

// checkClaimedTime: the time that a signer claims proves nothing for a signature,
// but a certificate that was not in its time just then speaks against it.
func (x *authenticodeExam) checkClaimedTime(sd *cms.SignedData, leaf *x509.Certificate) {
	if x.has(verifier.CheckSignature, verifier.StatusPassed) && !claimsToBeInTime(sd, leaf) {
		at := sd.Signer.SigningTime
		x.failed(verifier.CheckValidity, "the signature claims to be of %s, and %s", at.Format(time.RFC3339), outOfTime(leaf, at))
	}
}

func claimsToBeInTime(sd *cms.SignedData, leaf *x509.Certificate) bool {
	return sd.Signer.SigningTime.IsZero() || inTime(leaf, sd.Signer.SigningTime)
}

func inTime(c *x509.Certificate, now time.Time) bool {
	return !now.Before(c.NotBefore) && !now.After(c.NotAfter)
}

func outOfTime(c *x509.Certificate, now time.Time) string {
	if now.Before(c.NotBefore) {
		return fmt.Sprintf("the certificate of %q is valid only from %s", c.Subject.String(), c.NotBefore.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("the certificate of %q expired at %s", c.Subject.String(), c.NotAfter.UTC().Format(time.RFC3339))
}

// whoIsOutOfTime names the certificate; the chains are without dates, so those
// are read again.
func whoIsOutOfTime(chains [][]*x509.Certificate, now time.Time, err error) string {
	for _, c := range chains[0] {
		if dated, perr := x509.ParseCertificate(c.Raw); perr == nil && !inTime(dated, now) {
			return outOfTime(dated, now)
		}
	}
	return err.Error()
}

var oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15}

// mayVerifyCode: the leaf must say itself that it is for code signing. Without a
// key-usage extension a key may be used for everything (RFC 5280, 4.2.1.3).
func mayVerifyCode(leaf *x509.Certificate) error {
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageCodeSigning) {
		return errors.New("the certificate is not for code signing (extended key usage 1.3.6.1.5.5.7.3.3)")
	}
	restricted := slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidKeyUsage) })
	if restricted && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return errors.New("the key usage of the certificate does not allow digital signatures")
	}
	return nil
}

// strongest prefers a chain without a weak key.
func strongest(chains [][]*x509.Certificate) []*x509.Certificate {
	for _, chain := range chains {
		if weakIn(chain) == nil {
			return chain
		}
	}
	return chains[0]
}

func weakIn(chain []*x509.Certificate) *x509.Certificate {
	for _, c := range chain {
		if cms.WeakKey(c.PublicKey) {
			return c
		}
	}
	return nil
}

// unvouched returns a certificate of the signature that is not part of a chain,
// nor in the trust store, nor signed by one that is: bytes that anybody could
// have put there or changed. The certificates of a legacy timestamp stand there
// too; those of one that cannot be relied on are reported.
func (x *authenticodeExam) unvouched(sd *cms.SignedData, chains [][]*x509.Certificate) *x509.Certificate {
	good := map[string][]*x509.Certificate{}
	for _, c := range slices.Concat(chains...) {
		good[string(c.RawSubject)] = append(good[string(c.RawSubject)], c)
	}
	for _, c := range sd.Certificates {
		if holds(good[string(c.RawSubject)], c) || holds(x.trust.vouchers[string(c.RawSubject)], c) {
			continue
		}
		issuers := slices.Concat(good[string(c.RawIssuer)], x.trust.vouchers[string(c.RawIssuer)])
		if slices.ContainsFunc(issuers, func(by *x509.Certificate) bool {
			return by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
		}) {
			continue
		}
		if holds(x.vouched, c) {
			continue
		}
		if !hasLegacyTimestamp(sd) {
			return c
		}
		x.find("extra-certificate", 0, fmt.Sprintf("a certificate of %q that is not part of the signer's chain", c.Subject.String()), "")
	}
	return nil
}

func holds(list []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(list, func(o *x509.Certificate) bool { return bytes.Equal(o.Raw, c.Raw) })
}

func hasLegacyTimestamp(sd *cms.SignedData) bool {
	return slices.ContainsFunc(sd.Signer.Unsigned, func(a cms.Attribute) bool { return a.Type == cms.OIDCountersign })
}
