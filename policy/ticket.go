package policy

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// AssuranceTicket says that a ticket of a scheduler names the caller.
const AssuranceTicket = "ticket"

// MaxTicketLife is how long a ticket may last.
const MaxTicketLife = 24 * time.Hour

// Ticket holds the facts about a signed ticket, good or bad. A run that was asked
// for with one takes place only if it is valid, by an issuer, for exactly this run,
// and was not used.
type Ticket struct {
	// SHA256 is the digest of the file that holds it.
	SHA256     runbook.Digest      `json:"sha256"`
	Verdict    string              `json:"verdict"`
	Signatures []ApprovalSignature `json:"signatures"`
	// Issuer is the identity of who has validly signed it and may issue tickets; ""
	// for nobody.
	Issuer          string         `json:"issuer"`
	Runbook         string         `json:"runbook"`
	RunbookSHA256   runbook.Digest `json:"runbook_sha256"`
	ManifestSHA256  runbook.Digest `json:"manifest_sha256"`
	ParametersMatch bool           `json:"parameters_match"`
	// WorkerGroup and WorkerID say where it may run; "" for any, one of them is there.
	WorkerGroup string `json:"worker_group"`
	WorkerID    string `json:"worker_id"`
	NotBeforeNS int64  `json:"not_before_ns"`
	ExpiresNS   int64  `json:"expires_ns"`
	// Nonce is what it can be used once by.
	Nonce string `json:"nonce"`
	Used  bool   `json:"used"`
}

// TicketRequest is a ticket with which a run is asked for.
type TicketRequest struct {
	Facts Ticket
	// Caller and Job are what it says; they count only if it is believed. The caller's
	// assurance is AssuranceTicket then.
	Caller Caller
	Job    map[string]string
}

// jobKeys are what is known of a job.
var jobKeys = []string{"id", "trigger", "scheduled", "submitted"}

// believed says that an issuer has validly signed it.
func (t *Ticket) believed() bool {
	return t.Verdict == string(verifier.Valid) && t.Issuer != "" && slices.ContainsFunc(t.Signatures, func(s ApprovalSignature) bool {
		return s.Verdict == string(verifier.Valid) && slices.Contains(s.IDs, t.Issuer)
	})
}

// addTo puts a ticket into an input, and believes what it says if an issuer says so.
func (r *TicketRequest) addTo(in *Input) {
	if r == nil {
		return
	}
	t := r.Facts
	t.Signatures = cloneSignatures(t.Signatures)
	in.Ticket = &t
	if !t.believed() {
		return
	}
	in.Caller = Caller{
		Kind: r.Caller.Kind, ID: r.Caller.ID, Issuer: t.Issuer, Groups: append([]string{}, r.Caller.Groups...), GroupsComplete: r.Caller.GroupsComplete,
		Roles: append([]string{}, r.Caller.Roles...), Assurance: AssuranceTicket,
	}
	maps.Copy(in.Job, r.Job)
}

// reasons say why a ticket does not let an input run.
func (t *Ticket) reasons(in *Input) []Reason {
	if t == nil {
		return nil
	}
	var reasons []Reason
	deny := func(code, format string, args ...any) {
		reasons = append(reasons, Reason{Code: code, Msg: fmt.Sprintf(format, args...), Rule: ruleEngine, Hint: "have the scheduler issue a ticket for this run"})
	}
	if t.Verdict != string(verifier.Valid) { // nothing else of it is believed
		deny("ticket-not-valid", "the ticket is %s, not valid", t.Verdict)
		return reasons
	}
	if !t.believed() {
		deny("ticket-issuer-unknown", "the ticket is validly signed by nobody who may issue tickets")
		return reasons
	}
	about := Approval{Runbook: t.Runbook, RunbookSHA256: t.RunbookSHA256, ManifestSHA256: t.ManifestSHA256, NotBeforeNS: t.NotBeforeNS, ExpiresNS: t.ExpiresNS}
	for _, wrong := range about.aboutOther(in) {
		deny("ticket-mismatch", "the ticket: %s", wrong)
	}
	if !t.ParametersMatch {
		deny("ticket-mismatch", "the ticket: it is for other parameters")
	}
	if t.WorkerGroup == "" && t.WorkerID == "" || t.WorkerGroup != "" && t.WorkerGroup != in.Worker.Group || t.WorkerID != "" && t.WorkerID != in.Worker.ID {
		deny("ticket-mismatch", "the ticket: it is for the worker %s of the group %s", orAny(t.WorkerID), orAny(t.WorkerGroup))
	}
	for _, wrong := range about.outOfTime(in, MaxTicketLife) {
		deny("ticket-out-of-time", "the ticket: %s", wrong)
	}
	if t.Used {
		reasons = append(reasons, t.gone())
	}
	return reasons
}

func orAny(s string) string {
	if s == "" {
		return "(any)"
	}
	return s
}

func (t *Ticket) gone() Reason {
	return Reason{Code: CodeTicketUsed, Msg: "the ticket has been used already", Hint: "a ticket is for one run: have the scheduler issue another", Rule: ruleEngine}
}

// uses are the one of a ticket, which must be taken before anything starts.
func (t *Ticket) uses() []Use {
	if t == nil {
		return nil
	}
	return []Use{{Kind: UseTicket, Key: t.Nonce, Limit: 1, Expires: time.Unix(0, t.ExpiresNS).UTC(), Gone: t.gone()}}
}

// problem bounds what comes from a ticket; "" for nothing wrong.
func (t *Ticket) problem() string {
	if t == nil {
		return ""
	}
	if t.SHA256.IsZero() || len(t.Signatures) > maxSignatures {
		return "has no digest, or too many signatures"
	}
	if t.Verdict == string(verifier.Valid) && (t.NotBeforeNS <= 0 || t.ExpiresNS <= t.NotBeforeNS || t.Nonce == "") {
		return "has an odd time, or no nonce"
	}
	texts := []string{t.Verdict, t.Issuer, t.Runbook, t.WorkerGroup, t.WorkerID, t.Nonce}
	for _, s := range t.Signatures {
		if len(s.IDs) > maxIDs {
			return "has a signer with too many identities"
		}
		texts = slices.Concat(texts, s.IDs, []string{s.Verdict})
	}
	for _, s := range texts {
		if bad := textProblem(s, maxText); bad != "" {
			return "a text " + bad
		}
	}
	return ""
}

// checkJob bounds what is said of a job.
func (in *Input) checkJob() error {
	for name, value := range in.Job {
		if !slices.Contains(jobKeys, name) || textProblem(value, maxText) != "" {
			return &InputError{"job", "has an unknown field, or a text that cannot be shown"}
		}
	}
	if bad := in.Ticket.problem(); bad != "" {
		return &InputError{"ticket", bad}
	}
	return nil
}
