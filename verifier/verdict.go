package verifier

import "slices"

// Verdict is the one word for a file or a signature. The words are stable.
// Only Valid means yes; the zero value is NotChecked.
type Verdict string

// The verdicts, worst first: a file gets the worst that applies to it,
// but one that a deny list names is Revoked whatever else there is to it.
const (
	NotChecked   Verdict = ""              // nobody looked, or a check could not be made
	Tampered     Verdict = "tampered"      // the signature is real and the content differs
	BadSignature Verdict = "bad-signature" // the cryptography fails
	Malformed    Verdict = "malformed"     // text around or inside the signature, two blocks, trailing DER, wrong layout
	Ambiguous    Verdict = "ambiguous"     // the bytes decode differently on different hosts
	Noncanonical Verdict = "noncanonical"  // clear-signed text with trailing blanks or CRs that change meaning
	Damaged      Verdict = "damaged"       // line ends were converted or a byte-order mark was added; undoing that makes it verify
	Revoked      Verdict = "revoked"       // key or certificate was revoked, or a deny list names it or the file
	WrongPurpose Verdict = "wrong-purpose" // extended key usage, key flags, signature type
	Weak         Verdict = "weak"          // algorithm or key size
	Untrusted    Verdict = "untrusted"     // the trust store does not trust the signer
	Expired      Verdict = "expired"
	Unsupported  Verdict = "unsupported"
	Unsigned     Verdict = "unsigned" // no signature, or something that only looks signed
	Valid        Verdict = "valid"
)

// worstFirst is the order in which one of several verdicts is chosen.
var worstFirst = []Verdict{
	NotChecked, Tampered, BadSignature, Malformed, Ambiguous, Noncanonical, Damaged,
	Revoked, WrongPurpose, Weak, Untrusted, Expired, Unsupported, Unsigned, Valid,
}

// Verdicts returns all verdicts, worst first.
func Verdicts() []Verdict { return slices.Clone(worstFirst) }

// String returns the stable word, "not-checked" for the zero value.
func (v Verdict) String() string {
	if v == NotChecked {
		return "not-checked"
	}
	return string(v)
}

// MarshalText implements encoding.TextMarshaler with the stable word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Rank is the place of v in the order worst first; an unknown word ranks with
// NotChecked.
func (v Verdict) Rank() int { return max(0, slices.Index(worstFirst, v)) }

// Worst returns the worst of the given verdicts. Of none it is NotChecked.
func Worst(verdicts ...Verdict) Verdict {
	if len(verdicts) == 0 {
		return NotChecked
	}
	rank := len(worstFirst) - 1
	for _, v := range verdicts {
		rank = min(rank, v.Rank())
	}
	return worstFirst[rank]
}
