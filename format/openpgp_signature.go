package format

import (
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/verifier"
)

// openpgpJudge judges OpenPGP signatures, whatever container they came in. It is
// safe for several goroutines.
type openpgpJudge struct {
	format string // the name of the signature format, for reports
	ring   *pgpcert.Ring
	lists  *verifier.TrustStore // for its deny lists
}

// loadOpenPGP reads the certificates of the trust store.
func loadOpenPGP(format string, t *verifier.TrustStore) (openpgpJudge, error) {
	loader := pgpcert.NewLoader()
	for _, f := range t.Files(verifier.RoomOpenPGP) {
		if err := loader.Add(f.Name, f.Data); err != nil {
			return openpgpJudge{}, &verifier.TrustError{Path: f.Name, Err: err}
		}
	}
	return openpgpJudge{format: format, ring: loader.Ring(), lists: t}, nil
}

// formRule is what a container demands of a signature, whoever made it; it
// returns the checks that the signature fails.
type formRule func(*pgpcert.Signature) []verifier.Check

// judge makes all checks of one signature. Where several certificates hold a key
// that the signature may be by, each is tried and the best outcome counts.
func (c *openpgpJudge) judge(p *parsedSignature, rule formRule, now time.Time) (verifier.Signature, []verifier.Finding) {
	out := verifier.Signature{Format: c.format, SignedAtSource: verifier.TimeNone}
	if p.err != nil {
		out.Checks = []verifier.Check{verifier.Failed(verifier.CheckStructure, "%v", p.err)}
		return out, nil
	}
	out.Digest = strings.ToLower(p.HashName())
	out.Signer.KeyID = p.Issuer()
	if !p.Created.IsZero() {
		out.SignedAt, out.SignedAtSource = p.Created, verifier.TimeClaimed
	}
	unsupported := verifier.Failed(verifier.CheckSupported, "%s cannot be checked", p.Unsupported)
	switch {
	case p.WeakHash() && p.Hash == 0:
		out.Checks = []verifier.Check{verifier.Failed(verifier.CheckAlgorithms, "the digest is %s", p.HashName())}
		return out, nil
	case p.Hash == 0, p.Unsupported != "" && len(p.candidates) > 0:
		out.Checks = []verifier.Check{unsupported}
		return out, nil
	}
	form := rule(p.Signature)
	if p.Unsupported != "" { // the algorithm of a key that is not known either
		form = append(form, unsupported)
	}
	if p.digest == nil {
		return c.unknownSigner(out, p, form)
	}
	denied := c.denied(p.candidates)
	best, findings := judgeKey(out, p.candidates[0], p, form, denied, now)
	for _, key := range p.candidates[1:] {
		other, notes := judgeKey(out, key, p, form, denied, now)
		if verifier.JudgeChecks(other.Checks).Rank() > verifier.JudgeChecks(best.Checks).Rank() {
			best, findings = other, notes
		}
	}
	return best, findings
}

// denied is the entry of a deny list that names the key, or a certificate that
// holds it; "" without one.
func (c *openpgpJudge) denied(keys []*pgpcert.Key) string {
	var ids []string
	for _, key := range keys {
		ids = append(ids, "openpgp:"+key.Fingerprint, "openpgp:"+key.Certificate().Fingerprint)
	}
	if denial, hit := c.lists.Denied(ids...); hit {
		return denial.String()
	}
	return ""
}

// unknownSigner finishes a signature by a key that no certificate holds.
func (c *openpgpJudge) unknownSigner(out verifier.Signature, p *parsedSignature, form []verifier.Check) (verifier.Signature, []verifier.Finding) {
	out.Checks = append(form,
		verifier.Check{ID: verifier.CheckContentDigest, Status: verifier.StatusUnknown, Detail: "not checked: the signer's key is not known"},
		verifier.Check{ID: verifier.CheckSignature, Status: verifier.StatusUnknown, Detail: "not checked: the signer's key is not known"},
		verifier.Failed(verifier.CheckTrust, "no certificate in the trust store has the key %s", p.Issuer()))
	var findings []verifier.Finding
	for _, n := range c.ring.Unusable(p.Signature) {
		findings = append(findings, verifier.Finding{
			Code:   "certificate-unusable",
			Detail: fmt.Sprintf("the trust store has a certificate that cannot be used: %v", n),
			Fix:    "replace the certificate in the trust store by a fresh export of it",
		})
	}
	return out, findings
}

// judgeKey makes the checks of a signature under one key. A signer is named only
// where the signature is proved to be by that key and the key to be of that
// certificate.
func judgeKey(out verifier.Signature, key *pgpcert.Key, p *parsedSignature, form []verifier.Check, denied string, now time.Time) (verifier.Signature, []verifier.Finding) {
	j := key.Judge(now)
	proof := prove(key, p)
	cert := key.Certificate()
	out.Signer.KeyID = key.Fingerprint
	out.Signer.Algorithm = key.Algorithm
	out.Signer.Display = cert.Name
	out.Signer.NotAfter = j.NotAfter
	if proof.Valid && j.Trust == "" {
		out.Signer.IDs = []string{"openpgp:" + cert.Fingerprint}
	}
	validity := key.JudgeTime(p.Signature, now)
	if validity == "" {
		validity = j.Validity
	}
	given := []struct {
		id      verifier.CheckID
		problem string
		fine    string
	}{
		{verifier.CheckStructure, tagProblem(proof), "one well-made signature packet"},
		{verifier.CheckSupported, j.Supported, fmt.Sprintf("version %d, %s", p.Version, key.Algorithm)},
		{verifier.CheckAlgorithms, j.Algorithms, fmt.Sprintf("%s with %s", key.Algorithm, p.HashName())},
		{verifier.CheckContentDigest, digestProblem(proof), "the text is the one that was signed"},
		{verifier.CheckSignature, valueProblem(proof), "made by the key " + key.Fingerprint},
		{verifier.CheckTrust, j.Trust, "the certificate " + cert.Fingerprint + " is in the trust store"},
		{verifier.CheckValidity, validity, "certificate, key and signature are in their time"},
		{verifier.CheckRevocation, j.Revocation, "neither certificate nor key is revoked"},
		{verifier.CheckKeyUsage, j.KeyUsage, "the key may sign data"},
		{verifier.CheckDeny, denied, "no deny list names the key or its certificate"},
	}
	for _, g := range given {
		check := verifier.Passed(g.id, "%s", g.fine)
		if i := slices.IndexFunc(form, func(f verifier.Check) bool { return f.ID == g.id }); i >= 0 {
			check = form[i]
		} else if g.problem != "" {
			check = verifier.Failed(g.id, "%s", g.problem)
		}
		out.Checks = append(out.Checks, check)
	}
	if key.Bits > 0 && key.Bits < pgpcert.RecommendedRSA {
		return out, []verifier.Finding{{
			Code:   "short-key",
			Detail: fmt.Sprintf("the signing key %s is %s; %d bits are recommended", key.Fingerprint, key.Algorithm, pgpcert.RecommendedRSA),
		}}
	}
	return out, nil
}

// prove checks the signature's value on a copy of the hash of the text.
func prove(key *pgpcert.Key, p *parsedSignature) pgpcert.Proof {
	cloner, ok := p.digest.(hash.Cloner)
	if !ok {
		return pgpcert.Proof{}
	}
	clone, err := cloner.Clone()
	if err != nil {
		return pgpcert.Proof{}
	}
	return key.Verify(p.Signature, clone)
}

func tagProblem(p pgpcert.Proof) string {
	if p.Valid && !p.TagMatches {
		return "the packet names the wrong first bytes of the digest, although the signature is good"
	}
	return ""
}

// digestProblem: OpenPGP signs no digest that could be read back. If even the
// first bytes that the packet names differ, the text is not the one that was
// signed; if they are right, it is the signature that is wrong.
func digestProblem(p pgpcert.Proof) string {
	if !p.Valid && !p.TagMatches {
		return "the text, or the signed part of the signature packet, was changed after signing"
	}
	return ""
}

func valueProblem(p pgpcert.Proof) string {
	if !p.Valid {
		return "the signature does not verify under the key that it names"
	}
	return ""
}
