package format

import (
	"cmp"
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
	*openpgpTrust
	format string // the name of the signature format, for reports
}

// loadOpenPGP reads what the trust store says of OpenPGP signers.
func loadOpenPGP(format string, t *verifier.TrustStore) (openpgpJudge, error) {
	trust, err := loadOpenPGPTrust(t)
	return openpgpJudge{trust, format}, err
}

// judgeOne judges one signature on a subject.
type judgeOne func(*parsedSignature, openpgpSubject, time.Time) (verifier.Signature, []verifier.Finding)

// all judges all signatures on a subject, and returns them in their order. Where
// one is by somebody whom no store trusts, stores that refuse that are asked
// again.
func (judge judgeOne) all(parsed []*parsedSignature, on openpgpSubject, now time.Time) ([]verifier.Signature, []verifier.Finding) {
	signatures, findings := judge.each(parsed, on, now)
	on.strangers = on.someRefuse && slices.ContainsFunc(signatures, func(s verifier.Signature) bool {
		return verifier.JudgeChecks(s.Checks) == verifier.Untrusted
	})
	if on.strangers {
		return judge.each(parsed, on, now)
	}
	return signatures, findings
}

func (judge judgeOne) each(parsed []*parsedSignature, on openpgpSubject, now time.Time) (signatures []verifier.Signature, findings []verifier.Finding) {
	for _, p := range parsed {
		s, notes := judge(p, on, now)
		signatures = append(signatures, s)
		findings = append(findings, notes...)
	}
	return signatures, findings
}

// judge makes all checks of one signature. Where several certificates hold a key
// that the signature may be by, or several stores trust one of them, each is
// tried and the best outcome counts.
func (c *openpgpJudge) judge(p *parsedSignature, on openpgpSubject, now time.Time) (verifier.Signature, []verifier.Finding) {
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
	out.Claims, _ = readClaims(p.Signature) // judged where the signer is known
	if out.Claims != nil {
		on.namespace = out.Claims.Namespace
	}
	unsupported := verifier.Failed(verifier.CheckSupported, "%s cannot be checked", p.Unsupported)
	switch {
	case p.WeakHash(now) && p.Hash == 0:
		out.Checks = []verifier.Check{verifier.Failed(verifier.CheckAlgorithms, "the digest is %s", p.HashName())}
		return out, nil
	case p.Hash == 0, p.Unsupported != "" && len(p.candidates) > 0:
		out.Checks = []verifier.Check{unsupported}
		return out, nil
	}
	form := on.form(p.Signature)
	if p.Unsupported != "" { // the algorithm of a key that is not known either
		form = append(form, unsupported)
	}
	if p.digest == nil {
		return c.unknownSigner(out, p, form)
	}
	exam := openpgpExam{p: p, on: on, form: form, denied: c.denied(p.candidates), now: now}
	best := verifier.NotChecked
	var findings []verifier.Finding
	result := out
	for _, key := range p.candidates {
		exam.key, exam.proof = key, prove(key, p)
		stores, why := c.trusting(key.Certificate(), on, now)
		if exam.distrust = why; why != "" {
			stores = []*openpgpStore{nil}
		}
		for _, exam.store = range stores {
			other, notes := exam.judge(out)
			if v := verifier.JudgeChecks(other.Checks); result.Checks == nil || v.Rank() > best.Rank() {
				best, result, findings = v, other, notes
			}
		}
	}
	return result, findings
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

// openpgpExam is a signature under one key, by the rules of one store.
type openpgpExam struct {
	p        *parsedSignature
	on       openpgpSubject
	form     []verifier.Check // that it fails, whoever made it
	denied   string
	now      time.Time
	key      *pgpcert.Key
	proof    pgpcert.Proof
	store    *openpgpStore // nil if none trusts the key's certificate
	distrust string        // why none does
}

// judge makes the checks. A signer is named only where the signature is proved
// to be by that key and the key to be of that certificate.
func (e *openpgpExam) judge(out verifier.Signature) (verifier.Signature, []verifier.Finding) {
	p, key, proof := e.p, e.key, e.proof
	j := key.JudgeBy(e.rules())
	cert := key.Certificate()
	out.Signer.KeyID = key.Fingerprint
	out.Signer.Algorithm = key.Algorithm
	out.Signer.Display = cert.Name
	out.Signer.NotAfter = j.NotAfter
	if proof.Valid && j.Trust == "" {
		out.Signer.IDs = []string{"openpgp:" + cert.Fingerprint}
		if e.store != nil {
			out.TrustStore = e.store.name
		}
	}
	out.Ends = e.ends(j.NotAfter)
	validity := cmp.Or(key.JudgeTime(p.Signature, e.now), j.Validity)
	trust := cmp.Or(j.Trust, e.distrust)
	given := []struct {
		id      verifier.CheckID
		problem string
		fine    string
	}{
		{verifier.CheckStructure, packetProblem(proof, p.Signature, trust == ""), "one well-made signature packet"},
		{verifier.CheckSupported, j.Supported, fmt.Sprintf("version %d, %s", p.Version, key.Algorithm)},
		{verifier.CheckAlgorithms, j.Algorithms, fmt.Sprintf("%s with %s", key.Algorithm, p.HashName())},
		{verifier.CheckContentDigest, digestProblem(proof), "the text is the one that was signed"},
		{verifier.CheckSignature, valueProblem(proof), "made by the key " + key.Fingerprint},
		{verifier.CheckTrust, trust, "the certificate " + cert.Fingerprint + " is in the trust store" + e.store.where()},
		{verifier.CheckValidity, validity, e.inTime()},
		{verifier.CheckRevocation, j.Revocation, "neither certificate nor key is revoked"},
		{verifier.CheckKeyUsage, j.KeyUsage, "the key may sign data"},
		{verifier.CheckDeny, e.denied, "no deny list names the key or its certificate"},
	}
	for _, g := range given {
		check := verifier.Passed(g.id, "%s", g.fine)
		if i := slices.IndexFunc(e.form, func(f verifier.Check) bool { return f.ID == g.id }); i >= 0 {
			check = e.form[i]
		} else if g.problem != "" {
			check = verifier.Failed(g.id, "%s", g.problem)
		}
		out.Checks = append(out.Checks, check)
	}
	if e.on.blanks && e.store != nil {
		out.Checks = append(out.Checks, e.store.checkBlanks())
	}
	return out, e.findings(j)
}

// ends is when the key expires, unless it is judged as of the date in the signature,
// or when the signature itself does.
func (e *openpgpExam) ends(key time.Time) time.Time {
	end := key
	if e.store != nil && e.store.rules.AtSigning {
		end = time.Time{}
	}
	if e.p.Lifetime != 0 {
		if own := e.p.Created.Add(e.p.Lifetime); end.IsZero() || own.Before(end) {
			end = own
		}
	}
	return end
}

// inTime says how certificate, key and signature are in their time.
func (e *openpgpExam) inTime() string {
	if strict := e.key.Judge(e.now).Validity; strict != "" {
		return "certificate and key were in their time at the date in the signature, which the settings accept" + e.store.where() + ": " + strict
	}
	return "certificate, key and signature are in their time"
}

// rules are the strictest, but for what the settings of the store lift.
func (e *openpgpExam) rules() pgpcert.Rules {
	r := pgpcert.Rules{Now: e.now}
	if e.store == nil {
		return r
	}
	r.AcceptSHA1 = e.store.rules.AcceptSHA1
	if e.store.rules.AtSigning {
		r.Signed = e.p.Created
	}
	return r
}

// findings are what is worth saying about the key.
func (e *openpgpExam) findings(j pgpcert.Judgement) []verifier.Finding {
	var findings []verifier.Finding
	add := func(code, format string, args ...any) {
		findings = append(findings, verifier.Finding{Code: code, Detail: fmt.Sprintf(format, args...)})
	}
	key := e.key
	if until := key.Until(); e.now.Before(until) {
		add("short-key", "the signing key %s is %s, which is refused from %s on; 3072 bits are recommended", key.Fingerprint, key.Algorithm, until.Format(time.DateOnly))
	}
	if strict := key.Judge(e.now).Problem(); strict != "" && j.OK() {
		add("accepted-by-settings", "the key %s is accepted only because of the settings%s: %s", key.Fingerprint, e.store.where(), strict)
	}
	for _, what := range key.Certificate().Foreign() {
		add("foreign-revocation", "the certificate %s carries a revocation of %s, which it does not name as its revoker: it does not count, since anybody could have put it there; ask the signer",
			key.Certificate().Fingerprint, what)
	}
	return findings
}

// checkBlanks makes the check of a text with trailing blanks, which is made for
// signers that a store trusts.
func (s *openpgpStore) checkBlanks() verifier.Check {
	if s.rules.AcceptTrailingBlanks {
		return verifier.Passed(verifier.CheckCanonicalText, "blanks at line ends are not signed, and are left out of what is executed; the settings accept that%s", s.where())
	}
	return verifier.Failed(verifier.CheckCanonicalText, "blanks at line ends, which the signature does not cover")
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

// packetProblem is what is wrong with the packet of a good signature. What is
// claimed by somebody who is not trusted is not looked at: that would let anybody
// spoil the file.
func packetProblem(p pgpcert.Proof, s *pgpcert.Signature, trusted bool) string {
	if p.Valid && !p.TagMatches {
		return "the packet names the wrong first bytes of the digest, although the signature is good"
	}
	if !p.Valid || !trusted {
		return ""
	}
	_, problem := readClaims(s)
	return problem
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
