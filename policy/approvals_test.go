package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// approvedRule wants one approval more than the good question has.
func approvedRule(approvedBy string) string {
	return peopleYAML + strings.Replace(restartRule, "    parameters:\n", "    approved_by: "+approvedBy+"\n    parameters:\n", 1)
}

const carolSigner = "x509-spki:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

// approvalBy is an approval of the good question.
func approvalBy(ids ...string) policy.Approval {
	in := good()
	return policy.Approval{
		Type: policy.TypeApproval, File: "x.statement.asc", SHA256: runbook.DigestOf([]byte(strings.Join(ids, ""))), Verdict: "valid",
		Signatures: []policy.ApprovalSignature{{Verdict: "valid", IDs: ids}},
		Runbook:    in.Runbook.Name, RunbookSHA256: in.Runbook.SHA256, ParametersMatch: true, WorkerGroup: "web",
		NotBeforeNS: in.NowNS - int64(time.Hour), ExpiresNS: in.NowNS + int64(time.Hour),
	}
}

// requestedByBob is the good question, asked by somebody whom grants.yaml knows.
func requestedByBob(approvals ...policy.Approval) policy.Input {
	in := good()
	in.Caller.ID = "os:bob"
	in.Approvals = approvals
	return in
}

func TestDistinctPeopleApprove(t *testing.T) {
	t.Parallel()
	one, two := engine(t, approvedRule("{groups: [release], people: [carol]}")), engine(t, approvedRule("{groups: [release], people: [carol], at_least: 2}"))
	edited := func(change func(*policy.Approval)) policy.Approval {
		a := approvalBy(aliceKey)
		change(&a)
		return a
	}
	for _, tt := range []struct {
		name      string
		engine    *policy.Engine
		approvals []policy.Approval
		want      string // code; "" for allowed
		said      string
	}{
		{"one is enough", one, []policy.Approval{approvalBy(aliceKey)}, "", ""},
		{"two different people", two, []policy.Approval{approvalBy(aliceKey), approvalBy(carolSigner)}, "", ""},
		{"two people on one statement", two, []policy.Approval{edited(func(a *policy.Approval) {
			a.Signatures = append(a.Signatures, policy.ApprovalSignature{Verdict: "valid", IDs: []string{carolSigner}})
		})}, "", ""},
		{"nobody", one, nil, "approval-missing", "nobody has approved it who counts; the rule wants 1 of carol, group release"},
		{"one of two", two, []policy.Approval{approvalBy(aliceKey)}, "too-few-approvals", "approved by alice; the rule wants 2 different people"},
		{"two keys of one person", two, []policy.Approval{approvalBy(aliceKey), approvalBy(aliceCert)}, "too-few-approvals", "approved by alice;"},
		{"two keys of one person on one statement", two, []policy.Approval{edited(func(a *policy.Approval) {
			a.Signatures = append(a.Signatures, policy.ApprovalSignature{Verdict: "valid", IDs: []string{aliceCert}})
		})}, "too-few-approvals", "approved by alice;"},
		{"a duplicated statement file", two, []policy.Approval{approvalBy(aliceKey), approvalBy(aliceKey)}, "too-few-approvals", "approved by alice;"},
		{"a self-approval", one, []policy.Approval{approvalBy(bobKey)}, "approval-missing", "not counted: x.statement.asc by bob: bob is the requester"},
		{"a self-approval beside another", two, []policy.Approval{approvalBy(bobKey), approvalBy(aliceKey)}, "too-few-approvals", "bob is the requester"},
		{"an approval signed by an unknown key", one, []policy.Approval{approvalBy("openpgp:0000000000000000000000000000000000000000")}, "approval-missing", "nobody that grants.yaml knows"},
		{"an account is no key", one, []policy.Approval{approvalBy("os:alice")}, "approval-missing", "nobody that grants.yaml knows"},
		{"a key of two people", one, []policy.Approval{approvalBy(aliceKey, carolSigner)}, "approval-missing", "nobody that grants.yaml knows"},
		{"a revoked key", one, []policy.Approval{edited(func(a *policy.Approval) { a.Verdict, a.Signatures[0].Verdict = "revoked", "revoked" })}, "approval-missing", "it is revoked, not valid"},
		{"a revoked key beside a stranger's", one, []policy.Approval{edited(func(a *policy.Approval) { a.Signatures[0].Verdict = "revoked" })}, "approval-missing", "nobody that grants.yaml knows"},
		{"a signature that was made for something else", one, []policy.Approval{edited(func(a *policy.Approval) { a.Signatures[0].Verdict = "claim-contradicts" })}, "approval-missing", "nobody that grants.yaml knows"},
		{"a statement of another type", one, []policy.Approval{edited(func(a *policy.Approval) { a.Type = "writ.ticket/v1" })}, "approval-missing", "it is no approval"},
		{"an approval of another digest", one, []policy.Approval{edited(func(a *policy.Approval) { a.RunbookSHA256 = runbook.DigestOf([]byte("old")) })}, "approval-missing", "it is for another version of the file"},
		{"an approval of another name", one, []policy.Approval{edited(func(a *policy.Approval) { a.Runbook = "other.sh" })}, "approval-missing", "it is for the runbook other.sh"},
		{"an approval of other parameters", one, []policy.Approval{edited(func(a *policy.Approval) { a.ParametersMatch = false })}, "approval-missing", "it is for other parameters"},
		{"an approval for another worker group", one, []policy.Approval{edited(func(a *policy.Approval) { a.WorkerGroup = "test" })}, "approval-missing", "it is for the worker group test"},
		{"an approval for no worker group", one, []policy.Approval{edited(func(a *policy.Approval) { a.WorkerGroup = "" })}, "approval-missing", "it is for the worker group"},
		{"an approval for a project", one, []policy.Approval{edited(func(a *policy.Approval) { a.ManifestSHA256 = runbook.DigestOf([]byte("list")) })}, "approval-missing", "all files of a project"},
		{"an expired approval", one, []policy.Approval{edited(func(a *policy.Approval) { a.ExpiresNS = good().NowNS })}, "approval-missing", "it expired at 2026-11-22T12:00:00Z"},
		{"an approval that is not valid yet", one, []policy.Approval{edited(func(a *policy.Approval) { a.NotBeforeNS = good().NowNS + 1 })}, "approval-missing", "it holds from 2026-11-22T12:00:00.000000001Z on"},
		{"an approval that would last too long", one, []policy.Approval{edited(func(a *policy.Approval) { a.ExpiresNS = a.NotBeforeNS + int64(policy.DefaultApprovalLife) + 1 })}, "approval-missing", "the limit is 168h0m0s"},
		{"an approval that lasts as long as it may", one, []policy.Approval{edited(func(a *policy.Approval) { a.ExpiresNS = a.NotBeforeNS + int64(policy.DefaultApprovalLife) })}, "", ""},
		{"an approval for this requester", one, []policy.Approval{edited(func(a *policy.Approval) { a.Requester = "os:bob" })}, "", ""},
		{"an approval for another account of this requester", one, []policy.Approval{edited(func(a *policy.Approval) { a.Requester = bobKey })}, "", ""},
		{"an approval for another requester", one, []policy.Approval{edited(func(a *policy.Approval) { a.Requester = "os:alice" })}, "approval-missing", "it is for a run that os:alice requests"},
		{"an approval for a requester that nobody knows", one, []policy.Approval{edited(func(a *policy.Approval) { a.Requester = "os:nobody" })}, "approval-missing", "it is for a run that os:nobody requests"},
		{"a person who may not approve", engine(t, approvedRule("{people: [carol]}")), []policy.Approval{approvalBy(aliceKey)}, "approval-missing", "alice is none of those who may approve"},
		{"the signer may approve", one, []policy.Approval{approvalBy(aliceKey)}, "", ""},
		{"the signer may not approve", engine(t, approvedRule("{groups: [release], not_signers: true}")), []policy.Approval{approvalBy(aliceKey)}, "approval-missing", "alice has signed the runbook"},
		{"somebody else than the signer approves", engine(t, approvedRule("{people: [alice, carol], not_signers: true}")), []policy.Approval{approvalBy(aliceKey), approvalBy(carolSigner)}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := tt.engine.Decide(t.Context(), requestedByBob(tt.approvals...))
			if tt.want == "" {
				if !d.Allow {
					t.Errorf("denied: %+v", d.Deny)
				}
				return
			}
			mustDeny(t, d, tt.want)
			if !strings.Contains(d.Deny[0].Msg, tt.said) || d.Deny[0].Rule != "restart" {
				t.Errorf("%+v does not say %q", d.Deny[0], tt.said)
			}
		})
	}
}

// Somebody without a name could be the approver.
func TestAnUnknownRequesterHasNothingApproved(t *testing.T) {
	t.Parallel()
	e := engine(t, approvedRule("{groups: [release]}"))
	in := good()
	in.Approvals = []policy.Approval{approvalBy(aliceKey)}
	mustDeny(t, e.Decide(t.Context(), in), "requester-unknown")
}

func TestAnApprovalOfAProjectIsForItsList(t *testing.T) {
	t.Parallel()
	e := engine(t, approvedRule("{groups: [release]}"))
	list := runbook.DigestOf([]byte("list"))
	question := func(approved runbook.Digest) policy.Input {
		a := approvalBy(aliceKey)
		a.ManifestSHA256 = approved
		in := requestedByBob(a)
		in.Runbook.Manifest = &policy.Manifest{SHA256: list, DocumentSHA256: runbook.DigestOf([]byte("doc")), Entry: "restart.sh", Files: 2}
		in.Signatures[0].Format = "manifest"
		return in
	}
	if d := e.Decide(t.Context(), question(list)); !d.Allow {
		t.Errorf("denied: %+v", d.Deny)
	}
	for name, approved := range map[string]runbook.Digest{"another list": runbook.DigestOf([]byte("other")), "no list": {}} {
		d := e.Decide(t.Context(), question(approved))
		mustDeny(t, d, "approval-missing")
		if !strings.Contains(d.Deny[0].Msg, "other files of the project") {
			t.Errorf("%s: %+v", name, d.Deny[0])
		}
	}
}

// TestAttackApprovalOfNoListForABadProject: where the manifest is not valid its list is
// unknown, and equals nothing.
func TestAttackApprovalOfNoListForABadProject(t *testing.T) {
	t.Parallel()
	in := requestedByBob(approvalBy(aliceKey))
	in.Runbook.Manifest = &policy.Manifest{DocumentSHA256: runbook.DigestOf([]byte("doc")), Entry: "restart.sh", Files: 2}
	in.Signatures[0].Format = "manifest"
	mustDeny(t, engine(t, approvedRule("{groups: [release]}")).Decide(t.Context(), in), "approval-missing")
}

func TestGrantsLimitHowLongAnApprovalLasts(t *testing.T) {
	t.Parallel()
	e := engine(t, strings.Replace(approvedRule("{groups: [release]}"), "rules:\n", "approvals: {max_life: 1h}\nrules:\n", 1))
	d := e.Decide(t.Context(), requestedByBob(approvalBy(aliceKey)))
	mustDeny(t, d, "approval-missing")
	if !strings.Contains(d.Deny[0].Msg, "it would last 2h0m0s, the limit is 1h0m0s") {
		t.Errorf("%+v", d.Deny[0])
	}
}

func TestApprovedByIsExplained(t *testing.T) {
	t.Parallel()
	e := engine(t, approvedRule("{groups: [release]}"))
	x, err := e.Explain(t.Context(), requestedByBob())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range x.Rules[0].Parts {
		if p.Part == "approved_by" {
			if p.Holds || len(p.Lacks) != 1 || p.Lacks[0].Code != "approval-missing" {
				t.Errorf("%+v", p)
			}
			return
		}
	}
	t.Error("approved_by is left out")
}

func TestMistakesInApprovalsAreNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, grants, want string }{
		{"nobody", approvedRule("{at_least: 1}"), "rules[0].approved_by: names nobody: give people or groups"},
		{"a number that could never be met", approvedRule("{people: [alice], at_least: 2}"), "2 people must approve, but only 1 are named"},
		{"a misspelled key", approvedRule("{people: [alice], atleast: 2}"), `did you mean "at_least"`},
		{"an unknown group", approvedRule("{groups: [relase]}"), `did you mean "release"`},
		{"no truth", approvedRule("{groups: [release], not_signers: maybe}"), "not_signers"},
		{"an empty section", approvedRule("{groups: [release]}") + "approvals: {}\n", "approvals.max_life: is missing"},
		{"a life without an end", approvedRule("{groups: [release]}") + "approvals: {max_life: 9000h}\n", "want whole seconds from 1m0s to 2160h0m0s"},
		{"a life that is none", approvedRule("{groups: [release]}") + "approvals: {max_life: [1h]}\n", "approvals.max_life"},
	} {
		_, err := policy.New(policy.Source{Grants: []byte(tt.grants)})
		if err == nil || !strings.Contains(problems(err), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, problems(err), tt.want)
		}
	}
}

func TestApprovalsThatCannotBeDecidedOnAreRefused(t *testing.T) {
	t.Parallel()
	e := engine(t, approvedRule("{groups: [release]}"))
	for name, spoil := range map[string]func(*policy.Input){
		"too many":            func(in *policy.Input) { in.Approvals = make([]policy.Approval, policy.MaxApprovals+1) },
		"no digest":           func(in *policy.Input) { in.Approvals[0].SHA256 = runbook.Digest{} },
		"no time":             func(in *policy.Input) { in.Approvals[0].NotBeforeNS = 0 },
		"a time turned round": func(in *policy.Input) { in.Approvals[0].ExpiresNS = 1 },
		"many signatures":     func(in *policy.Input) { in.Approvals[0].Signatures = make([]policy.ApprovalSignature, 65) },
		"many identities":     func(in *policy.Input) { in.Approvals[0].Signatures[0].IDs = make([]string, 17) },
		"a hidden character":  func(in *policy.Input) { in.Approvals[0].Reason = "\u202e" },
	} {
		in := requestedByBob(approvalBy(aliceKey))
		spoil(&in)
		d := e.Decide(t.Context(), in)
		mustDeny(t, d, "input-invalid")
		if !strings.Contains(d.Deny[0].Msg, "approvals") {
			t.Errorf("%s: %+v", name, d.Deny[0])
		}
	}
}

// What was decided on is what was signed: a changed approval takes the permit away.
func TestApprovalsAreSealedWithTheInput(t *testing.T) {
	t.Parallel()
	e := engine(t, strings.Replace(approvedRule("{groups: [release]}"), "signed_by: {groups: [release]}", "signed_by: {people: [carol]}", 1))
	file := verified(t, "restart.sh.asc", carolSigner)
	a := approvalBy(aliceKey)
	a.RunbookSHA256 = file.Report().File
	request := policy.Request{
		Path: "/srv/runbooks/restart.sh.asc", Now: time.Unix(0, good().NowNS), Approvals: []policy.Approval{a},
		Caller: policy.Caller{Kind: "os-user", ID: "os:bob"}, Worker: good().Worker, Arguments: []policy.Argument{{Name: "Service", Value: "nginx"}},
	}
	in, err := policy.NewInput(file, request)
	if err != nil {
		t.Fatal(err)
	}
	request.Approvals[0].Signatures[0].IDs[0] = "x" // the input keeps a copy
	if _, err := e.Decide(t.Context(), in).Permit(); err != nil {
		t.Errorf("no permit: %v, %+v", err, e.Decide(t.Context(), in).Deny)
	}
	in.Approvals[0].WorkerGroup = "web2"
	mustDeny(t, e.Decide(t.Context(), in), "input-invalid")
}

// TestAStatementIsNeverRun: not even if a verifier called it valid.
func TestAStatementIsNeverRun(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+strings.NewReplacer(`"/srv/runbooks/*.sh"], kinds: [bash]`, `"**"]`).Replace(restartRule)+glassSection)
	in := requestedByBob(glassBy(aliceKey))
	in.Runbook.Kind, in.Runbook.Name, in.Runbook.Path = "statement", "x.statement", "/srv/runbooks/x.statement.asc"
	mustDeny(t, e.Decide(t.Context(), in), "not-a-runbook")
	if _, err := policy.New(policy.Source{Grants: []byte(strings.Replace(peopleYAML+restartRule, "kinds: [bash]", "kinds: [statement]", 1))}); err == nil {
		t.Error("a rule is about statements")
	}
}

func TestParametersAreNamedByPosition(t *testing.T) {
	t.Parallel()
	p := policy.Parameters([]policy.Argument{{Value: "a"}, {Name: "N", Value: "b"}, {Value: "c"}})
	if len(p) != 3 || p["1"] != "a" || p["N"] != "b" || p["2"] != "c" {
		t.Errorf("%v", p)
	}
}
