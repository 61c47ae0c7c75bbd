package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
)

// noon is when good asks.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func releaseEngine(t *testing.T, r policy.Release, rego ...policy.File) *policy.Engine {
	t.Helper()
	e, err := policy.New(policy.Source{Grants: []byte(peopleYAML + restartRule), Rego: rego, Release: r})
	if err != nil {
		t.Fatal(problems(err))
	}
	return e.Patient()
}

// TestNoPolicyLiftsThatItIsOldOrThatTheTimeIsWrong holds each bound on both
// sides.
func TestNoPolicyLiftsThatItIsOldOrThatTheTimeIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		release policy.Release
		change  func(*policy.Input)
		want    string
	}{
		{"the last moment of a policy", policy.Release{Expires: noon.Add(1)}, nil, ""},
		{"a policy that has just expired", policy.Release{Expires: noon}, nil, "policy-expired"},
		{"the first moment of a policy", policy.Release{NotBefore: noon}, nil, ""},
		{"a policy that does not hold yet", policy.Release{NotBefore: noon.Add(1)}, nil, "policy-not-yet"},
		{"the highest epoch", policy.Release{Name: "p", Epoch: 3, HighEpoch: 3}, nil, ""},
		{"a rolled back policy", policy.Release{Name: "p", Epoch: 2, HighEpoch: 3}, nil, "policy-rolled-back"},
		{"the last moment of a trust store", policy.Release{}, func(in *policy.Input) { in.Trust.ExpiresNS = in.NowNS + 1 }, ""},
		{"an expired trust store", policy.Release{}, func(in *policy.Input) { in.Trust.ExpiresNS = in.NowNS }, "trust-expired"},
		{"a trust store that may not be used yet", policy.Release{}, func(in *policy.Input) { in.Trust.NotBeforeNS = in.NowNS + 1 }, "trust-not-yet"},
		{"the newest trust store", policy.Release{}, func(in *policy.Input) { in.Trust.Epoch, in.Trust.HighEpoch = 7, 7 }, ""},
		{"a rolled back trust store", policy.Release{}, func(in *policy.Input) { in.Trust.Epoch, in.Trust.HighEpoch = 6, 7 }, "trust-rolled-back"},
		{"a trust store that lost its epoch", policy.Release{}, func(in *policy.Input) { in.Trust.HighEpoch = 7 }, "trust-rolled-back"},
		{"a clock at the last record", policy.Release{}, func(in *policy.Input) { in.LastRecordNS = in.NowNS }, ""},
		{"a clock behind the last record", policy.Release{}, func(in *policy.Input) { in.LastRecordNS = in.NowNS + 1 }, "clock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := good()
			if c.change != nil {
				c.change(&in)
			}
			d := releaseEngine(t, c.release).Decide(t.Context(), in)
			if c.want == "" {
				if !d.Allow {
					t.Errorf("denied: %+v", d.Deny)
				}
				return
			}
			mustDeny(t, d, c.want)
			if d.Deny[0].Hint == "" || d.Deny[0].Rule != "writ/engine" {
				t.Errorf("the reason is %+v", d.Deny[0])
			}
		})
	}
}

func TestAPolicyThatFailsIsSaidToBeExpiredAsWell(t *testing.T) {
	t.Parallel()
	broken := policy.File{Name: "x.rego", Data: []byte("package writ.user\n\ndeny contains \"x\" if to_number(input.worker.group) == 1\n")}
	d := releaseEngine(t, policy.Release{Expires: noon}, broken).Decide(t.Context(), good())
	mustDeny(t, d, "policy-error policy-expired")
}

func TestRulesAndDecisionsSeeTheEdition(t *testing.T) {
	t.Parallel()
	r := policy.Release{Name: "prod", Epoch: 9, HighEpoch: 9, NotBefore: noon.Add(-time.Hour), Expires: noon.Add(time.Hour)}
	rule := policy.File{Name: "x.rego", Data: []byte(`package writ.user

deny contains sprintf("%s %d %d %d %d %d", [p.name, p.epoch, p.high_epoch, input.now_ns - p.not_before_ns, p.expires_ns - input.now_ns, input.trust.epoch]) if {
	p := input.policy
}
`)}
	in := good()
	in.Trust.Epoch = 4
	e := releaseEngine(t, r, rule)
	d := e.Decide(t.Context(), in)
	mustDeny(t, d, "user-deny")
	if want := "prod 9 9 3600000000000 3600000000000 4"; d.Deny[0].Msg != want {
		t.Errorf("a rule sees %q, want %q", d.Deny[0].Msg, want)
	}
	if d.Policy.Name != "prod" || d.Policy.Epoch != 9 || d.Policy != e.Policy() {
		t.Errorf("the decision names %+v", d.Policy)
	}
	text, err := json.Marshal(d)
	if err != nil || !strings.Contains(string(text), `"name":"prod","epoch":9,`) {
		t.Errorf("%s, %v", text, err)
	}
	x, err := e.Explain(t.Context(), in)
	if err != nil || x.Input.Policy != e.Policy() {
		t.Errorf("the explanation is of %+v, %v", x.Input.Policy, err)
	}
}
