package resign

import (
	"slices"
	"strings"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// onFile are the signatures on a file, by the place in which they stand.
type onFile struct {
	inside   []verifier.Signature // nested ones too
	detached []verifier.Signature // beside the file, by OpenPGP
	bundle   *verifier.Signature  // of the Sigstore bundle beside it; nil for none
	unread   bool                 // there is a bundle, and nothing is known of its signature
}

func places(report *verifier.Report) (all onFile) {
	all.unread = slices.ContainsFunc(report.Sidecars, isBundle)
	for i, s := range report.Signatures {
		switch {
		case s.Sidecar == "":
			all.inside = append(all.inside, s)
		case isBundle(s.Sidecar):
			all.bundle, all.unread = &report.Signatures[i], false
		default:
			all.detached = append(all.detached, s)
		}
	}
	return all
}

func isBundle(name string) bool { return strings.HasSuffix(strings.ToLower(name), runbook.BundleExt) }

// first is the signature that decides who has signed the file itself; nil for none.
func (all onFile) first() *verifier.Signature {
	if len(all.inside) == 0 {
		return nil
	}
	return &all.inside[0]
}

// bundleAlone decides where the old signer made the bundle, and not what is inside.
func (r Rules) bundleAlone(report *verifier.Report, all onFile) Plan {
	if reason := unproved(*all.bundle); reason != "" {
		return Plan{Why: "the old bundle does not prove what the content is: " + reason, Fix: fixReview}
	}
	if plan, bad := r.tooNew(*all.bundle); bad {
		return plan
	}
	for _, s := range report.Signatures {
		switch {
		case s.Nested || s.Sidecar == all.bundle.Sidecar:
		case s.Verdict != verifier.Valid && s.Verdict != verifier.Untrusted && s.Verdict != verifier.Expired:
			return Plan{Why: "another signature on it is " + s.Verdict.String(), Fix: fixReview}
		}
	}
	return Plan{Action: Sign, Bundle: true}
}

// bundleStands refuses to sign a file anew that has a bundle beside it which the new
// key may not make again: it covers the old signature too, and would not fit any more.
func (r Rules) bundleStands(all onFile) (Plan, bool) {
	const why = "the Sigstore bundle beside it covers the old signature and would not fit any more, and "
	switch {
	case all.unread:
		return Plan{Why: why + "it cannot be read", Fix: "see writ inspect; a build with Sigstore reads bundles"}, true
	case all.bundle == nil:
		return Plan{}, false
	case !r.byOld(*all.bundle) && !r.byNew(all.bundle) && len(all.bundle.Signer.IDs) == 0:
		return Plan{Why: why + "who made it cannot be proved", Fix: "name the old signer by the file with its certificate, or give --trust with the key or the trusted root that made the bundle"}, true
	case !r.byOld(*all.bundle) && !r.byNew(all.bundle):
		return Plan{Why: why + "it is by " + all.bundle.Signer.IDs[0], Fix: "have whoever made it agree: take the bundle away, sign the file anew, and have the bundle made again"}, true
	}
	if reason := unproved(*all.bundle); reason != "" {
		return Plan{Why: "the bundle beside it does not prove what the content is: " + reason, Fix: fixReview}, true
	}
	return Plan{}, false
}

// Interrupted reports whether a file looks as one whose old signature inside and old
// bundle were to be replaced, and only the first of them was: the new key has signed
// it inside, and the bundle is the old signer's, of other bytes. That alone proves
// nothing: somebody may have put the two together.
func (r Rules) Interrupted(report *verifier.Report) bool {
	if report == nil {
		return false
	}
	all := places(report)
	if !r.byNew(all.first()) || all.bundle == nil || !r.byOld(*all.bundle) {
		return false
	}
	status := map[verifier.CheckID]verifier.Status{}
	for _, c := range all.bundle.Checks {
		status[c.ID] = c.Status
	}
	return status[verifier.CheckSignature] == verifier.StatusPassed && status[verifier.CheckContentDigest] == verifier.StatusFailed
}
