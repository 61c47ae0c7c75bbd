package format

import (
	"context"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Manifest is the format of runbooks that come with their set: the signature is
// that of the project's manifest, clear-signed, and it covers every file of the
// set by its digest. It claims nothing else. docs/formats/manifest.md describes
// it.
type Manifest struct{}

// NewManifest returns the format.
func NewManifest() *Manifest { return &Manifest{} }

// Name is "manifest".
func (*Manifest) Name() string { return manifestName }

// Load puts off the reading of certificates until there is a set: Clearsign reads
// the same ones, and finds what is wrong with them.
func (*Manifest) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	return &setChecker{load: sync.OnceValues(func() (*manifestChecker, error) { return loadManifest(t) })}, nil
}

// setChecker judges sets. It is safe for several goroutines.
type setChecker struct {
	load func() (*manifestChecker, error)
}

// Check claims nothing: what a file carries itself is for others to judge.
func (*setChecker) Check(context.Context, *runbook.Runbook, time.Time) verifier.Outcome {
	return verifier.Outcome{}
}

// CheckSet holds the set of a runbook against its manifest.
func (c *setChecker) CheckSet(_ context.Context, rb *runbook.Runbook, now time.Time) verifier.Outcome {
	set := rb.Set()
	checker, err := c.load()
	if err != nil || set == nil {
		return refuse(verifier.NotChecked, verifier.Finding{Code: "not-checked", Detail: fmt.Sprintf("the manifest cannot be judged: %v", err)})
	}
	out, list := checker.examineList(rb, set.Manifest(), now)
	if list == nil {
		return out
	}
	digest := runbook.DigestOf(out.Payload)
	out.Payload, out.PayloadDigest = nil, nil
	if findings, verdict := holdAgainst(list, set); verdict != verifier.Valid {
		out.Verdict = verifier.Worst(out.Verdict, verdict)
		out.Findings = append(out.Findings, findings...)
		return out
	}
	if set.Digest() != digest { // the findings above name every way to differ
		return refuse(verifier.Tampered, verifier.Finding{Code: findingChanged, Detail: "the files are not those that the manifest lists"})
	}
	rb.View(func(data []byte) { out.Payload, out.PayloadDigest = data, rb.Digest })
	out.Findings = append(out.Findings, setFindings(set)...)
	return out
}

// setFindings says where the scripts of a set may read otherwise than they run.
// Of a RUNBOOK that can carry Authenticode, that format says it.
func setFindings(set *runbook.Set) (findings []verifier.Finding) {
	for _, m := range set.Members() {
		if runbook.KindOf(m.Path()) == runbook.Unknown || m.Path() == set.Entry() && CarriesAuthenticode(path.Base(m.Path())) {
			continue
		}
		m.View(func(data []byte) {
			for _, f := range plainFindings(data) {
				f.Detail = fmt.Sprintf("%s: %s", m.Path(), f.Detail)
				findings = append(findings, f)
			}
		})
		if len(findings) > maxSetFindings {
			return append(findings[:maxSetFindings], verifier.Finding{Code: findings[maxSetFindings].Code, Detail: "and more of the kind"})
		}
	}
	return findings
}

// Codes of findings about a set.
const (
	findingChanged   = "file-changed"
	findingMissing   = "file-missing"
	findingNotListed = "file-not-listed"
)

// maxSetFindings is how many files are named one by one.
const maxSetFindings = 20

// holdAgainst says which files of a set are not as they are listed. Modes are not
// looked at: what runs has those of the list.
func holdAgainst(list *manifest.List, set *runbook.Set) (findings []verifier.Finding, verdict verifier.Verdict) {
	verdict = verifier.Valid
	add := func(v verifier.Verdict, code, path, detail string) {
		verdict = verifier.Worst(verdict, v)
		switch n := len(findings); {
		case n < maxSetFindings:
			findings = append(findings, verifier.Finding{Code: code, Detail: fmt.Sprintf("%s: %s", path, detail)})
		case n == maxSetFindings:
			findings = append(findings, verifier.Finding{Code: code, Detail: "and more files: see writ manifest verify"})
		}
	}
	for _, m := range set.Members() {
		if _, listed := list.Lookup(m.Path()); !listed {
			add(verifier.Unsigned, findingNotListed, m.Path(), "the manifest does not list it")
		}
	}
	for _, e := range list.Entries() {
		m, found := set.Member(e.Path)
		if !found {
			add(verifier.Tampered, findingMissing, e.Path, "it is listed, and not in the set")
			continue
		}
		if d, differs := e.Differs(m); differs && d.State == manifest.Missing {
			add(verifier.Tampered, findingMissing, e.Path, d.Detail)
		} else if differs {
			add(verifier.Tampered, findingChanged, e.Path, d.Detail)
		}
	}
	return findings, verdict
}
