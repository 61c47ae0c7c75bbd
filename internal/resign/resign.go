// Package resign decides which files may be signed anew by another key, because a
// certain signer has signed them: after a rotation of keys, or after one was lost.
//
// To sign anew is to vouch. So what counts is not which signer a file names but
// what the old signature proves: that its value fits the old key, and that the
// digest is that of the content as it stands. That the old key has expired, or was
// revoked, or is trusted by nobody, does not matter; that anything else is amiss
// does.
//
// It reads no file and signs nothing. It cannot know whether it was the owner of
// the old key who used it: only Rules.Before, with a timestamp, is about that.
package resign

import (
	"fmt"
	"slices"
	"time"

	"github.com/runwrit/writ/internal/lazyregexp"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Rules say whose signatures are to be replaced, and by whom.
type Rules struct {
	// Old are the IDs of the one old signer, as verified signatures name it: a
	// signature in a file and a bundle beside it have other names for the same key.
	Old []string
	// New are those of the new key; none where it is not known yet.
	New []string
	// Before, unless zero, has only signatures count that a trusted timestamp, or the
	// entry of a trusted log, proves to be older.
	Before time.Time
	// Replace says that the signatures of others in the file may go.
	Replace bool
}

// Action is what is to be done with a file. The zero value is to leave it alone and
// to say so.
type Action int

// The actions.
const (
	// Refuse leaves a file alone that is not as it should be, or that the old signer
	// may have signed and that is not signed anew.
	Refuse Action = iota
	// Leave leaves a file alone that is not the old signer's affair.
	Leave
	// Unchanged is for a file that the new key has signed already, as far as the
	// report says.
	Unchanged
	// Sign is to sign the file anew.
	Sign
)

// Plan is what is to be done with one file, and why.
type Plan struct {
	Action Action
	Why    string
	Fix    string // what to do about it; may be empty
	// Signature is the one in the file that is to be made anew, or with Unchanged the
	// new key's; nil where it is the bundle alone, and with other actions.
	Signature *verifier.Signature
	// Bundle says that the Sigstore bundle beside the file is to be made anew: the old
	// signer made it, or what it covers changes. With Unchanged the new key made it.
	Bundle bool
}

// ids are the forms of IDs that policies know signers by.
var ids = lazyregexp.New(`^(x509-sha256:[0-9a-f]{64}|x509-spki:[0-9a-f]{64}|openpgp:([0-9A-F]{40}|[0-9A-F]{64})|sigstore-key:[0-9a-f]{64}|sigstore:[^|]+\|.+)$`)

// IsID reports whether s has the form of a signer's ID.
func IsID(s string) bool { return ids.MatchString(s) }

// Judge decides on a file by the facts about it.
func (r Rules) Judge(report *verifier.Report) Plan {
	if report == nil || len(r.Old) == 0 || slices.ContainsFunc(r.Old, func(id string) bool { return !IsID(id) }) {
		return Plan{Why: "nothing is known about it"}
	}
	all := places(report)
	if !slices.ContainsFunc(report.Signatures, r.byOld) && (r.byNew(all.first()) || r.byNew(all.bundle)) {
		plan := Plan{Action: Unchanged, Bundle: r.byNew(all.bundle)}
		if r.byNew(all.first()) {
			plan.Signature = all.first()
		}
		return plan
	}
	if plan, bad := r.contentAmiss(report); bad {
		return plan
	}
	old := slices.IndexFunc(all.inside, func(s verifier.Signature) bool { return !s.Nested && r.byOld(s) })
	bundleOld := all.bundle != nil && r.byOld(*all.bundle)
	switch {
	case slices.ContainsFunc(all.detached, r.byOld):
		return Plan{Why: "its signature is of format " + all.detached[0].Format + ", which is not signed anew", Fix: "verify it, and sign it as it was signed"}
	case old < 0 && !bundleOld:
		return r.notByOld(report)
	case old < 0:
		return r.bundleAlone(report, all)
	}
	s := all.inside[old]
	if reason := unproved(s); reason != "" {
		return Plan{Why: "the old signature does not prove what the content is: " + reason, Fix: fixReview}
	}
	if reason := otherwise(report, s); reason != "" {
		return Plan{Why: "it was signed as something else: " + reason, Fix: "give the file the name that was signed, or review it and sign it as what it is now"}
	}
	if plan, bad := r.others(all.inside); bad {
		return plan
	}
	if plan, bad := r.tooNew(s); bad {
		return plan
	}
	plan := Plan{Action: Sign, Signature: &s, Bundle: all.bundle != nil}
	if bad, is := r.bundleStands(all); is {
		return bad
	}
	return plan
}

const fixReview = "review the file, and sign it as a new one"

func names(s verifier.Signature, ids []string) bool {
	return slices.ContainsFunc(s.Signer.IDs, func(id string) bool { return slices.Contains(ids, id) })
}

func (r Rules) byOld(s verifier.Signature) bool { return names(s, r.Old) }

func (r Rules) byNew(s *verifier.Signature) bool { return s != nil && names(*s, r.New) }

// tooNew refuses what is not proved to be older than it must be.
func (r Rules) tooNew(s verifier.Signature) (Plan, bool) {
	switch {
	case r.Before.IsZero():
	case s.SignedAtSource != verifier.TimeTSA && s.SignedAtSource != verifier.TimeLog:
		return Plan{Why: "no trusted timestamp proves when it was signed", Fix: fixReview}, true
	case !s.SignedAt.Before(r.Before):
		return Plan{
			Why: fmt.Sprintf("it was signed at %s, which is not before %s", s.SignedAt.UTC().Format(time.RFC3339), r.Before.UTC().Format(time.RFC3339)),
			Fix: fixReview,
		}, true
	}
	return Plan{}, false
}

// contentAmiss refuses files that are not as any signer left them, and those that a
// deny list names.
func (r Rules) contentAmiss(report *verifier.Report) (Plan, bool) {
	for _, f := range report.Findings {
		if f.Code == verifier.CodeDenied {
			return Plan{Why: "it is denied: " + f.Detail}, true
		}
	}
	if len(report.Signatures) > 0 && len(report.Signatures[0].Signer.IDs) > 0 && !slices.ContainsFunc(report.Signatures, r.byOld) {
		return Plan{}, false // whatever is amiss, somebody else has signed it
	}
	switch report.Verdict {
	case verifier.Valid, verifier.Untrusted, verifier.Expired, verifier.Revoked, verifier.Unsigned, verifier.NotChecked:
		return Plan{}, false
	case verifier.Unsupported:
		return Plan{Action: Leave, Why: "it is unsupported"}, len(report.Signatures) == 0
	case verifier.WrongPurpose:
		return Plan{Why: "it is wrong-purpose: the old key was not for this, or this is no runbook", Fix: "review the file, and sign it as what it is: writ sign, or writ manifest sign"}, true
	default:
		return Plan{Why: "it is " + report.Verdict.String(), Fix: "see writ inspect"}, true
	}
}

// notByOld is for a file that is whole as far as is known, and that the old signer
// has not signed.
func (r Rules) notByOld(report *verifier.Report) Plan {
	switch {
	case len(report.Signatures) == 0:
		return Plan{Action: Leave, Why: "it is unsigned"}
	case slices.ContainsFunc(report.Signatures, func(s verifier.Signature) bool { return s.Nested && r.byOld(s) }):
		return Plan{Action: Leave, Why: "the old signer has added a signature to it, and another one decides"}
	case len(report.Signatures[0].Signer.IDs) == 0:
		return Plan{Action: Leave, Why: "who signed it cannot be proved: no certificate or public key that was given is of the signer"}
	}
	return Plan{Action: Leave, Why: fmt.Sprintf("it is signed by %s, and %s", report.Signatures[0].Signer.IDs[0], report.Verdict)}
}

// unproved says what the signature does not prove; "" if it proves that the old
// signer signed this content, for code, in a way that counts. A certificate of
// Fulcio was for minutes: that it was used in these, is logged and not denied, is
// part of the proof, since its key itself proves nothing.
func unproved(s verifier.Signature) string {
	needed := []verifier.CheckID{verifier.CheckContentDigest, verifier.CheckSignature}
	if s.Sigstore != nil {
		needed = append(needed, verifier.CheckValidity)
	}
	for _, c := range s.Checks {
		switch c.ID {
		case verifier.CheckTrust:
			continue // in the old signer, whose time is over
		case verifier.CheckValidity, verifier.CheckRevocation, verifier.CheckDeny:
			if s.Sigstore == nil { // of the old key
				continue
			}
		case verifier.CheckSecondOpinion, verifier.CheckKeyUsage:
			if c.Status != verifier.StatusFailed { // they may need a chain, which nobody asks for
				continue
			}
		default:
		}
		if c.Status != verifier.StatusPassed {
			return fmt.Sprintf("%s: %s", c.ID, c.Detail)
		}
		needed = slices.DeleteFunc(needed, func(id verifier.CheckID) bool { return id == c.ID })
	}
	if len(needed) > 0 {
		return "digest and signature were not checked"
	}
	return ""
}

// otherwise says what other runbook the signature claims to be for; "" for none.
// The verifier looks at that in valid signatures only, and this one may have
// expired.
func otherwise(report *verifier.Report, s verifier.Signature) string {
	c := s.Claims
	if c == nil {
		return ""
	}
	if problem := c.Problem(); problem != "" {
		return problem
	}
	name, kind := runbook.PayloadName(report.Name), report.Kind.String()
	switch {
	case c.Name != "" && c.Name != name:
		return fmt.Sprintf("the name is %q", c.Name)
	case c.Kind != "" && c.Kind != kind:
		return fmt.Sprintf("the kind is %q", c.Kind)
	}
	return ""
}

// others says what becomes of the other signatures in the file.
func (r Rules) others(inside []verifier.Signature) (Plan, bool) {
	if len(inside) == 1 || r.Replace {
		return Plan{}, false
	}
	return Plan{
		Why: fmt.Sprintf("it carries %d signatures, and signing it anew would take all of them off", len(inside)),
		Fix: "say --replace if they are to go",
	}, true
}
