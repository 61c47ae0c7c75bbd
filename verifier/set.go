package verifier

import (
	"context"
	"fmt"
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
		At: own.At, TrustDigest: own.TrustDigest, TrustEpoch: own.TrustEpoch, Signatures: []Signature{}, Findings: []Finding{},
		Set: &SetFacts{Manifest: runbook.DigestOf(set.Manifest()), Entry: set.Entry(), Files: len(set.Members())},
	}
	out := v.checkSet(ctx, rb, own.At, listed)
	ownVerdict := own.Verdict
	switch {
	case runbook.PayloadName(rb.Name()) != rb.Name():
		ownVerdict = Worst(Unsupported, ownVerdict)
		own.Findings = append(own.Findings, signedDocument())
	case own.Format == "" && (own.Verdict == Unsigned || own.Verdict == Unsupported): // it carries nothing
		ownVerdict, own.Findings = Valid, withoutCode(own.Findings, codeFileType)
	case own.Verdict == Valid && runbook.DigestOf(payload) != listed.File:
		ownVerdict = Unsupported
		own.Findings = append(own.Findings, signedDocument())
	}
	listed.Name, listed.Kind = rb.Name(), rb.Kind()
	listed.Verdict = Worst(listed.Verdict, ownVerdict)
	listed.Signatures = append(listed.Signatures, own.Signatures...)
	listed.Findings = append(listed.Findings, own.Findings...)
	for _, m := range set.Members() {
		listed.Set.members = append(listed.Set.members, m.Digest())
		listed.deny(v.trust, m.Digest())
	}
	if err := v.examineOthers(ctx, set, listed); err != nil {
		return nil, nil, err
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

func signedDocument() Finding {
	return Finding{
		Code: "signed-document", Detail: "the file is a signed document, or is named like one, and not the runbook itself: a manifest lists the files that are run",
		Fix: "put the runbook itself into the project, and sign the manifest again",
	}
}

// maxOthers is how many files with bad signatures of their own are named.
const maxOthers = 20

// examineOthers looks at the files that only run along. A manifest vouches for them
// as they are, also for those that a stranger has signed. But one whose own
// signature proves that it was changed, or is revoked, refuses the set.
func (v *Verifier) examineOthers(ctx context.Context, set *runbook.Set, listed *Report) error {
	if listed.Verdict != Valid {
		return nil
	}
	bad := 0
	for _, m := range set.Members() {
		if runbook.KindOf(m.Path()) == runbook.Unknown || m.Path() == set.Entry() {
			continue
		}
		rb, err := m.Alone()
		if err != nil {
			return err
		}
		own, _, err := v.examine(ctx, rb)
		if err != nil {
			return err
		}
		switch own.Verdict {
		case Tampered, BadSignature, Damaged, Revoked:
		default:
			continue
		}
		listed.Verdict = Worst(listed.Verdict, own.Verdict)
		if bad++; bad <= maxOthers {
			listed.Findings = append(listed.Findings, Finding{
				Code: "member-signature", Detail: fmt.Sprintf("%s is listed, and is %s by the signature that it carries itself%s", m.Path(), own.Verdict, own.reason()),
				Fix: "sign the file again, or take its signature off, and sign the manifest again",
			})
		}
	}
	return nil
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
		report.Verdict = report.judge(out)
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
