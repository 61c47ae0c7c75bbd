package policy_test

import (
	"strings"
	"testing"

	"github.com/runwrit/writ/policy"
)

func TestExplainSaysEachStepWhereItIsAsked(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule, user(`deny contains "x" if {
	some g in input.caller.groups
	g == "os-group:audit"
}`))
	x, err := e.ExplainSteps(t.Context(), good())
	if err != nil || !x.Decision.Allow {
		t.Fatalf("%v %+v", err, x.Decision)
	}
	text := strings.Join(x.Steps, "\n")
	for _, want := range []string{"user.rego:", "library/gate.rego:", `"os-group:wheel"`, "Exit data.writ.gate.decision"} {
		if !strings.Contains(text, want) {
			t.Errorf("the steps do not say %s", want)
		}
	}
	if x, err := e.Explain(t.Context(), good()); err != nil || len(x.Steps) > 0 {
		t.Errorf("steps that nobody asked for: %d, %v", len(x.Steps), err)
	}
	if x, err := e.ExplainSteps(t.Context(), policy.Input{}); err == nil || len(x.Steps) > 0 {
		t.Errorf("the zero input: %d steps, %v", len(x.Steps), err)
	}
}

func TestVeryManyStepsAreCut(t *testing.T) {
	t.Parallel()
	e := engine(t, peopleYAML+restartRule, user(`r := split("`+strings.Repeat("a", 45)+`", "")
deny contains "x" if { some a in r; some b in r; a == b; a == "`+strings.Repeat("b", 2_000)+`" }`))
	x, err := e.ExplainSteps(t.Context(), good())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(x.Steps); n < 5_000 || n > 5_001 || x.Steps[n-1] != "more steps than these are left out" {
		t.Errorf("%d steps, the last is %q", n, x.Steps[n-1])
	}
	for _, s := range x.Steps {
		if len(s) > 1_000 {
			t.Fatalf("a step has %d bytes", len(s))
		}
	}
}
