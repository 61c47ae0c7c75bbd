package policy_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runwrit/writ/policy"
)

// exempt adds an exemption for these codes.
func exempt(codes string) string {
	return `exemptions:
  - id: EX-1
    codes: [` + codes + `]
    match: {paths: ["/srv/runbooks/*.sh"]}
    workers: {groups: [web]}
    owner: alice
    approver: bob
    reason: "until the new label is rolled out"
    expires: "2026-12-01T00:00:00Z"
`
}

func TestAnExemptionLiftsTheReasonsThatItNames(t *testing.T) {
	t.Parallel()
	two := strings.Replace(restartRule, "groups: [release]", "groups: [release], at_least: 2, min_version: \"2\"", 1)
	freeze := "freezes: [{name: f, from: \"2026-01-01\", to: \"2026-12-31\", zone: UTC, reason: x}]\n"
	deny := user(`deny contains {"code": "friday", "msg": "x"} if true
deny contains "y" if input.worker.group == "web"`)
	friday := user(`deny contains {"code": "friday", "msg": "x"} if true`)
	label := func(in *policy.Input) { in.Worker.Labels["env"] = "prod" }
	none := func(*policy.Input) {}
	for name, c := range map[string]struct {
		grants string
		rego   []policy.File
		change func(*policy.Input)
		deny   string
		lifted string // codes
	}{
		"the only lack of a rule":                  {restartRule + exempt("worker-not-allowed"), nil, label, "", "worker-not-allowed"},
		"one of several codes":                     {restartRule + exempt("groups-incomplete, worker-not-allowed"), nil, label, "", "worker-not-allowed"},
		"another code":                             {restartRule + exempt("groups-incomplete"), nil, label, "worker-not-allowed", ""},
		"one of two lacks":                         {restartRule + exempt("worker-not-allowed"), nil, func(in *policy.Input) { label(in); in.Parameters["Mode"] = "x" }, "parameter-enum", "worker-not-allowed"},
		"two of two lacks":                         {restartRule + exempt("worker-not-allowed, parameter-enum"), nil, func(in *policy.Input) { label(in); in.Parameters["Mode"] = "x" }, "", "worker-not-allowed,parameter-enum"},
		"nothing, because the rule holds":          {restartRule + exempt("worker-not-allowed"), nil, none, "", ""},
		"a freeze":                                 {restartRule + freeze + exempt("freeze"), nil, none, "", "freeze"},
		"no freeze":                                {restartRule + freeze + exempt("worker-not-allowed"), nil, none, "freeze", ""},
		"a reason of the user":                     {restartRule + exempt("friday, user-deny"), []policy.File{deny}, none, "", "friday,user-deny"},
		"one of the reasons of the user":           {restartRule + exempt("friday"), []policy.File{deny}, none, "user-deny", "friday"},
		"a reason of the user, elsewhere":          {restartRule + strings.Replace(exempt("friday"), "groups: [web]", "groups: [db]", 1), []policy.File{friday}, none, "friday", ""},
		"a reason of the user, of another runbook": {restartRule + strings.Replace(exempt("friday"), "/srv/runbooks/*.sh", "/srv/runbooks/r*.?h", 1), []policy.File{friday}, func(in *policy.Input) { in.Runbook.Path = "/srv/runbooks/a.sh" }, "friday", ""},
		"a reason of the user, for whom approved the exemption": {restartRule + exempt("friday"), []policy.File{friday}, func(in *policy.Input) { in.Caller.ID = "os:bob" }, "friday", ""},
		"on another worker":                   {restartRule + exempt("worker-not-allowed"), nil, func(in *policy.Input) { in.Worker.Group = "db" }, "worker-not-allowed", ""},
		"for another runbook":                 {restartRule + strings.Replace(exempt("worker-not-allowed"), "/srv/runbooks/*.sh", "/srv/runbooks/?.sh", 1), nil, label, "worker-not-allowed", ""},
		"requested by its approver":           {restartRule + exempt("worker-not-allowed"), nil, func(in *policy.Input) { label(in); in.Caller.ID = "os:bob" }, "worker-not-allowed", ""},
		"requested by its owner":              {restartRule + exempt("worker-not-allowed"), nil, func(in *policy.Input) { label(in); in.Caller.ID = "os:alice" }, "", "worker-not-allowed"},
		"expired":                             {restartRule + strings.Replace(exempt("worker-not-allowed"), "2026-12-01T00:00:00Z", "2026-11-22T12:00:00Z", 1), nil, label, "worker-not-allowed", ""},
		"a moment before it expires":          {restartRule + strings.Replace(exempt("worker-not-allowed"), "2026-12-01T00:00:00Z", "2026-11-22T13:00:01+01:00", 1), nil, label, "", "worker-not-allowed"},
		"no rule that is about the runbook":   {strings.Replace(restartRule, "/srv/runbooks/*.sh", "/opt/*.sh", 1) + exempt("worker-not-allowed"), nil, label, "no-rule-matches", ""},
		"an old version, not the one missing": {two + exempt("version-missing"), nil, none, "too-few-signers", "version-missing"},
		"not those behind it":                 {two + exempt("too-few-signers"), nil, none, "version-missing", "too-few-signers"},
		"all that a part lacks":               {two + exempt("too-few-signers, version-missing"), nil, none, "", "too-few-signers,version-missing"},
		"a file that is not valid":            {restartRule + exempt("worker-not-allowed, signer-not-allowed"), nil, func(in *policy.Input) { in.Runbook.Verdict = "expired" }, "signature-not-valid", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := good()
			c.change(&in)
			d := engine(t, peopleYAML+c.grants, c.rego...).Decide(t.Context(), in)
			if c.deny == "" {
				mustAllow(t, d)
			} else {
				mustDeny(t, d, c.deny)
			}
			lifted := ""
			for _, x := range d.Exemptions {
				lifted += strings.Join(x.Codes, ",")
			}
			if want := strings.Split(c.lifted, ","); lifted != strings.Join(want, ",") || (len(d.Exemptions) > 0) != (codes(d.Warn) == "exempted") {
				t.Errorf("lifted %q, want %q: %+v", lifted, c.lifted, d)
			}
		})
	}
}

func TestADecisionNamesTheExemptionsThatWereUsed(t *testing.T) {
	t.Parallel()
	in := good()
	in.Worker.Labels["env"] = "prod"
	d := engine(t, peopleYAML+restartRule+exempt("worker-not-allowed, freeze")).Decide(t.Context(), in)
	want := []policy.Exemption{{
		ID: "EX-1", Codes: []string{"worker-not-allowed"}, Owner: "alice", Approver: "bob", Reason: "until the new label is rolled out",
		ExpiresNS: atTime(t, "2026-12-01T00:00:00Z").NowNS,
	}}
	if diff := cmp.Diff(want, d.Exemptions); diff != "" || len(d.Rules) != 1 || d.Obligations.Timeout == policy.DefaultTimeout {
		t.Errorf("%s%+v", diff, d)
	}
	if w := d.Warn[0]; w.Rule != "writ/exemptions" || !strings.Contains(w.Msg, "EX-1 of alice, approved by bob, lifts worker-not-allowed until 2026-12-01T00:00:00Z: until the new") {
		t.Errorf("%+v", w)
	}
}

// Of rules that count by an exemption none is used where one holds by itself: its
// obligations are those that were meant.
func TestARuleThatHoldsComesBeforeAnExemptedOne(t *testing.T) {
	t.Parallel()
	first := strings.NewReplacer("name: restart", "name: first", "env: [test, stage]", "env: prod", "timeout: 5m, env: [LANG=C, HOME]", "timeout: 1m, env: [X=1]").Replace(restartRule)
	d := engine(t, peopleYAML+first+strings.TrimPrefix(restartRule, "rules:\n")+exempt("worker-not-allowed")).Decide(t.Context(), good())
	mustAllow(t, d)
	if !cmp.Equal(d.Rules, []string{"restart"}) || len(d.Exemptions) > 0 {
		t.Errorf("%+v", d)
	}
}

func TestExemptionsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	whole := peopleYAML + restartRule + exempt("worker-not-allowed")
	tests := []struct{ name, old, new, want string }{
		{"a hard check", "[worker-not-allowed]", "[signature-not-valid]", `exemptions[0].codes[0]: "signature-not-valid": is a hard check: nothing lifts it`},
		{"a denied digest", "[worker-not-allowed]", "[freeze, denied-digest]", `exemptions[0].codes[1]: "denied-digest": is a hard check`},
		{"a policy that failed", "[worker-not-allowed]", "[policy-error]", "is a hard check"},
		{"the clock", "[worker-not-allowed]", "[clock]", "is a hard check"},
		{"a policy that is expired", "[worker-not-allowed]", "[policy-expired]", "is a hard check"},
		{"a trust store that was put back", "[worker-not-allowed]", "[trust-rolled-back]", "is a hard check"},
		{"no rule", "[worker-not-allowed]", "[no-rule-matches]", "means that no rule is about the runbook: write one"},
		{"a code in capitals", "[worker-not-allowed]", "[Freeze]", "want the code of a reason"},
		{"no codes", "    codes: [worker-not-allowed]\n", "", "exemptions[0].codes: is missing"},
		{"no match", "    match: {paths: [\"/srv/runbooks/*.sh\"]}\n    workers: {groups: [web]}\n    owner", "    workers: {groups: [web]}\n    owner", "exemptions[0].match: is missing"},
		{"an empty match", "match: {paths: [\"/srv/runbooks/*.sh\"]}\n", "match: {}\n", "exemptions[0].match: names nothing"},
		{"no workers", "    workers: {groups: [web]}\n    owner", "    owner", "exemptions[0].workers: is missing"},
		{"no owner", "    owner: alice\n", "", "exemptions[0].owner: is missing"},
		{"no approver", "    approver: bob\n", "", "exemptions[0].approver: is missing"},
		{"no reason", "    reason: \"until the new label is rolled out\"\n", "", "exemptions[0].reason: is missing"},
		{"no end", "    expires: \"2026-12-01T00:00:00Z\"\n", "", "exemptions[0].expires: is missing"},
		{"no id", "  - id: EX-1\n    codes", "  - codes", "exemptions[0].id: is missing"},
		{"an owner who approves", "approver: bob", "approver: alice", "exemptions[0].approver: alice is the owner: somebody else must approve"},
		{"an unknown owner", "owner: alice", "owner: alicia", `exemptions[0].owner: "alicia": no person of this name; did you mean "alice"?`},
		{"an unknown approver", "approver: bob", "approver: rob", `no person of this name; did you mean "bob"?`},
		{"an end that is a day", "2026-12-01T00:00:00Z", "2026-12-01", "exemptions[0].expires: \"2026-12-01\": want a moment"},
		{"an unknown key", "    reason:", "    resaon:", `exemptions[0].resaon: unknown key; did you mean "reason"?`},
		{"an id twice", "exemptions:\n", "exemptions:\n  - {id: EX-1}\n", `exemptions[1].id: "EX-1" is the name of the exemption in line`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := strings.Index(whole, "exemptions:")
			text := whole[:i] + strings.Replace(whole[i:], tt.old, tt.new, 1)
			if text == whole {
				t.Fatal("the test changes nothing")
			}
			if got := grantsProblems(t, text); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestDecisionsWithExemptionsAndWarningsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	in := good()
	in.Worker.Labels["env"] = "prod"
	texts := map[string]string{}
	for _, more := range []string{exempt("worker-not-allowed"), warnUntilJune, exempt("freeze")} {
		d := engine(t, peopleYAML+restartRule+more).Decide(t.Context(), in)
		texts[more] = encoded(t, d)
		if bad := matches(t, policy.DecisionSchema(), []byte(texts[more])); bad != "" {
			t.Errorf("%s\n%s", bad, texts[more])
		}
		decoded, err := policy.DecodeDecision([]byte(texts[more]))
		if diff := cmp.Diff(d, decoded, cmpopts.IgnoreUnexported(policy.Decision{})); err != nil || diff != "" {
			t.Errorf("%v: %s", err, diff)
		}
		if _, err := decoded.Permit(); !errors.Is(err, policy.ErrNoPermit) {
			t.Error("a decoded decision permits")
		}
	}
	exempted, warned, denied := texts[exempt("worker-not-allowed")], texts[warnUntilJune], texts[exempt("freeze")]
	for _, c := range []struct{ name, text, old, now string }{
		{"allowed by mode enforce", warned, `"mode":"warn"`, `"mode":"enforce"`},
		{"it would deny, and denies", warned, `"allow":true`, `"allow":false`},
		{"it would deny, and a rule allows", warned, `"rules":[]`, `"rules":["restart"]`},
		{"it would deny nothing", warned, warned[strings.Index(warned, `"would_deny":`):strings.Index(warned, `,"rules"`)], `"would_deny":[]`},
		{"it denies and would deny", denied, `"would_deny":[]`, `"would_deny":[{"code":"x","msg":"x","hint":"","rule":"x"}]`},
		{"it would deny without a text", warned, `"would_deny":[{"code":"worker-not-allowed"`, `"would_deny":[{"code":"Worker"`},
		{"an exemption of nothing", exempted, `"codes":["worker-not-allowed"]`, `"codes":[]`},
		{"an exemption without a name", exempted, `"id":"EX-1"`, `"id":""`},
		{"an exemption without an end", exempted, `"expires_ns":1796083200000000000`, `"expires_ns":0`},
		{"an exemption that nobody owns", exempted, `"owner":"alice",`, ``},
		{"exemptions that are null", denied, `"exemptions":[]`, `"exemptions":null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(c.text, c.old, c.now, 1)
			if changed == c.text {
				t.Fatalf("there is no %s in %s", c.old, c.text)
			}
			if d, err := policy.DecodeDecision([]byte(changed)); err == nil || d.Allow {
				t.Errorf("got %v, %+v", err, d)
			}
			if matches(t, policy.DecisionSchema(), []byte(changed)) == "" {
				t.Error("the schema takes it")
			}
		})
	}
}

// Nobody but an attacker or a broken disk makes such rows.
func TestHostileExemptionsDoNotLoad(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"of everything":  {`"Paths":["/srv/runbooks/*.sh"]`, `"Paths":null`},
		"of no approver": {`"Approver":"bob"`, `"Approver":""`},
		"of no name":     {`"ID":"EX-1"`, `"ID":""`},
		"of hard checks": {`["worker-not-allowed"]`, `["signature-not-valid"]`},
	} {
		r := newRows(t, peopleYAML+restartRule+exempt("worker-not-allowed"))
		text := r.rows["global"]["grants"][0]
		r.rows["global"]["grants"] = []string{strings.Replace(text, change[0], change[1], 1)}
		if _, err := policy.New(policy.Source{Rows: r}); err == nil || !strings.Contains(err.Error(), "not complete") || r.rows["global"]["grants"][0] == text {
			t.Errorf("an exemption %s loads: %v", name, err)
		}
	}
}

// Each code of the documentation can be exempted exactly if something lifts it.
func TestWhatCanBeExemptedIsWhatRulesFreezesAndUsersSay(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\| ([^|]+) \\|").FindAllStringSubmatch(page(t, "policy.md"), -1) {
		for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(row[1], -1) {
			code := m[1]
			can := row[2] == "rule" || code == "freeze" || code == "user-deny"
			bad, _ := policy.ParseGrants([]byte(peopleYAML + restartRule + exempt(code)))
			if (len(bad) == 0) != can {
				t.Errorf("%s of %q: %v", code, row[2], bad)
			}
			seen++
		}
	}
	if seen < 50 {
		t.Errorf("only %d codes found", seen)
	}
}
