// Package lint looks at a policy that can be used for what its author may not have
// meant: rules that let anything run anywhere, names that nothing uses, rules of Rego
// that say too little, and what no test shows. It also writes .rego files in the one
// form that all are written in.
//
// A finding decides nothing, and a policy without findings may still be wrong.
package lint

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/policytest"
)

// Severity says how much a finding matters.
type Severity string

// The severities, the least one first.
const (
	Note    Severity = "note"
	Warning Severity = "warning"
)

// The codes of findings.
const (
	AnyPath          = "any-path"
	AnyWorker        = "any-worker"
	Anyone           = "anyone"
	UnusedPerson     = "unused-person"
	UnusedGroup      = "unused-group"
	UnusedRole       = "unused-role"
	ExpiredExemption = "expired-exemption"
	UnknownCode      = "unknown-code"
	NoCode           = "no-code"
	NoLabel          = "no-label"
	LabelTwice       = "label-twice"
	NoTitle          = "no-title"
	TimeWithoutNow   = "time-without-now"
	NotFormatted     = "not-formatted"
	NoTests          = "no-tests"
	TestFails        = "test-fails"
	UntestedRule     = "untested-rule"
	UntestedPart     = "untested-part"
	UntestedLine     = "untested-line"
)

// check says what a code means.
type check struct {
	code     string
	severity Severity
	why      string
	mend     string
}

var checks = []check{
	{AnyPath, Warning, "the rule is for every runbook, wherever it lies", "name the folders or the digests that it is for"},
	{AnyWorker, Warning, "the rule holds on every worker, also on those that are yet to come", "name groups, ids or labels"},
	{Anyone, Warning, "anybody who can start writ may ask for it", "name people or groups"},
	{UnusedPerson, Warning, "no rule, group or role names the person", "remove the person, or add them to the group that was meant"},
	{UnusedGroup, Warning, "no rule, group or role names the group", "remove the group, or name it where it was meant"},
	{UnusedRole, Warning, "no rule names the role", "remove the role, or name it where it was meant"},
	{ExpiredExemption, Warning, "the exemption has expired and lifts nothing any more", "remove it, or have it approved again"},
	{UnknownCode, Warning, "neither writ nor a .rego file gives a reason with the code: there is nothing that it lifts", "take the code from a denial, or from the list in docs/policy.md"},
	{NoCode, Warning, "the reason has no code of its own: nobody can tell it from others", `give an object with a code: {"code": "...", "msg": "..."}`},
	{NoLabel, Note, "the rule has no id: an explanation does not say that it fired", "write above it: # METADATA, and # labels: {id: ...}"},
	{LabelTwice, Warning, "two rules have the same id: an explanation cannot tell them apart", "give each rule an id of its own"},
	{NoTitle, Note, "nothing says what the package is for", "write above it: # METADATA, and # title: ..."},
	{TimeWithoutNow, Warning, "the file computes with times, and never with the time of the decision", "use input.now_ns"},
	{NotFormatted, Note, "the file is not written in the form that all are written in", "run writ policy fmt"},
	{NoTests, Warning, "the policy has no tests", "write tests.yaml beside grants.yaml"},
	{TestFails, Warning, "the policy does not do what its test says", "run writ policy test, and mend the policy or the test"},
	{UntestedRule, Warning, "no test shows that the rule allows anything", "add a test that the rule allows"},
	{UntestedPart, Note, "no test shows that this part of the rule denies by itself", "add a test that lacks nothing but this"},
	{UntestedLine, Note, "no test evaluates the line", "add a test for it"},
}

// Codes returns the codes of all findings.
func Codes() []string {
	codes := make([]string, 0, len(checks))
	for _, c := range checks {
		codes = append(codes, c.code)
	}
	return codes
}

// Finding is one thing to look at.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line"` // 0 for the whole file
	// What names the rule, person, group or part that it is about.
	What string `json:"what"`
	Why  string `json:"why"`
	Mend string `json:"mend"`
}

// Options are how a policy is looked at.
type Options struct {
	// Now is when; exemptions expire.
	Now time.Time
	// Ignore are codes of findings that are left out.
	Ignore []string
}

// findings collects.
type findings struct {
	ignore []string
	list   []Finding
}

func (f *findings) add(code, file string, line int, what string) {
	i := slices.IndexFunc(checks, func(c check) bool { return c.code == code })
	if slices.Contains(f.ignore, code) {
		return
	}
	c := checks[i]
	f.list = append(f.list, Finding{Code: code, Severity: c.severity, File: file, Line: line, What: what, Why: c.why, Mend: c.mend})
}

// Run looks at a policy, and runs its tests. It fails with *policy.SyntaxError where
// the policy or its tests cannot be used, and with the error of ctx.
func Run(ctx context.Context, src policy.Source, o Options) ([]Finding, error) {
	f := &findings{ignore: o.Ignore, list: []Finding{}}
	if _, err := policy.New(src); err != nil {
		return nil, err
	}
	library, err := policy.Library(src)
	if err != nil {
		return nil, err
	}
	lintGrants(f, src.Grants, o.Now, slices.Concat(library, src.Rego))
	lintRego(f, src)
	report, err := policytest.Run(ctx, src, policytest.Options{})
	var none *policytest.NoTestsError
	switch {
	case errors.As(err, &none):
		f.add(NoTests, policy.GrantsFile, 0, "")
	case err != nil:
		return nil, err
	default:
		lintTests(f, report)
	}
	slices.SortStableFunc(f.list, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Code, b.Code), strings.Compare(a.What, b.What))
	})
	return f.list, nil
}

func lintTests(f *findings, r *policytest.Report) {
	for _, c := range r.Cases {
		if !c.Passed {
			f.add(TestFails, policy.TestsFile, c.Line, c.Name)
		}
	}
	for _, t := range r.Rego {
		if !t.Passed {
			f.add(TestFails, t.File, t.Line, t.Name)
		}
	}
	for _, m := range r.Coverage.Rules.Missing {
		if m.Part == "" {
			f.add(UntestedRule, policy.GrantsFile, m.Line, m.Rule)
		} else {
			f.add(UntestedPart, policy.GrantsFile, m.Line, m.Rule+": "+m.Part)
		}
	}
	if r.Coverage.Rego != nil {
		for _, m := range r.Coverage.Rego.Missing {
			f.add(UntestedLine, m.File, m.Line, "")
		}
	}
}
