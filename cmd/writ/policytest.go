package main

import (
	"context"
	"errors"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/policytest"
)

type policyTestOptions struct {
	output    output
	dir       string
	only      string
	threshold float64
}

func newPolicyTestCmd(a *app) *cobra.Command {
	o := &policyTestOptions{}
	cmd := &cobra.Command{
		Use:   "test DIR",
		Short: "Run the tests of a policy, and say what they do not test",
		Long: `Run the tests of a policy folder: the cases of tests.yaml, and the rules named
test_... of its *_test.rego files. Each case is decided as a gate would decide it.
At the end stands what no test shows: a rule of grants.yaml that never allowed, a
part of a rule that was never the only one to deny, a line of Rego that was never
evaluated.

Use it in the pipeline of the policy's repository, with a threshold.

Exit codes: 0 all tests passed, 1 a test failed or less than --threshold percent
is tested, 2 the policy or its tests are malformed or there are none, 3 the folder
cannot be read.`,
		Example: `  writ policy test policy
  writ policy test --threshold 80 policy
  writ policy test --run 'restart' -o json policy`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.dir = paths[0]
			return a.runPolicyTest(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.only, "run", "", "run only tests whose name matches this `regex`")
	f.Float64Var(&o.threshold, "threshold", 0, "fail where less than this `percentage` of the rules, or of the lines of Rego, is tested")
	return cmd
}

func (a *app) runPolicyTest(ctx context.Context, o *policyTestOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	if !(o.threshold >= 0 && o.threshold <= 100) {
		return usagef("--threshold %v: want 0 to 100", o.threshold)
	}
	var options policytest.Options
	if o.only != "" {
		if o.threshold > 0 {
			return usagef("--threshold is about all tests, and --run leaves some out: choose one")
		}
		if options.Only, err = regexp.Compile(o.only); err != nil {
			return usagef("--run %q: %v", o.only, err)
		}
	}
	src, err := policy.ReadFolder(o.dir, policy.LoadOptions{})
	if err != nil {
		return policyError(o.dir, err)
	}
	report, err := policytest.Run(ctx, src, options)
	var none *policytest.NoTestsError
	switch {
	case errors.As(err, &none):
		return usagef("%q: %w", o.dir, err)
	case err != nil:
		return policyError(o.dir, err)
	}
	if err := r.PolicyTests(a.stdout, report); err != nil {
		return noAnswer(err)
	}
	if n := report.Failed(); n > 0 {
		return no("%d test%s of the policy in %q failed", n, plural(n), o.dir)
	}
	if tested := report.Coverage.Percent(); tested < o.threshold {
		return no("%.1f %% of the policy in %q is tested, and --threshold wants %v", tested, o.dir, o.threshold)
	}
	return nil
}
