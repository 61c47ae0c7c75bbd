package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
)

type exportOptions struct {
	ledgerOptions
	format string
}

func newLedgerExportCmd(a *app) *cobra.Command {
	o := &exportOptions{}
	cmd := &cobra.Command{
		Use:   "export FILE --format json|csv|cef",
		Short: "Write the records of a ledger for other programs",
		Long: `Write the records of a ledger, each only after it and everything before it were
found intact: as JSON Lines (the ledger's own lines), as CSV for a spreadsheet, or
as CEF for a collector of security events. At the end, standard error names the
head: --from begins there the next time.

Use it to ship a ledger to a SIEM, or to look at it in a spreadsheet.

Exit codes: 0 intact to the end, 1 not intact (what stands before the damage is
written), 2 the question is malformed, 3 the file cannot be read.`,
		Example: `  writ ledger export ledger.jsonl --format csv > runs.csv
  writ ledger export ledger.jsonl --format cef --from 4711:9f86d081... | nc siem.example 514`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.path = paths[0]
			return a.runLedgerExport(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "", "`format`: json, csv or cef")
	o.addPlaces(cmd)
	return cmd
}

func (a *app) runLedgerExport(ctx context.Context, o *exportOptions) error {
	records, err := render.Export(o.format, a.stdout)
	if err != nil {
		return usagef("--format: %w", err)
	}
	summary, err := o.scan(ctx, records.Write)
	if err := endRecords(o.path, records, err); err != nil {
		return err
	}
	a.note("head %s", summary.Head)
	return nil
}

type tailOptions struct {
	output output
	path   string
	last   uint64
	follow bool
}

func newLedgerTailCmd(a *app) *cobra.Command {
	o := &tailOptions{}
	cmd := &cobra.Command{
		Use:   "tail FILE",
		Short: "Print the last records of a ledger, and with -f those that come",
		Long: `Print what the last records of a ledger say, one a line, or the records themselves
with -o json, one a line; with -f go on with those that come, across segments,
until interrupted.

Use it to watch a gate. It checks the chain from the first record that it prints;
whether everything before it is intact says "writ ledger verify".

Exit codes: 0 printed, 1 a record is not intact, 2 the question is malformed, 3 the
file cannot be read.`,
		Example: `  writ ledger tail ledger.jsonl
  writ ledger tail -f -n 100 -o json ledger.jsonl`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.path = paths[0]
			return a.runLedgerTail(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	cmd.Flags().Uint64VarP(&o.last, "lines", "n", 10, "how many `records` to begin with")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with the records that come")
	return cmd
}

func (a *app) runLedgerTail(ctx context.Context, o *tailOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	records := r.Records(a.stdout)
	if o.output.name == "json" { // one document would have no end
		if records, err = render.Export("json", a.stdout); err != nil {
			return err
		}
	}
	head, err := ledger.Last(ctx, o.path, o.last, records.Write)
	if err == nil && o.follow {
		tick := time.NewTicker(ledger.FollowEvery)
		defer tick.Stop()
		err = ledger.Follow(ctx, o.path, head, tick.C, records.Write)
	}
	var tail *ledger.TailError
	if errors.As(err, &tail) {
		return no("%q is not intact: %w", o.path, tail)
	}
	return endRecords(o.path, records, err)
}
