package format

import (
	"context"
	"time"

	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

const manifestName = "manifest"

// ManifestDocument is the format of a manifest itself, for those who compare a
// folder with it: the payload is the list. No runbook is of this format.
type ManifestDocument struct{}

// NewManifestDocument returns the format.
func NewManifestDocument() *ManifestDocument { return &ManifestDocument{} }

// Name is "manifest".
func (*ManifestDocument) Name() string { return manifestName }

// Load reads the certificates of the trust store, as Clearsign.Load does.
func (*ManifestDocument) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	return loadManifest(t)
}

// manifestChecker verifies manifests. It is safe for several goroutines.
type manifestChecker struct{ clearsignChecker }

func loadManifest(t *verifier.TrustStore) (*manifestChecker, error) {
	judge, err := loadOpenPGP(manifestName, t)
	if err != nil {
		return nil, err
	}
	return &manifestChecker{clearsignChecker{judge}}, nil
}

// Check looks at a manifest by itself.
func (c *manifestChecker) Check(_ context.Context, rb *runbook.Runbook, now time.Time) (out verifier.Outcome) {
	rb.View(func(data []byte) { out, _ = c.examineList(rb, data, now) })
	return out
}

// examineList judges a manifest as the clear-signed text that it is, and reads
// the list in it. The list is nil unless all of it is well made and there is a
// valid signature: nothing of any other is believed.
func (c *manifestChecker) examineList(rb *runbook.Runbook, data []byte, now time.Time) (verifier.Outcome, *manifest.List) {
	out := c.examine(rb, data, now)
	switch {
	case !out.Claimed:
		return refuse(verifier.Unsigned, verifier.Finding{
			Code: "not-clearsigned", Detail: "the manifest is not clear-signed text", Fix: signManifest,
		}), nil
	case out.Verdict == verifier.Valid && !manifest.IsManifest(out.Payload):
		out.Verdict = verifier.WrongPurpose
		out.Findings = append(out.Findings, verifier.Finding{
			Code: "not-a-manifest", Line: 1, Detail: "the text that was signed is no list of files", Fix: signManifest,
		})
	}
	if out.Verdict != verifier.Valid || !signedByAll(out) {
		return out, nil
	}
	list, err := manifest.Parse(out.Payload)
	if err != nil {
		out.Verdict = verifier.Malformed
		out.Findings = append(out.Findings, verifier.Finding{Code: "manifest-syntax", Detail: "the list is not well made: " + err.Error(), Fix: signManifest})
		return out, nil
	}
	return out, list
}

const signManifest = "list and sign the project with: writ manifest sign"

// signedByAll reports whether the verifier will find an outcome valid: there is a
// valid signature, and all others are by signers whom nobody knows.
func signedByAll(o verifier.Outcome) bool {
	valid := false
	for _, s := range o.Signatures {
		switch verifier.JudgeChecks(s.Checks) {
		case verifier.Valid:
			valid = true
		case verifier.Untrusted:
		default:
			return false
		}
	}
	return valid
}

// refuseManifest makes of a document that holds a list of files what it is: no
// runbook, whatever its name.
func refuseManifest(o verifier.Outcome) verifier.Outcome {
	if !o.Claimed || !manifest.IsManifest(o.Payload) {
		return o
	}
	o.Verdict = verifier.Worst(o.Verdict, verifier.WrongPurpose)
	o.Findings = append(o.Findings, verifier.Finding{
		Code: "project-manifest", Line: 1, Detail: "the text is a manifest, which lists the files of a project, and no runbook",
		Fix: "compare the project with it: writ manifest verify",
	})
	return o
}
