package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy/whatif"
)

type replayOptions struct {
	output    output
	policyDir string
	head      string
	changes   int
	path      string
}

func newPolicyReplayCmd(a *app) *cobra.Command {
	o := &replayOptions{}
	cmd := &cobra.Command{
		Use:   "replay LEDGER --policy DIR",
		Short: "Decide the recorded decisions of a ledger again, by another policy, and show what changes",
		Long: `Decide every recorded decision of a ledger again, by another policy: with the
facts of its record and at its time. Print what would change, and why.

Use it before you put a changed policy into use: what would it have denied last
week, and what allowed? The ledger must be intact; no trust store is needed, for
the facts about the signatures are those that were recorded. Nothing is written.

Exit codes: 0 nothing changes, 1 something changes or a record cannot be read,
2 question, policy or ledger are malformed, 3 policy or ledger cannot be read.`,
		Example: `  writ policy replay ledger.jsonl --policy new-policy
  writ policy replay ledger.jsonl --policy new-policy --changes 1000 -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.path = paths[0]
			return a.runPolicyReplay(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.policyDir, "policy", "", "the policy to decide by, a `folder` with grants.yaml, or a bundle")
	f.StringVar(&o.head, "head", "", "the ledger must still hold this record: `SEQ:HASH` as noted earlier")
	f.IntVar(&o.changes, "changes", 20, "how many changes to list, the first ones (`number`)")
	return cmd
}

func (a *app) runPolicyReplay(ctx context.Context, o *replayOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	if o.policyDir == "" {
		return usagef("no policy given: --policy DIR")
	}
	if o.changes < 0 || o.changes > whatif.MaxChanges {
		return usagef("--changes %d: want a number from 0 to %d", o.changes, whatif.MaxChanges)
	}
	var verify ledger.VerifyOptions
	if o.head != "" {
		if verify.Head, err = ledger.ParseHead(o.head); err != nil {
			return usagef("--head: %w", err)
		}
	}
	_, engine, err := whatIfPolicy(o.policyDir)
	if err != nil {
		return err
	}
	c, err := a.replay(ctx, o.path, whatif.ReplayOptions{Engine: engine, Ledger: verify, Changes: o.changes, Workers: workers()})
	var damage *ledger.ChainError
	switch {
	case errors.As(err, &damage):
		e := &exitError{code: exitMalformed, err: fmt.Errorf("%q is not intact: %w", o.path, damage)}
		return e.hint("see how far it is intact with: writ ledger verify %q", o.path)
	case err != nil:
		return noAnswer(err)
	}
	if err := r.Replay(a.stdout, render.Replay{Path: o.path, Comparison: c}); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if !c.Settled() {
		return no("%s", unsettled(c))
	}
	return nil
}

func (a *app) replay(ctx context.Context, path string, o whatif.ReplayOptions) (*whatif.Comparison, error) {
	f, err := ledger.OpenReader(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	var wipe func()
	o.Progress, wipe = a.progressLine("decided")
	defer wipe()
	return whatif.Replay(ctx, f, o)
}

// unsettled says why the answer is no.
func unsettled(c *whatif.Comparison) string {
	changed, open := c.Changed(), c.Unreadable+c.Secret
	switch {
	case c.Decisions == 0:
		return "the ledger holds no decision: nothing was compared"
	case changed > 0 && open > 0:
		return fmt.Sprintf("%d of %d decisions would change, and %d could not be made again", changed, c.Decisions, open)
	case changed > 0:
		return fmt.Sprintf("%d of %d decisions would change", changed, c.Decisions)
	default:
		return fmt.Sprintf("%d of %d decisions could not be made again", open, c.Decisions)
	}
}
