package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
)

// TestAttackOutOfTheSandboxByAskingForMore: a caller who asks for what the rule does
// not give gets no run that is less confined than the one it gives, where mode warn
// or an override lifts the denial.
func TestAttackOutOfTheSandboxByAskingForMore(t *testing.T) {
	t.Parallel()
	boxed := strings.Replace(restartRule, "env: [LANG=C, HOME]", "env: [LANG=C, HOME], user: svc, sandbox: strict, tokens: [t]", 1)
	free := strings.NewReplacer("rules:\n", "", "name: restart", "name: other", "/srv/runbooks/*.sh", "/srv/other/*.sh").Replace(restartRule)
	second := strings.NewReplacer("rules:\n", "", "name: restart", "name: second", "sandbox: strict", "sandbox: none").Replace(boxed)
	warn, glass := peopleYAML+boxed+free+second+warnUntilJune, peopleYAML+boxed+glassSection
	want := policy.Obligations{Timeout: policy.DefaultTimeout, Env: []string{}, User: "svc", Sandbox: []string{policy.SandboxStrict}}
	for _, c := range []struct {
		name   string
		engine *policy.Engine
		change func(*policy.Input)
		lifted string
		want   policy.Obligations
	}{
		{"an argument too many", engine(t, warn), func(in *policy.Input) { in.Parameters["More"] = "x" }, "parameter-unknown", want},
		{"a rule of the user", engine(t, warn, user(`deny contains "x" if true`)), func(*policy.Input) {}, "user-deny", want},
		{"a runbook of a rule without a sandbox", engine(t, warn), func(in *policy.Input) {
			in.Runbook.Path, in.Parameters["More"] = "/srv/other/restart.sh.asc", "x"
		}, "parameter-unknown", policy.Obligations{Timeout: policy.DefaultTimeout, Env: []string{}}},
		{"a runbook of no rule", engine(t, warn), func(in *policy.Input) { in.Runbook.Path = "/srv/x.sh.asc" }, "no-rule-matches", policy.Obligations{Timeout: policy.DefaultTimeout, Env: []string{}}},
		{"an override", engine(t, glass), func(in *policy.Input) { *in = requestedByBob(glassBy(aliceKey)); in.Parameters["More"] = "x" }, "parameter-unknown", want},
	} {
		in := good()
		c.change(&in)
		d := c.engine.Decide(t.Context(), in)
		if !d.Allow || !strings.Contains(codes(d.WouldDeny), c.lifted) {
			t.Errorf("%s: %+v", c.name, d)
		}
		if diff := cmp.Diff(c.want, d.Obligations); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
