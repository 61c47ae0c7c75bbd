package policy_test

import (
	"slices"
	"testing"

	"github.com/runwrit/writ/policy"
)

func TestExplainSaysWhichPartOfWhichRuleLacksWhat(t *testing.T) {
	t.Parallel()
	other := `  - name: other
    match: {paths: ["/else/**"]}
    workers: {any: true}
    signed_by: {people: [carol]}
    requested_by: {anyone: true}
`
	e := engine(t, peopleYAML+restartRule+other, policy.File{Name: "u.rego", Data: []byte("package writ.user\n\n# METADATA\n# labels: {id: mine}\ndeny contains \"x\" if input.worker.group == \"db\"\n")})
	in := good()
	in.Worker.Group = "db"
	x, err := e.Explain(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if x.Decision.Allow || codes(x.Decision.Deny) != "user-deny worker-not-allowed" {
		t.Errorf("decision %+v", x.Decision)
	}
	if !slices.Equal(x.Signers, []string{"alice"}) || x.Requester != "" || x.Total != 2 || len(x.Rules) != 2 {
		t.Fatalf("signers %v, requester %q, %d of %d rules", x.Signers, x.Requester, len(x.Rules), x.Total)
	}
	if x.Rules[0].Line != 11 || x.Rules[1].Name != "other" {
		t.Errorf("rules %+v", x.Rules)
	}
	want := []map[string]string{
		{"match": "", "workers": "worker-not-allowed", "signed_by": "", "requested_by": "", "parameters": ""},
		{"match": "path-not-matched", "workers": "", "signed_by": "signer-not-allowed", "requested_by": "", "parameters": "parameter-unknown"},
	}
	for i, r := range x.Rules {
		for _, p := range r.Parts {
			code := ""
			for _, l := range p.Lacks {
				code += l.Code
			}
			if code != want[i][p.Part] || p.Holds != (code == "") || r.Holds {
				t.Errorf("%s %s: holds %v, lacks %q, want %q", r.Name, p.Part, p.Holds, code, want[i][p.Part])
			}
		}
	}
	if !slices.Contains(x.Fired, "writ/rules") || !slices.Contains(x.Fired, "mine") || slices.Contains(x.Fired, "writ/denied") {
		t.Errorf("fired %v", x.Fired)
	}
	if x.Input.Policy != e.Policy() || x.Input.Policy.SHA256.IsZero() {
		t.Error("the input does not name the policy")
	}
}

func TestExplainAgreesWithDecideAndNeverPermits(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule)
	in, err := policy.NewInput(verified(t, "restart.sh.asc", aliceKey), request("/srv/runbooks/restart.sh.asc", policy.Argument{Name: "Service", Value: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Explain(t.Context(), in)
	if err != nil || !x.Decision.Allow || !x.Rules[0].Holds {
		t.Fatalf("%v %+v", err, x)
	}
	if _, err := x.Decision.Permit(); err == nil {
		t.Error("an explanation carries a permit")
	}
	if _, err := new(policy.Engine).Explain(t.Context(), in); err == nil {
		t.Error("the zero engine explains")
	}
	if x, err := e.Explain(t.Context(), policy.Input{}); err == nil || x.Decision.Allow {
		t.Error("the zero input is explained")
	}
}
