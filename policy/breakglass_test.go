package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

// glassSection lets bob have the glass broken by alice or carol.
const glassSection = `break_glass:
  requesters: {groups: [operators]}
  approvers: {people: [alice, carol, bob]}
  worker_groups: [web, db]
  max_uses: 2
`

// closedRule lets nobody run anything.
var closedRule = strings.Replace(restartRule, "requested_by: {groups: [operators]}", "requested_by: {people: [carol]}", 1)

func glassBy(ids ...string) policy.Approval {
	in := good()
	return policy.Approval{
		Type: policy.TypeBreakGlass, File: "g.statement.asc", SHA256: runbook.DigestOf([]byte("glass" + strings.Join(ids, ""))), Verdict: "valid",
		Signatures: []policy.ApprovalSignature{{Verdict: "valid", IDs: ids}},
		Runbook:    in.Runbook.Name, RunbookSHA256: in.Runbook.SHA256, WorkerGroup: "web", Requester: "os:bob", Reason: "the site is down, ticket 4711",
		NotBeforeNS: in.NowNS - int64(time.Hour), ExpiresNS: in.NowNS + int64(time.Hour), Nonce: strings.ToLower(ids[0][len(ids[0])-32:]),
	}
}

func TestTheGlassIsBrokenByOthersForAWhile(t *testing.T) {
	t.Parallel()
	one := engine(t, peopleYAML+closedRule+glassSection)
	two := engine(t, peopleYAML+closedRule+strings.Replace(glassSection, "bob]}", "bob], at_least: 2}", 1))
	edited := func(change func(*policy.Approval)) policy.Approval {
		g := glassBy(aliceKey)
		change(&g)
		return g
	}
	for _, tt := range []struct {
		name   string
		engine *policy.Engine
		glass  []policy.Approval
		said   string // "" for allowed
	}{
		{"by one", one, []policy.Approval{glassBy(aliceKey)}, ""},
		{"for a path", one, []policy.Approval{edited(func(g *policy.Approval) {
			g.Runbook, g.RunbookSHA256, g.Path = "", runbook.Digest{}, "/srv/runbooks/**"
		})}, ""},
		{"for a requester who has another name too", one, []policy.Approval{edited(func(g *policy.Approval) { g.Requester = bobKey })}, ""},
		{"used before, and not too often", one, []policy.Approval{edited(func(g *policy.Approval) { g.Uses = 1 })}, ""},
		{"by two", two, []policy.Approval{glassBy(aliceKey), glassBy(carolSigner)}, ""},
		{"by one of two", two, []policy.Approval{glassBy(aliceKey)}, "1 of 2 people have approved it"},
		{"by two keys of one person", two, []policy.Approval{glassBy(aliceKey), glassBy(aliceCert)}, "1 of 2 people"},
		{"by the requester", one, []policy.Approval{glassBy(bobKey)}, "bob may not approve it"},
		{"by a stranger", one, []policy.Approval{glassBy("openpgp:0000000000000000000000000000000000000000")}, "nobody that grants.yaml knows"},
		{"by a revoked key", one, []policy.Approval{edited(func(g *policy.Approval) { g.Verdict = "revoked" })}, "it is revoked, not valid"},
		{"for another file", one, []policy.Approval{edited(func(g *policy.Approval) { g.RunbookSHA256 = runbook.DigestOf([]byte("x")) })}, "another version of the file"},
		{"for another path", one, []policy.Approval{edited(func(g *policy.Approval) { g.Path = "/srv/other/*" })}, "it is for /srv/other/*"},
		{"for a path that is none", one, []policy.Approval{edited(func(g *policy.Approval) { g.Path = "[" })}, "it is for ["},
		{"for another worker group", one, []policy.Approval{edited(func(g *policy.Approval) { g.WorkerGroup = "db" })}, "it is for the worker group db"},
		{"for a group without break-glass", one, []policy.Approval{edited(func(g *policy.Approval) { g.WorkerGroup = "vault" })}, "the worker group vault has no break-glass"},
		{"for another requester", one, []policy.Approval{edited(func(g *policy.Approval) { g.Requester = "os:alice" })}, "that os:alice requests"},
		{"for no requester", one, []policy.Approval{edited(func(g *policy.Approval) { g.Requester = "" })}, "it is for a run that"},
		{"too long", one, []policy.Approval{edited(func(g *policy.Approval) { g.ExpiresNS += int64(4 * time.Hour) })}, "the limit is 4h0m0s"},
		{"expired", one, []policy.Approval{edited(func(g *policy.Approval) { g.ExpiresNS = good().NowNS })}, "it expired at"},
		{"used too often", one, []policy.Approval{edited(func(g *policy.Approval) { g.Uses = 2 })}, "it has been used 2 times, the limit is 2"},
		{"used nobody knows how often", one, []policy.Approval{edited(func(g *policy.Approval) { g.Uses = -1 })}, "no state folder is given"},
		{"where grants.yaml has no such thing", engine(t, peopleYAML+closedRule), []policy.Approval{glassBy(aliceKey)}, "grants.yaml has no break_glass"},
		{"by one who may not approve", engine(t, peopleYAML+closedRule+strings.Replace(glassSection, "alice, carol, bob", "carol", 1)), []policy.Approval{glassBy(aliceKey)}, "alice may not approve it"},
		{"by a group", engine(t, peopleYAML+closedRule+strings.Replace(glassSection, "people: [alice, carol, bob]", "groups: [release]", 1)), []policy.Approval{glassBy(aliceKey)}, ""},
		{"for one who may not ask", engine(t, peopleYAML+closedRule+strings.Replace(glassSection, "groups: [operators]", "people: [carol]", 1)), []policy.Approval{glassBy(aliceKey)}, "os:bob may not request it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := tt.engine.Decide(t.Context(), requestedByBob(tt.glass...))
			if tt.said == "" {
				if !d.Allow || d.Override == nil || codes(d.WouldDeny) != "requester-not-allowed" || !strings.Contains(codes(d.Warn), "break-glass") || len(d.Rules) != 0 {
					t.Errorf("%+v", d)
				}
				return
			}
			if d.Override != nil || !strings.Contains(codes(d.Deny), "break-glass-refused") {
				t.Fatalf("%+v", d)
			}
			for _, r := range d.Deny {
				if r.Code == "break-glass-refused" && !strings.Contains(r.Msg, tt.said) {
					t.Errorf("%q does not say %q", r.Msg, tt.said)
				}
			}
		})
	}
}

func TestAnOverrideSaysWhoAnswersForIt(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+closedRule+glassSection)
	first, second := glassBy(carolSigner), glassBy(aliceKey)
	copied := first // the same statement, in a file that was written in another way
	copied.SHA256 = runbook.DigestOf([]byte("copy"))
	second.ExpiresNS -= int64(time.Minute)
	d := e.Decide(t.Context(), requestedByBob(first, copied, second))
	o := d.Override
	if o == nil || len(o.Statements) != 3 || len(o.Nonces) != 2 || o.Requester != "bob" || strings.Join(o.Approvers, " ") != "alice carol" ||
		o.Reason != first.Reason || o.ExpiresNS != second.ExpiresNS || o.MaxUses != 2 {
		t.Fatalf("%+v", o)
	}
	for _, want := range []string{"BREAK GLASS", "requester-not-allowed", "bob", "alice, carol", first.Reason} {
		if !strings.Contains(d.Warn[0].Msg, want) {
			t.Errorf("%q does not say %q", d.Warn[0].Msg, want)
		}
	}
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := policy.DecodeDecision(data)
	if err != nil || again.Override == nil {
		t.Errorf("%v: %s", err, data)
	}
	again.Mode = policy.ModeWarn
	if data, err = json.Marshal(again); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.DecodeDecision(data); err == nil {
		t.Error("a decision is lifted twice")
	}
	again.Mode, again.WouldDeny, again.Rules = policy.ModeEnforce, nil, []string{"r"}
	if data, err = json.Marshal(again); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.DecodeDecision(data); err == nil {
		t.Error("an override that lifted nothing")
	}
}

// TestBreakGlassNeverLiftsAHardCheck: a denied digest, an invalid signature.
func TestBreakGlassNeverLiftsAHardCheck(t *testing.T) {
	t.Parallel()
	denied := "denied: [{sha256: \"" + good().Runbook.SHA256.String() + "\", reason: leaked}]\n"
	for name, tt := range map[string]struct {
		grants string
		spoil  func(*policy.Input)
		code   string
	}{
		"a denied digest":           {denied, func(*policy.Input) {}, "denied-digest"},
		"an invalid signature":      {"", func(in *policy.Input) { in.Runbook.Verdict = "tampered" }, "signature-not-valid"},
		"a clock behind the ledger": {"", func(in *policy.Input) { in.LastRecordNS = in.NowNS + 1 }, "clock"},
	} {
		in := requestedByBob(glassBy(aliceKey))
		tt.spoil(&in)
		d := engine(t, peopleYAML+closedRule+glassSection+tt.grants).Decide(t.Context(), in)
		if d.Allow || d.Override != nil || !strings.Contains(codes(d.Deny), tt.code) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// What the user's own rules deny is policy, too; what is allowed anyway breaks nothing.
func TestBreakGlassLiftsTheUsersRulesAndIsNotUsedInVain(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule+glassSection, user(`deny contains "never"`))
	if d := e.Decide(t.Context(), requestedByBob(glassBy(aliceKey))); !d.Allow || d.Override == nil || codes(d.WouldDeny) != "user-deny" {
		t.Errorf("%+v", d)
	}
	e = engine(t, peopleYAML+restartRule+glassSection)
	if d := e.Decide(t.Context(), requestedByBob(glassBy(aliceKey))); !d.Allow || d.Override != nil || len(d.Rules) != 1 {
		t.Errorf("%+v", d)
	}
	x, err := e.Explain(t.Context(), requestedByBob(glassBy(aliceKey)))
	if err != nil || len(x.Approvals) != 1 || len(x.Approvals[0].Faults) != 0 || x.Approvals[0].People[0] != "alice" {
		t.Errorf("%v, %+v", err, x.Approvals)
	}
}

func TestAPermitSaysWhatItUsesUp(t *testing.T) {
	t.Parallel()
	grants := strings.NewReplacer("signed_by: {groups: [release]}", "signed_by: {people: [carol]}").Replace(peopleYAML + closedRule + glassSection)
	file := verified(t, "restart.sh.asc", carolSigner)
	g := glassBy(aliceKey)
	g.RunbookSHA256 = file.Report().File
	in, err := policy.NewInput(file, policy.Request{
		Path: "/srv/runbooks/restart.sh.asc", Now: time.Unix(0, good().NowNS), Approvals: []policy.Approval{g},
		Caller: policy.Caller{Kind: "os-user", ID: "os:bob"}, Worker: good().Worker, Arguments: []policy.Argument{{Name: "Service", Value: "nginx"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := engine(t, grants).Decide(t.Context(), in)
	permit, err := d.Permit()
	if err != nil {
		t.Fatalf("%v: %+v", err, d.Deny)
	}
	uses := permit.Uses()
	if len(uses) != 1 || uses[0].Kind != policy.UseBreakGlass || uses[0].Key != g.Nonce || uses[0].Limit != 2 || uses[0].Expires.UnixNano() != g.ExpiresNS {
		t.Errorf("%+v", uses)
	}
	refused := d.Refuse(uses[0].Gone)
	if _, err := refused.Permit(); err == nil || refused.Allow || codes(refused.Deny) != policy.CodeBreakGlassUsed || refused.Override != nil {
		t.Errorf("%+v", refused)
	}
	if _, err := d.Permit(); err != nil {
		t.Error("the decision that was refused was changed")
	}
}

func TestOddAnswersAboutTheGlassLiftNothing(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+closedRule+glassSection)
	in := requestedByBob(glassBy(aliceKey))
	doc := func(glass, approvers []any) map[string]any {
		return map[string]any{
			"allow": false, "deny": []any{map[string]any{"code": "x", "msg": "x", "hint": "", "rule": "restart"}}, "exemptions": []any{}, "lifted": []any{}, "rules": []any{},
			"user": map[string]any{}, "glass": glass, "glass_approvers": approvers,
		}
	}
	digest := in.Approvals[0].SHA256.String()
	if d := e.DecideOnDocument(in, doc([]any{digest}, []any{"alice"})); !d.Allow {
		t.Fatalf("%+v", d)
	}
	for name, odd := range map[string]map[string]any{
		"a statement that is not there": doc([]any{runbook.DigestOf([]byte("x")).String()}, []any{"alice"}),
		"nobody who answers for it":     doc([]any{digest}, []any{}),
		"no statement":                  doc([]any{}, []any{"alice"}),
	} {
		if d := e.DecideOnDocument(in, odd); d.Allow || d.Override != nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestMistakesInBreakGlassAreNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, with, want string }{
		{"no requesters", "  requesters: {groups: [operators]}\n", "", "break_glass.requesters: is missing"},
		{"no approvers", "  approvers: {people: [alice, carol, bob]}\n", "", "break_glass.approvers: is missing"},
		{"approvers who are nobody", "people: [alice, carol, bob]", "at_least: 1", "break_glass.approvers: names nobody"},
		{"requesters who are nobody", "{groups: [operators]}", "{}", "break_glass.requesters: names nobody"},
		{"no worker groups", "  worker_groups: [web, db]\n", "", "break_glass.worker_groups: is missing"},
		{"a life that is too long", "max_uses: 2", "max_life: 48h", "want whole seconds from 1m0s to 24h0m0s"},
		{"uses without end", "max_uses: 2", "max_uses: 1000", "break_glass.max_uses"},
		{"a number that could never be met", "bob]}", "bob], at_least: 4}", "4 people must approve, but only 3 are named"},
	} {
		_, err := policy.New(policy.Source{Grants: []byte(peopleYAML + closedRule + strings.Replace(glassSection, tt.old, tt.with, 1))})
		if err == nil || !strings.Contains(problems(err), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, problems(err), tt.want)
		}
	}
}
