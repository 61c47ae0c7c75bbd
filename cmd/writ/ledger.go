package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
)

type ledgerOptions struct {
	output output
	head   string
	path   string
}

func newLedgerCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Verify and show the record of decisions and runs",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ ledger --help") },
	}
	cmd.AddCommand(newLedgerVerifyCmd(a), newLedgerShowCmd(a))
	return cmd
}

func newLedgerVerifyCmd(a *app) *cobra.Command {
	o := &ledgerOptions{}
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check every record and the hash chain of a ledger",
		Long: `Check every record of a ledger and the hash chain that ties it to the one
before, and print the head.

Use it before you rely on a ledger. Note the head elsewhere: with --head, a later
check finds as well that records were cut off the end, or the whole chain was
written anew.

Exit codes: 0 intact, 1 not intact, 2 the question is malformed, 3 the file
cannot be read.`,
		Example: `  writ ledger verify ledger.jsonl
  writ ledger verify --head 12:9f86d081... ledger.jsonl`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.path = paths[0]
			return a.runLedgerVerify(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	cmd.Flags().StringVar(&o.head, "head", "", "the ledger must still hold this record: `SEQ:HASH` as noted earlier")
	return cmd
}

func newLedgerShowCmd(a *app) *cobra.Command {
	o := &ledgerOptions{}
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Print the records of a ledger, each checked before it is printed",
		Long: `Print what the records of a ledger say, one a line, or the whole records with
-o json; each only after it and everything before it were found intact.

Exit codes: 0 intact to the end, 1 not intact (what stands before the damage is
printed), 2 the question is malformed, 3 the file cannot be read.`,
		Example: `  writ ledger show ledger.jsonl
  writ ledger show -o json ledger.jsonl`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.path = paths[0]
			return a.runLedgerShow(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	return cmd
}

func (a *app) runLedgerVerify(ctx context.Context, o *ledgerOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	var options ledger.VerifyOptions
	if o.head != "" {
		if options.Head, err = ledger.ParseHead(o.head); err != nil {
			return usagef("--head: %w", err)
		}
	}
	summary, err := scanLedger(ctx, o.path, options, func(ledger.Record) error { return nil })
	var damage *ledger.ChainError
	if err != nil && !errors.As(err, &damage) {
		return noAnswer(err)
	}
	if err := r.Chain(a.stdout, render.Chain{Path: o.path, Summary: summary, Damage: damage}); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if damage != nil {
		return no("%q is not intact: %w", o.path, damage)
	}
	return nil
}

func (a *app) runLedgerShow(ctx context.Context, o *ledgerOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	records := r.Records(a.stdout)
	_, err = scanLedger(ctx, o.path, ledger.VerifyOptions{}, records.Write)
	var damage *ledger.ChainError
	if err != nil && !errors.As(err, &damage) {
		return noAnswer(err)
	}
	if err := records.Close(); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if damage != nil {
		return no("%q is not intact: %w", o.path, damage)
	}
	return nil
}

func scanLedger(ctx context.Context, path string, o ledger.VerifyOptions, visit func(ledger.Record) error) (ledger.Summary, error) {
	f, err := ledger.OpenReader(ctx, path)
	if err != nil {
		return ledger.Summary{}, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	return ledger.Scan(f, o, visit)
}
