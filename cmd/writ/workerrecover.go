package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/worker"
)

type recoverOptions struct {
	output output
	config configOption
	ledger string
}

func newWorkerRecoverCmd(a *app) *cobra.Command {
	o := &recoverOptions{}
	cmd := &cobra.Command{
		Use:   "recover (--ledger FILE | --config worker.yaml)",
		Short: "Close the runs whose gate was killed as lost",
		Long: `Give the runs whose gate ended before them an end in the ledger, as lost, and
remove their private folders. Each "writ run" does so for the runs that the
register beside the ledger names; this command reads the whole ledger too, for
those that it does not name, as after a power failure.

Use it when a machine has come up again. A run whose process is alive is left
alone, and nothing is run again.

Exit codes: 0 nothing is left to close, 1 something could not be closed, 2 the
question is malformed, 3 the ledger cannot be read or written.`,
		Example: `  writ worker recover --config /etc/writ/worker.yaml
  writ worker recover --ledger ledger.jsonl -o json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.config.take(cmd)
			return a.runWorkerRecover(cmd.Context(), o)
		},
	}
	o.output.addTo(cmd)
	o.config.addTo(cmd)
	cmd.Flags().StringVar(&o.ledger, "ledger", "", "the ledger, a `file`")
	return cmd
}

func (a *app) runWorkerRecover(ctx context.Context, o *recoverOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	options := ledger.Options{Now: a.now}
	switch {
	case o.config.path != "" && o.config.clash != "":
		return usagef("--%s stands beside --config: the configuration says it", o.config.clash)
	case o.config.path != "":
		w, err := loadConfig(o.config.path, true)
		if err != nil {
			return err
		}
		if options, err = ledgerOptionsOf(w, a.now); err != nil {
			return err
		}
		o.ledger = w.Ledger
	case o.ledger == "":
		return usagef("want --ledger or --config")
	}
	if _, err := os.Lstat(o.ledger); err != nil { // Open would make one
		return noAnswer(err)
	}
	book, err := ledger.Open(o.ledger, options)
	if err != nil {
		return noAnswer(err)
	}
	defer func() { _ = book.Close() }() // every record was synced when it was written
	w, err := worker.New(worker.Options{Stage: a.stage, Ledger: book, Now: a.now, RunsDir: runsDir(o.ledger)})
	if err != nil {
		return noAnswer(err)
	}
	found, err := w.RecoverAll(ctx)
	if err != nil {
		return noAnswer(err)
	}
	if err := r.Recovered(a.stdout, render.Recovered{Path: o.ledger, Recovered: found}); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	if len(found.Left) > 0 {
		return no("%d runs could not be closed", len(found.Left))
	}
	return nil
}
