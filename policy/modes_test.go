package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
)

const warnUntilJune = `worker_groups:
  web: {mode: warn, until: "2027-06-01T00:00:00+02:00"}
  prod: {mode: enforce}
`

func TestModeWarnLetsRunWhatOnlyThePolicyDenies(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule+warnUntilJune)
	in := good()
	in.Parameters["Mode"], in.Caller.Groups = "medium", nil
	d := e.Decide(t.Context(), in)
	mustAllow(t, d)
	if d.Mode != policy.ModeWarn || codes(d.WouldDeny) != "parameter-enum requester-not-allowed" || len(d.Rules) > 0 || codes(d.Warn) != "would-deny" {
		t.Errorf("%+v", d)
	}
	if want := (policy.Obligations{Timeout: policy.DefaultTimeout, Env: []string{}}); !cmp.Equal(d.Obligations, want) {
		t.Errorf("obligations %+v, want the defaults", d.Obligations)
	}
	if !strings.Contains(d.Warn[0].Msg, "worker group web only warns until 2027-05-31T22:00:00Z") {
		t.Errorf("%+v", d.Warn)
	}

	d = e.Decide(t.Context(), good())
	mustAllow(t, d)
	if d.Mode != policy.ModeWarn || len(d.WouldDeny)+len(d.Warn) > 0 || len(d.Rules) != 1 || d.Obligations.Timeout != 5*time.Minute {
		t.Errorf("what a rule allows: %+v", d)
	}

	in = good()
	in.Runbook.Path = "/elsewhere/restart.sh"
	if d := e.Decide(t.Context(), in); !d.Allow || codes(d.WouldDeny) != "no-rule-matches" {
		t.Errorf("no rule: %+v", d)
	}
}

func TestModeWarnEnds(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule+warnUntilJune)
	for at, want := range map[string]string{"2027-05-31T21:59:59.999999999Z": policy.ModeWarn, "2027-05-31T22:00:00Z": policy.ModeEnforce} {
		in := atTime(t, at)
		in.Parameters["Mode"] = "medium"
		if d := e.Decide(t.Context(), in); d.Mode != want || d.Allow != (want == policy.ModeWarn) {
			t.Errorf("at %s: %+v", at, d)
		}
	}
}

func TestModeWarnHoldsForItsGroupOnly(t *testing.T) {
	t.Parallel()
	grants := peopleYAML + strings.Replace(restartRule, "groups: [web], ", "", 1) + warnUntilJune
	e := engine(t, grants)
	for _, group := range []string{"", "prod", "Web", "web2"} {
		in := good()
		in.Worker.Group, in.Parameters["Mode"] = group, "medium"
		d := e.Decide(t.Context(), in)
		mustDeny(t, d, "parameter-enum")
		if d.Mode != policy.ModeEnforce {
			t.Errorf("group %q is in mode %s", group, d.Mode)
		}
	}
}

// No mode lifts a hard check, nor a policy that failed.
func TestModeWarnLiftsNoHardCheck(t *testing.T) {
	t.Parallel()
	grants := peopleYAML + restartRule + warnUntilJune
	mapped := engine(t, grants)
	for name, c := range map[string]struct {
		engine *policy.Engine
		change func(*policy.Input)
		code   string
	}{
		"a file that is not valid": {mapped, func(in *policy.Input) { in.Runbook.Verdict = "tampered" }, "signature-not-valid"},
		"a file without a signature": {mapped, func(in *policy.Input) {
			in.Runbook.Verdict, in.Runbook.PayloadSHA256, in.Signatures = "unsigned", runbook.Digest{}, nil
		}, "signature-not-valid"},
		"a denied digest": {engine(t, grants+"denied: [{sha256: \""+good().Runbook.SHA256.String()+"\", reason: stolen}]\n"), func(*policy.Input) {}, "denied-digest"},
		"a clock behind":  {mapped, func(in *policy.Input) { in.LastRecordNS = in.NowNS + 1 }, "clock"},
		"an odd input":    {mapped, func(in *policy.Input) { in.Version = "" }, "input-invalid"},
		"a policy that fails": {
			engine(t, grants, user(`deny contains "x" if to_number(input.worker.group) == 1`)), func(*policy.Input) {}, "policy-error",
		},
		"a rule of the user with the code of a hard check": {
			engine(t, grants, user(`deny contains {"code": "denied-digest", "msg": "x"} if true`)), func(*policy.Input) {}, "denied-digest",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := good()
			c.change(&in)
			d := c.engine.Decide(t.Context(), in)
			if d.Allow || !strings.Contains(codes(d.Deny), c.code) || len(d.WouldDeny) > 0 {
				t.Errorf("%+v", d)
			}
		})
	}
	// Beside a hard check the denials of the policy stay what they are.
	in := good()
	in.Runbook.Verdict, in.Parameters["Mode"] = "expired", "medium"
	mustDeny(t, mapped.Decide(t.Context(), in), "signature-not-valid parameter-enum")
}

func TestModeWarnCarriesAPermit(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule+warnUntilJune)
	in, err := policy.NewInput(verified(t, "restart.sh", carolSPKI), request("/srv/runbooks/restart.sh"))
	if err != nil {
		t.Fatal(err)
	}
	d := e.Decide(t.Context(), in)
	p, err := d.Permit()
	if err != nil || p.Obligations().Timeout != policy.DefaultTimeout || codes(d.WouldDeny) == "" {
		t.Errorf("%v: %+v", err, d)
	}
}

func TestModesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	whole := peopleYAML + restartRule + warnUntilJune
	var many strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&many, "  g%d: {mode: enforce}\n", i)
	}
	tests := []struct{ name, old, new, want string }{
		{"an unknown mode", "mode: warn", "mode: audit", `worker_groups.web.mode: "audit": unknown mode; known are enforce, warn`},
		{"a misspelled mode", "mode: enforce", "mode: enforced", `unknown mode; did you mean "enforce"?`},
		{"no mode", "{mode: enforce}", "{}", "worker_groups.prod.mode: is missing"},
		{"warn without an end", `, until: "2027-06-01T00:00:00+02:00"`, "", "worker_groups.web.until: is missing: mode warn must have an end"},
		{"an end that is a day", "2027-06-01T00:00:00+02:00", "2027-06-01", `worker_groups.web.until: "2027-06-01": want a moment such as`},
		{"an end that YAML takes for a date", `"2027-06-01T00:00:00+02:00"`, "2027-06-01T00:00:00+02:00", "worker_groups.web.until: want a text, found a date; quote it"},
		{"an end without a zone", "2027-06-01T00:00:00+02:00", "2027-06-01T00:00:00", "want a moment such as"},
		{"a year that nothing counts", "2027", "9999", "want a moment such as"},
		{"an end of enforce", "{mode: enforce}", `{mode: enforce, until: "2027-06-01T00:00:00Z"}`, "worker_groups.prod.until: is the end of mode warn"},
		{"an unknown key", "mode: enforce", "mod: enforce", `worker_groups.prod.mod: unknown key; did you mean "mode"?`},
		{"an odd name", "  prod:", "  \"\":", "worker_groups.: want a name"},
		{"a list", "worker_groups:\n", "worker_groups: []\nx:\n", "worker_groups: want a mapping"},
		{"too many", "  prod: {mode: enforce}\n", many.String(), "worker_groups: has 10002 entries, the limit is 10000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := grantsProblems(t, strings.Replace(whole, tt.old, tt.new, 1)); !strings.Contains(got, tt.want) {
				t.Errorf("got:\n%.2000s\nwant:\n%s", got, tt.want)
			}
		})
	}
}
