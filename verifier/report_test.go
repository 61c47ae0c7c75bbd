package verifier_test

import (
	"slices"
	"testing"

	"github.com/runwrit/writ/verifier"
)

// intactChecks are those of a file that is as its signer left it.
func intactChecks() []verifier.Check {
	var checks []verifier.Check
	for _, id := range []verifier.CheckID{
		verifier.CheckLayout, verifier.CheckLineEnds, verifier.CheckEncoding, verifier.CheckStructure, verifier.CheckSupported,
		verifier.CheckAlgorithms, verifier.CheckContentDigest, verifier.CheckSignature, verifier.CheckSecondOpinion, verifier.CheckTrust,
	} {
		checks = append(checks, verifier.Passed(id, "fine"))
	}
	return checks
}

func reportOf(v verifier.Verdict, checks []verifier.Check) *verifier.Report {
	return &verifier.Report{Verdict: v, Signatures: []verifier.Signature{{Verdict: v, Checks: checks}}}
}

func TestIntactMeansThatDigestAndSignatureVerifyWhoeverSigned(t *testing.T) {
	t.Parallel()
	if (&verifier.Report{}).Intact() || (&verifier.Report{Verdict: verifier.Valid}).Intact() || reportOf(verifier.Valid, nil).Intact() {
		t.Error("a report without signature or checks is intact")
	}
	intact := []verifier.Verdict{
		verifier.Valid, verifier.Ambiguous, verifier.Revoked, verifier.WrongPurpose, verifier.Weak, verifier.Untrusted, verifier.Expired,
	}
	for _, v := range verifier.Verdicts() {
		if got := reportOf(v, intactChecks()).Intact(); got != slices.Contains(intact, v) {
			t.Errorf("%s: %v", v, got)
		}
	}
	if reportOf("new-verdict", intactChecks()).Intact() {
		t.Error("a verdict that nobody knows is intact")
	}
	needed := []verifier.CheckID{
		verifier.CheckLayout, verifier.CheckLineEnds, verifier.CheckStructure, verifier.CheckSupported, verifier.CheckContentDigest, verifier.CheckSignature,
	}
	for i, c := range intactChecks() {
		for _, status := range []verifier.Status{verifier.StatusFailed, verifier.StatusUnknown, verifier.StatusNotChecked} {
			checks := intactChecks()
			checks[i].Status = status
			want := !slices.Contains(needed, c.ID) && !(c.ID == verifier.CheckSecondOpinion && status == verifier.StatusFailed)
			if got := reportOf(verifier.Weak, checks).Intact(); got != want {
				t.Errorf("%s %s: %v", c.ID, status, got)
			}
		}
		checks := slices.Delete(intactChecks(), i, i+1)
		if got := reportOf(verifier.Weak, checks).Intact(); got && (c.ID == verifier.CheckContentDigest || c.ID == verifier.CheckSignature) {
			t.Errorf("intact without %s", c.ID)
		}
	}
	second := reportOf(verifier.Weak, intactChecks()[:2])
	second.Signatures = append(second.Signatures, verifier.Signature{Checks: intactChecks()})
	if second.Intact() {
		t.Error("a second signature made the file intact")
	}
}
