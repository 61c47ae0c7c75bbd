package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/lint"
	"github.com/runwrit/writ/policy/policytest"
)

// Each example is a policy folder that can be used as it is: nothing is wrong with
// it, its own tests pass, they show an allowed and a denied run, and no part of a
// rule could go without a test that fails.
func TestEachExamplePolicyPassesItsTests(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("policies/*/grants.yaml")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, grants := range dirs {
		dir := filepath.Dir(grants)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			if problems, err := policy.Check(dir, policy.LoadOptions{}); err != nil || len(problems) > 0 {
				t.Fatalf("%v %v", err, problems)
			}
			src, err := policy.ReadFolder(dir, policy.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			findings, err := lint.Run(t.Context(), src, lint.Options{Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)})
			if err != nil || len(findings) > 0 {
				t.Errorf("%v %+v", err, findings)
			}
			r, err := policytest.Run(t.Context(), src, policytest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			verdicts := map[string]bool{}
			for _, c := range r.Cases {
				verdicts[c.Got.Verdict] = true
				if !c.Passed {
					t.Errorf("%s/tests.yaml:%d: %s: got %v, want %v: %v", dir, c.Line, c.Name, c.Got, c.Expected, c.Reasons)
				}
			}
			for _, c := range r.Rego {
				if !c.Passed {
					t.Errorf("%s/%s:%d: %s: %s", dir, c.File, c.Line, c.Name, c.Detail)
				}
			}
			if !(verdicts["allow"] || verdicts["warn"]) || !verdicts["deny"] {
				t.Errorf("the tests show %v only", verdicts)
			}
			if c := r.Coverage.Rules; c.Percent < 100 {
				t.Errorf("without a test: %+v", c.Missing)
			}
			if c := r.Coverage.Rego; c != nil && c.Percent < 100 {
				t.Errorf("without a test: %+v", c.Missing)
			}
		})
	}
}

func TestEachExampleSaysWhoUsesItAndWhy(t *testing.T) {
	t.Parallel()
	dirs, err := os.ReadDir("policies")
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile("policies/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join("policies", d.Name(), "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		if lines := strings.Count(string(text), "\n"); lines < 6 || lines > 16 || !strings.Contains(string(text), "Who uses it: ") {
			t.Errorf("%s: %d lines, or not who uses it", d.Name(), lines)
		}
		if !strings.Contains(string(index), "("+d.Name()+"/README.md)") {
			t.Errorf("policies/README.md does not name %s", d.Name())
		}
	}
}
