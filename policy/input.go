package policy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// InputVersion names the schema of Input; see schema/input.v1.json.
const InputVersion = "writ.input/v1"

// Input is everything a policy is asked about: facts only. NewInput and
// NewReportInput make one. A decision on an Input that was decoded, put together
// by hand or changed afterwards carries no permit.
type Input struct {
	Version    string            `json:"version"`
	NowNS      int64             `json:"now_ns"`
	Runbook    Runbook           `json:"runbook"`
	Signatures []Signature       `json:"signatures"`
	Findings   []Finding         `json:"findings"`
	Caller     Caller            `json:"caller"`
	Worker     Worker            `json:"worker"`
	Parameters map[string]string `json:"parameters"`
	// Redacted names the parameters whose values were left out of a record, because
	// they are secret (see Decision.Redact) or too large for it. No decision is made on
	// such an input.
	Redacted []string `json:"redacted,omitempty"`
	// Job is what the ticket says of the job: "id", "trigger", "scheduled" and
	// "submitted"; empty without one.
	Job map[string]string `json:"job"`
	// Ticket is the ticket with which the run was asked for; nil for none.
	Ticket *Ticket `json:"ticket,omitempty"`
	// Approvals are the statements that there are about the runbook.
	Approvals []Approval `json:"approvals"`
	Trust     Trust      `json:"trust"`
	// LastRecordNS is the time of the last record of the ledger, which the clock
	// cannot be behind; 0 for none.
	LastRecordNS int64 `json:"last_record_ns"`
	// Policy is filled in by the Engine that decides.
	Policy Ref `json:"policy"`

	seal *seal
	// members are the digests of the files of the project, for those that
	// grants.yaml denies.
	members []runbook.Digest
}

// Runbook is what is known of the file itself.
type Runbook struct {
	// Name is the payload's file name: without ".asc".
	Name string `json:"name"`
	// Path is where the file was found, with slashes.
	Path string `json:"path"`
	Kind string `json:"kind"`
	// Verdict is the verifier's word for the file; only "valid" means yes.
	Verdict string         `json:"verdict"`
	SHA256  runbook.Digest `json:"sha256"`
	// PayloadSHA256 is zero unless the verdict is "valid".
	PayloadSHA256 runbook.Digest `json:"payload_sha256"`
	Size          int            `json:"size"`
	// Manifest says as a part of which project the file would run; nil for one that
	// runs by itself.
	Manifest *Manifest `json:"manifest,omitempty"`
}

// Manifest is what is known of the project that a runbook is a part of. All of
// its files are at hand when the runbook runs.
type Manifest struct {
	// SHA256 is the digest of the list, and so of all files; zero unless the
	// verdict is "valid".
	SHA256 runbook.Digest `json:"sha256"`
	// DocumentSHA256 is the digest of the signed list as it was read.
	DocumentSHA256 runbook.Digest `json:"document_sha256"`
	// Entry is the path of the runbook in the project.
	Entry string `json:"entry"`
	Files int    `json:"files"`
}

// manifest is the zero value for a runbook that runs by itself.
func (r *Runbook) manifest() Manifest {
	if r.Manifest == nil {
		return Manifest{}
	}
	return *r.Manifest
}

// Signature holds the facts about one signature.
type Signature struct {
	Format  string `json:"format"`
	Verdict string `json:"verdict"`
	// TrustStore names the store of the trust store that trusts the signer. It is
	// left out where none does, or where the format makes no difference.
	TrustStore string `json:"trust_store,omitempty"`
	// Nested says that the signature stands inside another one, which does not
	// cover it. It counts as a signer if its own verdict is "valid".
	Nested bool   `json:"nested,omitempty"`
	Signer Signer `json:"signer"`
	// SignedAtNS is 0 where no time is known.
	SignedAtNS     int64  `json:"signed_at_ns"`
	SignedAtSource string `json:"signed_at_source"`
	Digest         string `json:"digest_algorithm"`
	// NotPassed lists the checks that did not pass.
	NotPassed []string `json:"not_passed"`
	// Claims are what a valid signature says of the runbook. They are left out of
	// any other signature: there they are anybody's word.
	Claims *verifier.Claims `json:"claims,omitempty"`
	// Sigstore is what the certificate of a valid keyless signature says of who signed,
	// and in which job. It is left out of any other signature, as Claims are.
	Sigstore *verifier.Sigstore `json:"sigstore,omitempty"`
}

// Signer says whose key made a signature. Only IDs may authorise.
type Signer struct {
	IDs        []string `json:"ids"`
	Display    string   `json:"display"`
	Issuer     string   `json:"issuer"`
	KeyID      string   `json:"key_id"`
	Algorithm  string   `json:"algorithm"`
	NotAfterNS int64    `json:"not_after_ns"` // 0 for never
}

// Finding is something that was seen in the file and is no check of a signature.
type Finding struct {
	Code   string `json:"code"`
	Line   int    `json:"line"`
	Detail string `json:"detail"`
}

// Caller is who asks for the run. Every identity carries its namespace.
type Caller struct {
	Kind string `json:"kind"` // such as "os-user"
	ID   string `json:"id"`   // such as "os:alice"
	// Issuer is who vouches for the identity; "" for the operating system.
	Issuer string `json:"issuer,omitempty"`
	// Display is for people to read, and never authorises.
	Display string `json:"display,omitempty"`
	// Groups are such as "os-group:wheel".
	Groups []string `json:"groups"`
	// GroupsComplete says that Groups lists all of the caller's groups.
	GroupsComplete bool     `json:"groups_complete"`
	Roles          []string `json:"roles"`
	// Assurance says how the identity was established, such as "peercred".
	Assurance string `json:"assurance"`
	// Token says which token it was taken from; nil for none.
	Token *Token `json:"token,omitempty"`
}

// Worker is where the runbook would run, as the machine's own configuration
// says.
type Worker struct {
	ID     string            `json:"id"`
	Group  string            `json:"group"` // "" for a worker without a group
	OS     string            `json:"os"`
	Labels map[string]string `json:"labels"`
	// Identity is what the worker's managed identity proves, such as
	// "entra:TENANT:OBJECT"; "" for none.
	Identity string `json:"identity,omitempty"`
	// Assurance says who states all this: "flags", "config" or, with an Identity,
	// "managed-identity".
	Assurance string `json:"assurance,omitempty"`
}

// Trust says against which trust store the signatures were judged.
type Trust struct {
	Digest runbook.Digest `json:"digest"`
	// Epoch, NotBeforeNS and ExpiresNS are what the trust store says of itself; 0
	// where it does not.
	Epoch       uint64 `json:"epoch"`
	NotBeforeNS int64  `json:"not_before_ns"`
	ExpiresNS   int64  `json:"expires_ns"`
	// HighEpoch is the highest epoch of a trust store that this machine has used.
	HighEpoch uint64 `json:"high_epoch"`
}

// Request is what the verifier does not know about a run that is asked for.
type Request struct {
	// Path of the file: absolute and clean, links resolved; rules match on it.
	Path      string
	Caller    Caller
	Worker    Worker
	Arguments []Argument
	// Approvals are the facts about the statements on the runbook.
	Approvals []Approval
	// Ticket, if given, says who asks, in place of Caller; it must be for this run.
	Ticket *TicketRequest
	// Now is when the decision is made; required.
	Now time.Time
	// LastRecord is the time of the last record of the ledger; zero for none.
	LastRecord time.Time
	// HighTrustEpoch is the highest epoch of a trust store that this machine has
	// used; 0 for none.
	HighTrustEpoch uint64
}

// seal ties an Input to the payload that was verified.
type seal struct {
	digest    [sha256.Size]byte // of the Input as it was made
	arguments []Argument
}

// NewInput returns the question whether a verified runbook may run. It fails
// with *ArgumentError or *InputError.
func NewInput(v *verifier.Verified, r Request) (Input, error) {
	if v == nil || v.Report() == nil || v.Report().Verdict != verifier.Valid || v.Report().Payload.IsZero() {
		return Input{}, &InputError{"runbook", "is not a verified runbook"}
	}
	if set := v.Report().Set; (set == nil) != (v.Set() == nil) || set != nil && set.List.IsZero() {
		return Input{}, &InputError{"runbook.manifest", "is not that of the verified runbook"}
	}
	in, err := NewReportInput(v.Report(), r)
	if err != nil {
		return Input{}, err
	}
	in.seal = &seal{digest: in.digest(), arguments: slices.Clone(r.Arguments)}
	return in, nil
}

// NewReportInput returns the question whether the runbook of a report may run,
// for explaining and for recording why an unverified one may not: the decision
// on it never carries a permit. It fails as NewInput does.
func NewReportInput(rep *verifier.Report, r Request) (Input, error) {
	if rep == nil || rep.Name == "" {
		return Input{}, &InputError{"runbook", "is not a report of a verifier"}
	}
	if bad := pathProblem(r.Path); bad != "" {
		return Input{}, &InputError{"runbook.path", bad}
	}
	if path.Base(r.Path) != rep.Name {
		return Input{}, &InputError{"runbook.path", fmt.Sprintf("%q is not the path of %q", r.Path, rep.Name)}
	}
	if err := checkArguments(rep.Kind, r.Arguments); err != nil {
		return Input{}, err
	}
	in := Input{
		Version: InputVersion,
		NowNS:   r.Now.UnixNano(),
		Runbook: Runbook{
			Name: runbook.PayloadName(rep.Name), Path: r.Path, Kind: rep.Kind.String(), Verdict: rep.Verdict.String(),
			SHA256: rep.File, Size: rep.Size,
		},
		Signatures: []Signature{},
		Findings:   []Finding{},
		Caller:     r.Caller,
		Worker:     r.Worker,
		Parameters: parameters(r.Arguments),
		Job:        map[string]string{},
		Approvals:  cloneApprovals(r.Approvals),
		Trust: Trust{
			Digest: rep.TrustDigest, Epoch: rep.TrustEpoch.Number, HighEpoch: r.HighTrustEpoch,
			NotBeforeNS: nanoseconds(rep.TrustEpoch.NotBefore), ExpiresNS: nanoseconds(rep.TrustEpoch.Expires),
		},
		LastRecordNS: nanoseconds(r.LastRecord),
	}
	if rep.Verdict == verifier.Valid {
		in.Runbook.PayloadSHA256 = rep.Payload
	}
	if set := rep.Set; set != nil {
		in.Runbook.Manifest = &Manifest{SHA256: set.List, DocumentSHA256: set.Manifest, Entry: set.Entry, Files: set.Files}
		in.members = set.Members()
	}
	for _, s := range rep.Signatures {
		in.Signatures = append(in.Signatures, signatureFacts(s))
	}
	for _, f := range rep.Findings {
		in.Findings = append(in.Findings, Finding{Code: f.Code, Line: f.Line, Detail: shorten(f.Detail)})
	}
	in.Caller.Groups = append([]string{}, r.Caller.Groups...)
	in.Caller.Roles = append([]string{}, r.Caller.Roles...)
	if r.Caller.Token != nil {
		token := *r.Caller.Token
		token.AMR = append([]string{}, token.AMR...)
		in.Caller.Token = &token
	}
	r.Ticket.addTo(&in)
	in.Worker.Labels = maps.Clone(r.Worker.Labels)
	if in.Worker.Labels == nil {
		in.Worker.Labels = map[string]string{}
	}
	if r.Now.IsZero() {
		return Input{}, &InputError{"now_ns", "is missing"}
	}
	if err := in.checkAsker(); err != nil {
		return Input{}, err
	}
	return in, nil
}

func signatureFacts(s verifier.Signature) Signature {
	facts := Signature{
		Format: s.Format, Verdict: s.Verdict.String(), TrustStore: s.TrustStore, Nested: s.Nested, SignedAtSource: s.SignedAtSource, Digest: s.Digest,
		Signer: Signer{
			IDs: append([]string{}, s.Signer.IDs...), Display: shorten(s.Signer.Display), Issuer: shorten(s.Signer.Issuer),
			KeyID: shorten(s.Signer.KeyID), Algorithm: s.Signer.Algorithm, NotAfterNS: nanoseconds(s.Signer.NotAfter),
		},
		SignedAtNS: nanoseconds(s.SignedAt),
		NotPassed:  []string{},
	}
	if s.Verdict == verifier.Valid && s.Claims != nil {
		claims := *s.Claims
		facts.Claims = &claims
	}
	if s.Verdict == verifier.Valid && s.Sigstore != nil {
		certificate := *s.Sigstore
		facts.Sigstore = &certificate
	}
	for _, c := range s.Checks {
		if c.Status != verifier.StatusPassed {
			facts.NotPassed = append(facts.NotPassed, string(c.ID))
		}
	}
	return facts
}

// nanoseconds since 1970; 0 for no time, and the last time that fits for one
// that does not: certificates may say year 9999.
func nanoseconds(t time.Time) int64 {
	const last = 1<<63 - 1
	switch {
	case t.IsZero() || t.Year() < 1970:
		return 0
	case t.Year() > 2261:
		return last
	}
	return t.UnixNano()
}

// digest identifies the content of the input; the policy is not part of it.
func (in Input) digest() [sha256.Size]byte {
	in.Policy = Ref{}
	data, _ := json.Marshal(in) // what cannot be encoded is denied
	return sha256.Sum256(data)
}
