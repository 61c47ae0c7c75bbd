package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/policy"
)

func newPolicyCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Check, test and tidy a policy, explain what it decides and why, and what another one would",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ policy --help") },
	}
	cmd.AddCommand(newPolicyCheckCmd(a), newPolicyTestCmd(a), newPolicyFmtCmd(a), newPolicyLintCmd(a), newPolicyExplainCmd(a), newPolicyReplayCmd(a), newPolicySimulateCmd(a),
		newPolicyBuildCmd(a), newPolicySignCmd(a), newPolicyVerifyCmd(a), newPolicyActivateCmd(a), newPolicySyncCmd(a), newPolicyStatusCmd(a), newPolicyRollbackCmd(a))
	return cmd
}

func newPolicyCheckCmd(a *app) *cobra.Command {
	o := &output{}
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Check a policy folder: grants.yaml and the .rego files beside it",
		Long: `Check a policy folder: grants.yaml and the .rego files beside it. Every problem
is named with its file, line and field.

Use it before you put a policy into use, and in the pipeline of its repository.

Exit codes: 0 the policy can be used, 2 something in it is wrong, 3 the folder
cannot be read.`,
		Example: `  writ policy check policy`,
		Args:    args(cobra.ExactArgs(1)),
		RunE:    func(_ *cobra.Command, paths []string) error { return a.runPolicyCheck(paths[0], o) },
	}
	o.addTo(cmd)
	return cmd
}

func (a *app) runPolicyCheck(dir string, o *output) error {
	r, err := o.renderer()
	if err != nil {
		return err
	}
	problems, err := policy.Check(dir, policy.LoadOptions{})
	if err != nil {
		return noAnswer(err)
	}
	if err := r.PolicyProblems(a.stdout, problems); err != nil {
		return noAnswer(err)
	}
	if n := len(problems); n > 0 {
		return usagef("the policy in %q cannot be used: %d problem%s", dir, n, plural(n))
	}
	return nil
}

// policyError sorts the errors of loading a policy: what stands in it is for
// its author to mend, everything else for the operator.
func policyError(dir string, err error) error {
	var syntax *policy.SyntaxError
	if !errors.As(err, &syntax) {
		return noAnswer(err)
	}
	e := &exitError{code: exitMalformed, err: err}
	if len(syntax.Problems) > 1 {
		e = e.hint("see all problems with: writ policy check %q", dir)
	}
	return e
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

type explainOptions struct {
	gateOptions
	document string
	output   output
	steps    bool
}

func newPolicyExplainCmd(a *app) *cobra.Command {
	o := &explainOptions{}
	cmd := &cobra.Command{
		Use:   "explain RUNBOOK [flags] [-- ARGS]",
		Short: "Say whether a runbook may run here and now, by which rules, and what is missing",
		Long: `Say whether a runbook may run here and now: the input, who signed and who asks as
grants.yaml knows them, each rule with what it lacks, and what would be needed.
Nothing is run and nothing is recorded.

Use it when a run was denied, or while you write a policy.

Exit codes: 0 allowed, 1 denied, 2 the question or the policy is malformed,
3 runbook, policy or trust store cannot be read.`,
		Example: `  writ policy explain --trust trust --policy policy --worker-group web deploy.sh.asc -- blue 3`,
		RunE: func(cmd *cobra.Command, list []string) error {
			if err := o.take(cmd, list); err != nil {
				return err
			}
			return a.runPolicyExplain(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	o.output.addTo(cmd)
	cmd.Flags().BoolVar(&o.steps, "trace", false, "print each step of the evaluation, too")
	cmd.Flags().StringVar(&o.document, "document", "", "write the input that the policy reads, with all values, to this `file`: for opa eval")
	return cmd
}

// writeDocument writes what the policy reads, readable by the user only: it holds
// the values of all parameters.
func writeDocument(e *policy.Engine, in policy.Input, path string) error {
	document, err := e.Document(in)
	if err != nil {
		return no("the policy cannot be asked: %w", err)
	}
	if err := checkTarget("--document", path); err != nil {
		return err
	}
	if err := writeAtomic(path, append(document, '\n')); err != nil {
		return noAnswer(err)
	}
	return nil
}

func (a *app) runPolicyExplain(ctx context.Context, o *explainOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	if err := o.configure(false, nil); err != nil {
		return err
	}
	g, err := o.open(ctx, false, a.now)
	if err != nil {
		return err
	}
	c, err := g.read(ctx, o.path)
	if err != nil {
		return err
	}
	a.tell(c.notes)
	in, err := g.input(c)
	if err != nil {
		return no("%q is denied: %w", o.path, err)
	}
	if o.document != "" {
		if err := writeDocument(g.engine, in, o.document); err != nil {
			return err
		}
	}
	explain := g.engine.Explain
	if o.steps {
		explain = g.engine.ExplainSteps
	}
	x, err := explain(ctx, in)
	if err != nil { // what the policy cannot answer is denied
		return no("%q is denied: %w", o.path, err)
	}
	if err := r.Explanation(a.stdout, x); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if !x.Decision.Allow {
		return denial(exitNo, o.path, c.report.Verdict, x.Decision.Deny)
	}
	return nil
}
