package policytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/runwrit/writ/policy"
)

const (
	// testDeadline is how long one test in Rego may take, as long as a decision.
	testDeadline = 2 * time.Second
	// allDeadline is how long all of them may take.
	allDeadline = 2 * time.Minute
	maxPrinted  = 4 << 10
)

// RegoResult is how one rule test_... of a *_test.rego file came out.
type RegoResult struct {
	Name   string `json:"name"` // with its package
	File   string `json:"file"`
	Line   int    `json:"line"`
	Passed bool   `json:"passed"`
	// Detail says what failed, and what the test printed.
	Detail string `json:"detail"`
}

// runRego runs the tests in Rego.
func runRego(ctx context.Context, src policy.Source, only *regexp.Regexp, lines *cover.Cover) ([]RegoResult, error) {
	results := []RegoResult{}
	tests, err := policy.NewRegoTests(src)
	if tests == nil || err != nil {
		return results, err
	}
	ctx, cancel := context.WithTimeout(ctx, allDeadline)
	defer cancel()
	runner := tester.NewRunner().SetCompiler(tests.Compiler).SetModules(tests.Modules).SetTimeout(testDeadline).
		RaiseBuiltinErrors(true).CapturePrintOutput(true).SetCoverageQueryTracer(lines).SetCoverageRuns(nil)
	if only != nil {
		runner = runner.Filter(only.String())
	}
	found, err := runner.RunTests(ctx, nil)
	var bad ast.Errors
	switch {
	case errors.As(err, &bad):
		return nil, &policy.SyntaxError{Problems: policy.RegoProblems(bad)}
	case err != nil:
		return nil, fmt.Errorf("run the tests in rego: %w", err)
	}
	for {
		select {
		case <-ctx.Done(): // also where a function of OPA goes on, which nothing can stop
			return nil, fmt.Errorf("the tests in rego did not end in time: %w", ctx.Err())
		case r, more := <-found:
			if !more {
				slices.SortFunc(results, func(a, b RegoResult) int {
					return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Name, b.Name))
				})
				return results, nil
			}
			results = append(results, regoResult(r))
		}
	}
}

func regoResult(r *tester.Result) RegoResult {
	result := RegoResult{Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, Passed: r.Pass()}
	if r.Location != nil {
		result.File, result.Line = r.Location.File, r.Location.Row
	}
	var said []string
	switch {
	case r.Skip:
		said = append(said, "is left out by its name: todo_test_")
	case r.Error != nil:
		said = append(said, r.Error.Error())
	case r.Fail:
		said = append(said, "is not true")
	}
	for names, sub := range r.SubResults.Iter {
		if sub.Fail {
			said = append(said, "case "+strings.Join(names, "/")+" is not true")
		}
	}
	if printed := strings.TrimSpace(string(r.Output)); printed != "" {
		said = append(said, "printed: "+printed[:min(len(printed), maxPrinted)])
	}
	result.Detail = strings.Join(said, "; ")
	return result
}
