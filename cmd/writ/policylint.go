package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/lint"
)

type policyLintOptions struct {
	output output
	dir    string
	ignore []string
}

func newPolicyLintCmd(a *app) *cobra.Command {
	o := &policyLintOptions{}
	cmd := &cobra.Command{
		Use:   "lint DIR",
		Short: "Find what the author of a policy may not have meant",
		Long: `Find what the author of a policy may not have meant: rules that let anything run
anywhere or for anybody, names that nothing uses, exemptions that lift nothing,
reasons without a code, and what no test shows. Every finding has a code, a place,
why it is one, and what mends it.

Use it in the pipeline of the policy's repository. --ignore takes the codes of what
you did mean.

Exit codes: 0 nothing but notes was found, 1 a warning was found, 2 the policy or
its tests are malformed, 3 the folder cannot be read.`,
		Example: `  writ policy lint policy
  writ policy lint --ignore anyone,no-title -o json policy`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.dir = paths[0]
			return a.runPolicyLint(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	cmd.Flags().StringSliceVar(&o.ignore, "ignore", nil, "leave out findings of these `codes`")
	return cmd
}

func (a *app) runPolicyLint(ctx context.Context, o *policyLintOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	known := lint.Codes()
	for _, code := range o.ignore {
		if !slices.Contains(known, code) {
			return usagef("--ignore %q: no such code; known are %s", code, strings.Join(known, ", "))
		}
	}
	src, err := policy.ReadFolder(o.dir, policy.LoadOptions{})
	if err != nil {
		return policyError(o.dir, err)
	}
	findings, err := lint.Run(ctx, src, lint.Options{Now: a.now(), Ignore: o.ignore})
	if err != nil {
		return policyError(o.dir, err)
	}
	if err := r.PolicyFindings(a.stdout, findings); err != nil {
		return noAnswer(err)
	}
	if n := render.Warnings(findings); n > 0 {
		return no("%d warning%s about the policy in %q", n, plural(n), o.dir)
	}
	return nil
}
