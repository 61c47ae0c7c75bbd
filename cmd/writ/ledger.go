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
	output      output
	head        string
	from        string
	archives    []string
	keys        []string
	checkpoints []string
	path        string
}

// addPlaces adds the flags that say which part of a ledger is meant.
func (o *ledgerOptions) addPlaces(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "begin after this record: `SEQ:HASH` as noted earlier; what stands before it may be kept elsewhere")
	f.Var((*repeated)(&o.archives), "archive", "`folder` where closed segments lie that are not beside the ledger (repeatable)")
}

func newLedgerCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Verify and show the record of decisions and runs",
		Args:  args(cobra.NoArgs),
		RunE:  func(*cobra.Command, []string) error { return usagef("no command given: see writ ledger --help") },
	}
	cmd.AddCommand(newLedgerVerifyCmd(a), newLedgerShowCmd(a), newLedgerTailCmd(a), newLedgerExportCmd(a),
		newLedgerKeygenCmd(a), newLedgerCheckpointCmd(a))
	return cmd
}

func newLedgerVerifyCmd(a *app) *cobra.Command {
	o := &ledgerOptions{}
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check every record, the hash chain and the checkpoints of a ledger",
		Long: `Check every record of a ledger, in all its segments, and the hash chain that ties
it to the one before, and print the head. With --key, the checkpoints beside it
must be signed by that key, and the ledger must still hold what they signed.

Use it before you rely on a ledger. Note the head elsewhere, or keep a copy of the
checkpoints there: with --head or --checkpoints, a later check finds as well that
records were cut off the end, or the whole chain was written anew.

Exit codes: 0 intact, 1 not intact, 2 the question is malformed, 3 the file
cannot be read.`,
		Example: `  writ ledger verify ledger.jsonl
  writ ledger verify --head 12:9f86d081... ledger.jsonl
  writ ledger verify --key ledger.pub --checkpoints /mnt/other/web-01.checkpoints ledger.jsonl
  writ ledger verify --from 4711:9f86d081... ledger.jsonl`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.path = paths[0]
			return a.runLedgerVerify(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	cmd.Flags().StringVar(&o.head, "head", "", "the ledger must still hold this record: `SEQ:HASH` as noted earlier")
	cmd.Flags().Var((*repeated)(&o.keys), "key", "key that signs the checkpoints, as `KEY` or file, as keygen printed it (repeatable)")
	cmd.Flags().Var((*repeated)(&o.checkpoints), "checkpoints", "`file` with a copy of the checkpoints, beside the one that lies with the ledger (repeatable)")
	o.addPlaces(cmd)
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
	o.addPlaces(cmd)
	return cmd
}

func (a *app) runLedgerVerify(ctx context.Context, o *ledgerOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	summary, err := o.scan(ctx, func(ledger.Record) error { return nil })
	if isUsage(err) {
		return err
	}
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
	_, err = o.scan(ctx, records.Write)
	return endRecords(o.path, records, err)
}

// endRecords closes what records were written to, and says how the ledger is.
func endRecords(path string, records render.RecordWriter, err error) error {
	if isUsage(err) {
		return err
	}
	var damage *ledger.ChainError
	if err != nil && !errors.As(err, &damage) {
		return noAnswer(err)
	}
	if err := records.Close(); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if damage != nil {
		return no("%q is not intact: %w", path, damage)
	}
	return nil
}

func isUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage)
}

// scan reads the ledger as the flags say.
func (o *ledgerOptions) scan(ctx context.Context, visit func(ledger.Record) error) (ledger.Summary, error) {
	var options ledger.VerifyOptions
	var err error
	if options.Head, err = headFlag("--head", o.head); err != nil {
		return ledger.Summary{}, err
	}
	if options.After, err = headFlag("--from", o.from); err != nil {
		return ledger.Summary{}, err
	}
	notes, err := o.openCheckpoints()
	defer notes.close()
	if err != nil {
		return ledger.Summary{}, err
	}
	// The copies were looked at before the ledger: it may grow meanwhile, and only
	// then is more than they say no sign of anything.
	r, err := ledger.OpenReader(ctx, o.path, o.archives...)
	if err != nil {
		return ledger.Summary{}, err
	}
	defer func() { _ = r.Close() }() // opened for reading only
	if options.Checkpoints, err = notes.all(r, o.path); err != nil {
		return ledger.Summary{}, err
	}
	if options.After.Seq > 0 {
		if err := r.From(options.After.Seq); err != nil {
			return ledger.Summary{}, err
		}
	}
	return ledger.Scan(r, options, visit)
}

func headFlag(flag, text string) (ledger.Head, error) {
	if text == "" {
		return ledger.Head{}, nil
	}
	h, err := ledger.ParseHead(text)
	if err != nil {
		return h, usagef("%s: %w", flag, err)
	}
	return h, nil
}
