package verifier

import (
	"fmt"
	"slices"
)

// Status is the outcome of one check, worst first; the zero value is
// StatusNotChecked and means no.
type Status int

// The outcomes of a check. Only StatusPassed means yes.
const (
	StatusNotChecked Status = iota
	StatusFailed
	StatusUnknown
	StatusPassed
)

var statusWords = [...]string{"not-checked", "failed", "unknown", "passed"}

// String returns the stable word.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusWords) {
		return statusWords[StatusNotChecked]
	}
	return statusWords[s]
}

// MarshalText implements encoding.TextMarshaler with the stable word.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// CheckID names a check. The words are stable; docs/formats/checks.md lists them.
type CheckID string

// The checks, in the order in which they are made.
const (
	CheckLayout        CheckID = "layout"         // the container: markers, block, armor, nothing around it
	CheckLineEnds      CheckID = "line-ends"      // the line ends are those that were signed
	CheckEncoding      CheckID = "encoding"       // the bytes decode to one text on every host
	CheckCanonicalText CheckID = "canonical-text" // the text has nothing that the signature does not cover
	CheckStructure     CheckID = "structure"      // CMS or OpenPGP packets are as the format demands
	CheckSupported     CheckID = "supported"      // version and algorithms are ones that writ can check
	CheckAlgorithms    CheckID = "algorithms"     // digest and key are strong enough
	CheckContentDigest CheckID = "content-digest" // the signed digest is that of the content
	CheckSignature     CheckID = "signature"      // the signature value verifies under the signer's key
	CheckSecondOpinion CheckID = "second-opinion" // an independent implementation agrees
	CheckTrust         CheckID = "trust"          // the signer, or its chain, is in the trust store
	CheckTransparency  CheckID = "transparency"   // signature and certificate stand in a log of the trust store
	CheckValidity      CheckID = "validity"       // certificate and signature are in their time
	CheckRevocation    CheckID = "revocation"     // key and certificate are not revoked
	CheckKeyUsage      CheckID = "key-usage"      // the key may sign, and sign this
	CheckDeny          CheckID = "deny"           // no deny list names content, key or certificate
)

// verdictOf is what a failure of each check makes of the signature.
var verdictOf = map[CheckID]Verdict{
	CheckLayout:        Malformed,
	CheckLineEnds:      Damaged,
	CheckEncoding:      Ambiguous,
	CheckCanonicalText: Noncanonical,
	CheckStructure:     Malformed,
	CheckSupported:     Unsupported,
	CheckAlgorithms:    Weak,
	CheckContentDigest: Tampered,
	CheckSignature:     BadSignature,
	CheckSecondOpinion: BadSignature,
	CheckTrust:         Untrusted,
	CheckTransparency:  Untrusted,
	CheckValidity:      Expired,
	CheckRevocation:    Revoked,
	CheckKeyUsage:      WrongPurpose,
	CheckDeny:          Revoked,
}

// CheckIDs returns all checks, sorted by name.
func CheckIDs() []CheckID {
	ids := make([]CheckID, 0, len(verdictOf))
	for id := range verdictOf {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Check is one thing that was looked at, and what came of it.
type Check struct {
	ID     CheckID `json:"id"`
	Status Status  `json:"status"`
	// Detail says in plain words what was found; it may quote the input and is
	// to be escaped before it reaches a terminal.
	Detail string `json:"detail"`
}

// Passed records that a check was made and its answer is yes.
func Passed(id CheckID, format string, args ...any) Check {
	return Check{ID: id, Status: StatusPassed, Detail: fmt.Sprintf(format, args...)}
}

// Failed records that a check was made and its answer is no.
func Failed(id CheckID, format string, args ...any) Check {
	return Check{ID: id, Status: StatusFailed, Detail: fmt.Sprintf(format, args...)}
}

// JudgeChecks derives the verdict that a list of checks amounts to: the worst of
// the failed ones; without a failure Valid, if there is at least one check and
// each passed; else NotChecked. A check of an unknown name never passes.
func JudgeChecks(checks []Check) Verdict {
	var failed []Verdict
	allPassed := len(checks) > 0
	for _, c := range checks {
		v, known := verdictOf[c.ID]
		switch {
		case known && c.Status == StatusPassed:
		case known && c.Status == StatusFailed:
			failed = append(failed, v)
		default:
			allPassed = false
		}
	}
	switch {
	case len(failed) > 0:
		return Worst(failed...)
	case allPassed:
		return Valid
	default:
		return NotChecked
	}
}
