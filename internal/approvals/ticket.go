package approvals

import (
	"slices"

	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
)

// Ticket returns what a verified statement says as a ticket for a run of the runbook
// with these arguments. Issuers are the identities that may issue tickets. Whether
// it was used is not known here.
func (s *Signed) Ticket(issuers []string, args []policy.Argument) *policy.TicketRequest {
	t := policy.Ticket{SHA256: s.Report.File, Verdict: s.Report.Verdict.String(), Signatures: s.Signatures()}
	d, ok := s.Document.(*statement.Ticket)
	if !ok {
		if s.Document != nil { // validly signed, as something else
			t.Verdict = verifier.WrongPurpose.String()
		}
		return &policy.TicketRequest{Facts: t}
	}
	for _, issuer := range issuers {
		if t.Issuer == "" && s.SignedBy(issuer) {
			t.Issuer = issuer
		}
	}
	t.Runbook, t.RunbookSHA256, t.ManifestSHA256 = d.Runbook, d.SHA256, d.Manifest
	t.ParametersMatch = d.Digest == statement.ParametersDigest(d.Salt, policy.Parameters(args))
	t.WorkerGroup, t.WorkerID = d.WorkerGroup, d.WorkerID
	t.NotBeforeNS, t.ExpiresNS, t.Nonce = d.NotBefore.UnixNano(), d.Expires.UnixNano(), d.Nonce
	job := map[string]string{"id": d.Job.ID}
	for key, value := range map[string]string{"trigger": d.Job.Trigger, "scheduled": d.Job.Scheduled.String(), "submitted": d.Job.Submitted.String()} {
		if value != "" {
			job[key] = value
		}
	}
	return &policy.TicketRequest{
		Facts: t, Job: job,
		Caller: policy.Caller{
			Kind: d.Caller.Kind, ID: d.Caller.ID, Groups: slices.Clone(d.Caller.Groups), GroupsComplete: d.Caller.GroupsComplete, Roles: slices.Clone(d.Caller.Roles),
		},
	}
}
