package format

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/verifier"
)

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
