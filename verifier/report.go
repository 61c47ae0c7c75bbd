package verifier

import (
	"fmt"
	"strings"
	"time"

	"github.com/runwrit/writ/runbook"
)

// Identity says whose key made a signature. Only IDs may be used to authorise:
// Display is what the certificate says of itself.
type Identity struct {
	// IDs are the names under which a policy may know the signer, most specific
	// first: "x509-sha256:<certificate>", "x509-spki:<public key>" (both SHA-256,
	// lower-case hexadecimal), "openpgp:<fingerprint of the primary key>"
	// (upper-case hexadecimal), "sigstore:<issuer>|<subject alternative name>",
	// "sigstore-identity:<name of an entry of the trust store>",
	// "sigstore-key:<SHA-256 of the public key>" (lower-case hexadecimal). Empty
	// where the signer is not known.
	IDs []string `json:"ids"`
	// Display is the certificate's subject or the key's first user ID.
	Display string `json:"display"`
	// Issuer is the issuer's name of an X.509 certificate; of a Sigstore certificate
	// who vouches for the identity.
	Issuer string `json:"issuer,omitempty"`
	// KeyID is what the signature itself names: the serial number of the
	// certificate in hexadecimal of whole bytes, or the fingerprint or key ID of the signing key.
	KeyID string `json:"key_id"`
	// Algorithm and size of the signing key, such as "rsa3072".
	Algorithm string `json:"algorithm,omitempty"`
	// NotAfter is when the signing key or its certificate expires; zero for never.
	NotAfter time.Time `json:"not_after,omitzero"`
}

// Sources of a signature's time.
const (
	TimeNone    = "none"
	TimeClaimed = "claimed" // the signer's own word: no evidence
	TimeTSA     = "tsa"     // a timestamp by an authority of the trust store
	TimeLog     = "log"     // a transparency log of the trust store
)

// Signature is what was found out about one signature.
type Signature struct {
	// Format is the name of the signature format, such as "authenticode".
	Format string `json:"format"`
	// Verdict is what Checks amount to; the verifier sets it.
	Verdict Verdict `json:"verdict"`
	// TrustStore names the store that trusts the signer; "" where none does, or
	// where that store has no name.
	TrustStore string `json:"trust_store,omitempty"`
	// Nested says that it stands inside another signature, which does not cover
	// it. It never changes the verdict on the file.
	Nested bool `json:"nested,omitempty"`
	// Sidecar names the file beside the runbook that holds it; "" for one that
	// the runbook carries itself.
	Sidecar  string    `json:"sidecar,omitempty"`
	Signer   Identity  `json:"signer"`
	SignedAt time.Time `json:"signed_at,omitzero"`
	// Ends is from when on the signature is not valid any more for no other reason
	// than that time passes: a certificate of its chain, the key or the signature
	// itself expires. Zero where none does, or where a timestamp stands against it.
	Ends           time.Time `json:"-"`
	SignedAtSource string    `json:"signed_at_source"`
	Digest         string    `json:"digest_algorithm,omitempty"` // such as "sha256"
	// Claims are what the signature says of the runbook; nil if it says nothing.
	Claims *Claims `json:"claims,omitempty"`
	// Sigstore is what the certificate of a keyless signature says; nil for all
	// other signatures.
	Sigstore *Sigstore `json:"sigstore,omitempty"`
	Checks   []Check   `json:"checks"`
}

// Sigstore is what the certificate of a keyless signature says of who signed, and
// in which job of which repository. Of a signature that is not valid it is
// anybody's word. A field is empty where the certificate does not say.
type Sigstore struct {
	// Issuer is the address of who knows the identity, of OpenID Connect.
	Issuer string `json:"issuer"`
	// SAN is the identity: the certificate's only subject alternative name.
	SAN string `json:"san"`
	// SANKind is "uri", "email" or "other".
	SANKind string `json:"san_kind"`
	// SourceRepository is the address of the repository, such as
	// "https://github.com/contoso/runbooks".
	SourceRepository string `json:"source_repository,omitempty"`
	SourceRef        string `json:"source_ref,omitempty"`    // such as "refs/heads/main"
	SourceDigest     string `json:"source_digest,omitempty"` // the commit
	// Workflow is the address of the job's definition, with its ref.
	Workflow string `json:"workflow,omitempty"`
	// Trigger is what started the job, such as "push".
	Trigger string `json:"trigger,omitempty"`
}

// Finding is something about a file that is worth saying and is not a check of
// one signature. Code is a stable word; Line counts from 1, 0 for none.
type Finding struct {
	Code   string `json:"code"`
	Line   int    `json:"line"`
	Detail string `json:"detail"`
	// Fix says what would repair it; "" where nothing would.
	Fix string `json:"fix,omitempty"`
}

// Report holds the facts about one file. It is not a permission: policy decides.
type Report struct {
	Name string
	Kind runbook.Kind
	// Format is the signature format that the file is of, "" for none.
	Format string
	// File is the digest of the bytes as they were read.
	File runbook.Digest
	Size int
	// Sidecars are the names of the files that were read with it.
	Sidecars []string
	// Payload is the digest of the bytes that would be run; zero unless Verdict
	// is Valid.
	Payload runbook.Digest
	// Set says as a part of which set the file was judged; nil for one that stands
	// by itself.
	Set        *SetFacts
	Verdict    Verdict
	Signatures []Signature
	// Repair says how to get back to the bytes that were signed; "" unless
	// Verdict is Damaged and the digest and the signature of those bytes verify.
	Repair      string
	Findings    []Finding
	At          time.Time
	TrustDigest runbook.Digest
	// TrustEpoch says which edition of a trust store it was.
	TrustEpoch Epoch
}

// Intact reports whether the file is as its signer left it: the container is
// well made, and digest and signature value verify. That is not Valid: anybody
// may have signed, with any strength, at any time, and the bytes may read as
// different texts.
func (r *Report) Intact() bool {
	switch r.Verdict {
	case Valid, Ambiguous, Revoked, WrongPurpose, Weak, Untrusted, Expired:
	default:
		return false
	}
	if len(r.Signatures) == 0 {
		return false
	}
	verified := 0
	for _, c := range r.Signatures[0].Checks { // the first is the file's own
		switch c.ID {
		case CheckContentDigest, CheckSignature:
			verified++
		case CheckLayout, CheckLineEnds, CheckCanonicalText, CheckStructure, CheckSupported:
		case CheckSecondOpinion: // it is asked about strong algorithms only
			if c.Status == StatusFailed {
				return false
			}
			continue
		default: // who, when and how strong
			continue
		}
		if c.Status != StatusPassed {
			return false
		}
	}
	return verified == 2
}

// UnverifiedError says that a runbook is not valid; the facts are in Report.
type UnverifiedError struct{ Report *Report }

func (e *UnverifiedError) Error() string {
	return fmt.Sprintf("%q is %s%s", e.Report.Name, e.Report.Verdict, e.Report.reason())
}

// reason is the first failed check or the first finding, for a message.
func (r *Report) reason() string {
	var b strings.Builder
	for _, s := range r.Signatures {
		if s.Nested {
			continue
		}
		for _, c := range s.Checks {
			if c.Status == StatusFailed && verdictOf[c.ID] == r.Verdict {
				fmt.Fprintf(&b, ": %s: %s", c.ID, c.Detail)
				return b.String()
			}
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, ": %s: %s", f.Code, f.Detail)
		return b.String()
	}
	return ""
}

// Verified is a runbook whose signature is valid, with the payload that the
// signature covers. Only Verifier.Verify makes one; the zero value has no
// report and no payload.
type Verified struct {
	report  *Report
	payload []byte
	set     *runbook.Set
}

// Report returns the facts. The caller must not change them.
func (v *Verified) Report() *Report { return v.report }

// Payload returns a copy of the bytes to be run.
func (v *Verified) Payload() []byte { return append([]byte(nil), v.payload...) }

// Set returns the files that run with the payload, all as the manifest lists them;
// nil for a runbook that stands by itself.
func (v *Verified) Set() *runbook.Set { return v.set }

// Name is the payload's file name: the runbook's, without ".asc".
func (v *Verified) Name() string {
	if v.report == nil {
		return ""
	}
	return runbook.PayloadName(v.report.Name)
}
