package policytest

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// statementLife is how long the statements of a test last: no limit of a policy is
// shorter.
const statementLife = time.Minute

// approvals reads who has approved exactly the run that is asked about.
func (t *tree) approvals(n *yaml.Node, field string, in *policy.Input) {
	for i, who := range t.List(n, field, plainText) {
		t.statement(n, fmt.Sprintf("%s[%d]", field, i), who, policy.Approval{Type: policy.TypeApproval, ParametersMatch: true}, in)
	}
}

// breakGlass reads who has had the policy lifted for the one who asks.
func (t *tree) breakGlass(n *yaml.Node, field string, in *policy.Input) {
	f := t.Fields(n, field, "by", "uses", "expires")
	a := policy.Approval{Type: policy.TypeBreakGlass, Requester: in.Caller.ID, Reason: "an emergency"}
	if v := f["uses"]; v != nil {
		a.Uses = t.Number(v, field+".uses", 0, 1_000)
	}
	if v := f["expires"]; v != nil {
		a.ExpiresNS = t.time(v, field+".expires").UnixNano()
	}
	if v := t.Need(f, n, field, "by"); v != nil {
		for i, who := range t.List(v, field+".by", plainText) {
			t.statement(v, fmt.Sprintf("%s.by[%d]", field, i), who, a, in)
		}
	}
}

// statement adds one statement on the run that is asked about, signed by a person
// or an identity. There are no bundles of statements.
func (t *tree) statement(n *yaml.Node, field, who string, a policy.Approval, in *policy.Input) {
	id := who
	if !strings.Contains(who, ":") {
		if id = t.outline.identityOf(who, schemeOpenPGP, schemeX509); id == "" {
			t.Problem(n, field, "%s", t.unknownPerson(who, "has no identity to sign a statement with"))
		}
	}
	a.File = fmt.Sprintf("statement-%d", len(in.Approvals)+1)
	a.SHA256, a.Nonce = runbook.DigestOf([]byte(a.File)), a.File
	a.Verdict, a.Signatures = verifier.Valid.String(), []policy.ApprovalSignature{{Verdict: verifier.Valid.String(), IDs: []string{id}}}
	a.Runbook, a.RunbookSHA256, a.WorkerGroup = in.Runbook.Name, in.Runbook.SHA256, in.Worker.Group
	if a.ExpiresNS == 0 {
		a.ExpiresNS = in.NowNS + int64(statementLife)
	}
	a.NotBeforeNS = min(in.NowNS, a.ExpiresNS-int64(statementLife))
	in.Approvals = append(in.Approvals, a)
}
