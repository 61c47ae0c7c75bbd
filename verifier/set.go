package verifier

import (
	"context"
	"time"

	"github.com/runwrit/writ/runbook"
)

// SetChecker is a Checker that judges manifests: the signature stands on a list of
// files, of which the runbook is one.
type SetChecker interface {
	Checker
	// CheckSet looks at a runbook that has a set. The outcome is always claimed,
	// its payload is the runbook's own bytes, and it is Valid only if every file of
	// the manifest is in the set as it is listed, and no other.
	CheckSet(ctx context.Context, rb *runbook.Runbook, now time.Time) Outcome
}

// SetFacts say of which set of files a runbook was judged as a part.
type SetFacts struct {
	// Manifest is the digest of the signed document.
	Manifest runbook.Digest
	// List is the digest of the text that lists the files, and so of the whole
	// set; zero unless the verdict is Valid.
	List runbook.Digest
	// Entry is the path of the runbook in its set.
	Entry string
	// Files is how many files the set has.
	Files int

	members []runbook.Digest
}

// Members are the digests of all files of the set.
func (f *SetFacts) Members() []runbook.Digest {
	if f == nil {
		return nil
	}
	return append([]runbook.Digest(nil), f.members...)
}

// examineSet judges a runbook that comes with its set: by the manifest, and by
// itself. A signature that it carries is never hidden by that of the manifest.
func (v *Verifier) examineSet(ctx context.Context, rb *runbook.Runbook) (*Report, []byte, error) {
	own, payload, err := v.examine(ctx, rb.Alone())
	if err != nil {
		return nil, nil, err
	}
	set := rb.Set()
	listed := &Report{
		Name: runbook.ManifestName + runbook.SignatureExt, Kind: runbook.Manifest, Size: rb.Size(), File: rb.Digest(),
		At: own.At, TrustDigest: own.TrustDigest, Signatures: []Signature{}, Findings: []Finding{},
		Set: &SetFacts{Manifest: runbook.DigestOf(set.Manifest()), Entry: set.Entry(), Files: len(set.Members())},
	}
	out := v.checkSet(ctx, rb, own.At, listed)
	ownVerdict := own.Verdict
	switch {
	case own.Format == "" && (own.Verdict == Unsigned || own.Verdict == Unsupported): // it carries nothing
		ownVerdict, own.Findings = Valid, withoutCode(own.Findings, codeFileType)
	case own.Verdict == Valid && runbook.DigestOf(payload) != listed.File:
		ownVerdict = Unsupported
		own.Findings = append(own.Findings, Finding{
			Code: "signed-document", Detail: "the file is a signed document, and not the runbook itself: a manifest lists the files that are run",
			Fix: "put the runbook itself into the project, and sign the manifest again",
		})
	}
	listed.Name, listed.Kind = rb.Name(), rb.Kind()
	listed.Verdict = Worst(listed.Verdict, ownVerdict)
	listed.Signatures = append(listed.Signatures, own.Signatures...)
	listed.Findings = append(listed.Findings, own.Findings...)
	for _, m := range set.Members() {
		listed.Set.members = append(listed.Set.members, m.Digest())
		listed.deny(v.trust, m.Digest())
	}
	listed.deny(v.trust, listed.Set.Manifest)
	list := set.Digest()
	if list.IsZero() && listed.Verdict == Valid { // a file is not there, and the format has overlooked it
		listed.Verdict = NotChecked
	}
	if listed.deny(v.trust, list); listed.Verdict != Valid {
		return listed, nil, nil
	}
	listed.Payload, listed.Set.List = listed.File, list
	return listed, out.Payload, nil
}

// checkSet has the one format that knows manifests judge the set into report.
func (v *Verifier) checkSet(ctx context.Context, rb *runbook.Runbook, now time.Time, report *Report) Outcome {
	for i, c := range v.checkers {
		checker, ok := c.(SetChecker)
		if !ok {
			continue
		}
		out := checker.CheckSet(ctx, rb, now)
		report.Format = v.names[i]
		report.Findings = append(report.Findings, out.Findings...)
		report.judge(out)
		if report.Verdict == Valid && (!out.Claimed || runbook.DigestOf(out.Payload) != report.File) {
			report.Verdict = NotChecked
		}
		return out
	}
	report.Verdict = Unsupported
	report.Findings = append(report.Findings, Finding{Code: "no-manifests", Detail: "no format is loaded that judges manifests"})
	return Outcome{}
}

func withoutCode(findings []Finding, code string) []Finding {
	kept := []Finding{}
	for _, f := range findings {
		if f.Code != code {
			kept = append(kept, f)
		}
	}
	return kept
}
