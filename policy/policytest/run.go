package policytest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/cover"

	"github.com/runwrit/writ/policy"
)

// Outcome is what a decision came to.
type Outcome struct {
	// Verdict is "allow", "deny" or "warn", which is allowed with a warning.
	Verdict string `json:"verdict"`
	// Codes are those of all denials and warnings, each once, sorted.
	Codes []string `json:"codes"`
	// Rules are the rules of grants.yaml that allowed, sorted. A case that names
	// none takes any.
	Rules []string `json:"rules"`
}

func (o Outcome) String() string {
	s := o.Verdict
	if len(o.Codes) > 0 {
		s += " (" + strings.Join(o.Codes, ", ") + ")"
	}
	if len(o.Rules) > 0 {
		s += " by " + strings.Join(o.Rules, ", ")
	}
	return s
}

// CaseResult is how one case of tests.yaml came out.
type CaseResult struct {
	Name     string  `json:"name"`
	Line     int     `json:"line"` // in tests.yaml
	Passed   bool    `json:"passed"`
	Expected Outcome `json:"expected"`
	Got      Outcome `json:"got"`
	// Reasons are those of the decision: denials, then warnings.
	Reasons []policy.Reason `json:"reasons"`
}

// Report is how the tests of a policy came out.
type Report struct {
	Policy policy.Ref   `json:"policy"`
	Cases  []CaseResult `json:"cases"`
	Rego   []RegoResult `json:"rego"`
	// Coverage says what the tests prove, whether they passed or not.
	Coverage Coverage `json:"coverage"`
}

// Failed counts the tests that did not pass.
func (r *Report) Failed() int {
	n := 0
	for _, c := range r.Cases {
		if !c.Passed {
			n++
		}
	}
	for _, c := range r.Rego {
		if !c.Passed {
			n++
		}
	}
	return n
}

// Options are how tests are run.
type Options struct {
	// Only names the tests to run; nil for all of them.
	Only *regexp.Regexp
}

// NoTestsError says that there was nothing to run: that proves nothing.
type NoTestsError struct{ Filtered bool }

func (e *NoTestsError) Error() string {
	if e.Filtered {
		return "no test has such a name"
	}
	return fmt.Sprintf("the policy has no tests: neither %s nor *_test.rego", policy.TestsFile)
}

// Run runs the tests of a policy. It fails with *policy.SyntaxError where something
// in the policy or in its tests is wrong, with *NoTestsError where there are none,
// and with the error of ctx.
func Run(ctx context.Context, src policy.Source, o Options) (*Report, error) {
	engine, err := policy.New(src)
	if err != nil {
		return nil, err
	}
	r := &Report{Policy: engine.Policy(), Cases: []CaseResult{}, Rego: []RegoResult{}}
	outline := newOutline(src.Grants)
	cases, err := casesOf(src, outline)
	if err != nil {
		return nil, err
	}
	lines := cover.New()
	rules := newRuleCoverage(outline)
	for _, c := range cases {
		if o.Only != nil && !o.Only.MatchString(c.name) {
			continue
		}
		x, _ := engine.Trace(ctx, c.input, lines) // what fails is a denial, with its reason
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rules.add(&x)
		r.Cases = append(r.Cases, c.judge(x.Decision))
	}
	if r.Rego, err = runRego(ctx, src, o.Only, lines); err != nil {
		return nil, err
	}
	if len(r.Cases)+len(r.Rego) == 0 {
		return nil, &NoTestsError{Filtered: o.Only != nil}
	}
	r.Coverage = Coverage{Rules: rules.report(), Rego: linesOf(src, lines)}
	return r, nil
}

func casesOf(src policy.Source, o *outline) ([]testCase, error) {
	i := slices.IndexFunc(src.Tests, func(f policy.File) bool { return f.Name == policy.TestsFile })
	if i < 0 {
		return nil, nil
	}
	cases, problems := parseCases(src.Tests[i].Data, o)
	if len(problems) > 0 {
		return nil, &policy.SyntaxError{Problems: problems}
	}
	return cases, nil
}

// judge compares a decision with what a case wants.
func (c *testCase) judge(d policy.Decision) CaseResult {
	r := CaseResult{
		Name: c.name, Line: c.line, Expected: c.want, Reasons: slices.Concat([]policy.Reason{}, d.Deny, d.Warn),
		Got: Outcome{Verdict: wantDeny, Codes: []string{}, Rules: slices.Sorted(slices.Values(d.Rules))},
	}
	switch {
	case d.Allow && len(d.Deny) == 0 && len(d.Warn) == 0:
		r.Got.Verdict = wantAllow
	case d.Allow && len(d.Deny) == 0:
		r.Got.Verdict = wantWarn
	}
	for _, reason := range r.Reasons {
		r.Got.Codes = append(r.Got.Codes, reason.Code)
	}
	slices.Sort(r.Got.Codes)
	r.Got.Codes = slices.Compact(r.Got.Codes)
	if r.Got.Rules == nil {
		r.Got.Rules = []string{}
	}
	r.Passed = r.Got.Verdict == c.want.Verdict && slices.Equal(r.Got.Codes, c.want.Codes) &&
		(len(c.want.Rules) == 0 || slices.Equal(r.Got.Rules, c.want.Rules))
	return r
}
