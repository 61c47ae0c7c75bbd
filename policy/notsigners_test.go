package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// TestAttackAuthorOfAProjectApproves: in a project the manifest's signatures are those
// that vouch, but who has signed the runbook inside it has signed the runbook.
func TestAttackAuthorOfAProjectApproves(t *testing.T) {
	t.Parallel()
	list := runbook.DigestOf([]byte("list"))
	question := func(approver string) policy.Input {
		a := approvalBy(approver)
		a.ManifestSHA256 = list
		in := requestedByBob(a)
		in.Runbook.Manifest = &policy.Manifest{SHA256: list, DocumentSHA256: runbook.DigestOf([]byte("doc")), Entry: "restart.sh", Files: 2}
		in.Signatures[0].Format = "manifest" // by alice
		own := in.Signatures[0]
		own.Format, own.Signer.IDs = "clearsign", []string{carolSigner}
		in.Signatures = append(slices.Clone(in.Signatures), own)
		return in
	}
	e := engine(t, approvedRule("{people: [alice, carol], not_signers: true}"))
	mustDeny(t, e.Decide(t.Context(), question(carolSigner)), "approval-missing") // the author
	mustDeny(t, e.Decide(t.Context(), question(aliceKey)), "approval-missing")    // the manifest's signer
	e = engine(t, approvedRule("{people: [alice, carol]}"))
	if d := e.Decide(t.Context(), question(carolSigner)); !d.Allow {
		t.Errorf("where signers may approve: %+v", d.Deny)
	}
}

// TestAttackApprovalForNoGroupOnAWorkerWithoutOne: no statement is for everywhere.
func TestAttackApprovalForNoGroupOnAWorkerWithoutOne(t *testing.T) {
	t.Parallel()
	anywhere := strings.Replace(approvedRule("{groups: [release]}"), "workers: {groups: [web], labels: {env: [test, stage]}}", "workers: {any: true}", 1)
	a := approvalBy(aliceKey)
	a.WorkerGroup = ""
	in := requestedByBob(a)
	in.Worker.Group = ""
	mustDeny(t, engine(t, anywhere).Decide(t.Context(), in), "approval-missing")
}
