package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

type runOptions struct {
	gateOptions
	output output
	ledger string
	result string
	dryRun bool
}

func newRunCmd(a *app) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "run RUNBOOK [flags] [-- ARGS]",
		Short: "Run a runbook that is validly signed and allowed, or say why not",
		Long: `Run a runbook that is validly signed and allowed. The file is read once; what
runs is exactly what was verified. The decision is in the ledger before anything
starts.

Use it wherever a runbook is started: in a unit file, a scheduler, a worker. The
arguments after -- reach the runbook as they are; no shell reads them.

Exit codes: those of the runbook, and 124 timed out, 125 the gate failed and
nothing was started (a malformed question, too), 126 denied by signature or
policy, 127 the runbook or its interpreter is missing, 128+n ended by signal n.
--result says whether gate or runbook made the code. With --dry-run: 0 allowed.`,
		Example: `  writ run --trust trust --policy policy --worker-group web restart.ps1 --param ComputerName=web-01
  writ run --trust trust --policy policy --ledger ledger.jsonl deploy.sh.asc -- blue 3
  writ run --trust trust --policy policy --dry-run deploy.sh.asc`,
		RunE: func(cmd *cobra.Command, list []string) error {
			if err := o.take(cmd, list); err != nil {
				return err
			}
			return a.runRun(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	o.output.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.ledger, "ledger", "", "record decision, start and end in this `file` (default: writ/ledger.jsonl in your state folder)")
	f.StringVar(&o.result, "result", "", "write a JSON `file` that says whether gate or runbook made the exit code")
	f.BoolVar(&o.dryRun, "dry-run", false, "decide, print the decision, and start nothing")
	return cmd
}

// runRun runs, and says in the result file how it went, whatever that was.
func (a *app) runRun(ctx context.Context, o *runOptions) error {
	if o.dryRun && o.result != "" {
		return usagef("--result says how a run ended, and with --dry-run nothing runs")
	}
	if o.result == "" {
		_, err := a.gateAndRun(ctx, o)
		return err
	}
	file, err := newResultFile(o.result)
	if err != nil {
		return fmt.Errorf("prepare the result file: %w", err)
	}
	outcome, err := a.gateAndRun(ctx, o)
	if e := file.write(outcome); e != nil {
		return fmt.Errorf("write the result file: %w", e)
	}
	return err
}

// runOutcome is what worker.ExitCode and worker.EncodeResult are told.
type runOutcome struct {
	result worker.Result
	err    error
}

// gateAndRun goes the one way through: read, verify, decide, record, run.
func (a *app) gateAndRun(ctx context.Context, o *runOptions) (runOutcome, error) {
	fail := func(err error) (runOutcome, error) { return runOutcome{err: err}, err }
	r, err := o.output.renderer()
	if err != nil {
		return fail(err)
	}
	g, err := o.open(true, a.now)
	if err != nil {
		return fail(err)
	}
	c, err := g.read(ctx, o.path)
	if err != nil {
		err = readFailure(o.path, err)
		return runOutcome{err: err}, runFailure(o.path, worker.Result{}, err)
	}
	book, err := openLedger(o.ledger)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = book.Close() }() // every record was synced when it was written
	w, err := worker.New(worker.Options{Ledger: book, Now: a.now})
	if err != nil {
		return fail(err)
	}
	in, decision := g.decide(ctx, c)
	recorded, err := w.Record(ctx, worker.Evidence{Report: c.report, Input: in, Decision: decision, DryRun: o.dryRun})
	if err != nil {
		return fail(err)
	}
	for _, warn := range decision.Warn {
		a.note("%s: %s", warn.Code, warn.Msg)
	}
	if o.dryRun {
		if err := r.Decision(a.stdout, decision); err != nil {
			return fail(fmt.Errorf("write the decision: %w", err))
		}
		if !decision.Allow {
			denied := &worker.DeniedError{Verdict: c.report.Verdict, Reasons: decision.Deny}
			return runOutcome{err: denied}, runFailure(o.path, worker.Result{}, denied)
		}
		return runOutcome{}, nil
	}
	result, err := w.Run(ctx, worker.Job{Decision: recorded, Runbook: c.verified, Stdout: a.stdout, Stderr: a.stderr})
	for _, warning := range result.Warnings {
		a.note("%s", warning)
	}
	outcome := runOutcome{result: result, err: err}
	if err != nil {
		return outcome, runFailure(o.path, result, err)
	}
	if code := worker.ExitCode(result, nil); code != exitYes {
		if result.TimedOut {
			return outcome, &exitError{code: code, err: fmt.Errorf("%q timed out after %s and was ended", o.path, decision.Obligations.Timeout)}
		}
		return outcome, childError(code)
	}
	return outcome, nil
}

// readFailure sorts the errors of reading a runbook: that there is none, that
// what is there may not be one, or that reading failed.
func readFailure(path string, err error) error {
	switch {
	case isMissing(err):
		return fmt.Errorf("%q: %w", path, worker.ErrNoRunbook)
	case isRefusal(err):
		return &worker.DeniedError{Reasons: []policy.Reason{{Code: "not-a-runbook", Msg: err.Error(), Rule: "writ/gate"}}}
	}
	return err
}

// runFailure gives an error of the gate its exit code and its words.
func runFailure(path string, r worker.Result, err error) error {
	code := worker.ExitCode(r, err)
	var denied *worker.DeniedError
	if errors.As(err, &denied) {
		return denial(code, path, denied.Reasons)
	}
	return &exitError{code: code, err: err}
}

// openLedger opens the ledger that was named, or the user's own: a run that is
// not recorded does not take place.
func openLedger(path string) (*ledger.Ledger, error) {
	if path != "" {
		return ledger.Open(path, ledger.Options{})
	}
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return nil, errors.New("no ledger given, and you have no home folder for one: --ledger FILE")
		}
		state = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(state, "writ")
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // the folder is the user's own choice
		return nil, err
	}
	return ledger.Open(filepath.Join(dir, "ledger.jsonl"), ledger.Options{})
}

// resultFile is the file of --result. Its place is made before anything runs,
// so that a run whose outcome could not be told does not begin.
type resultFile struct {
	path string
	temp *os.File
}

func newResultFile(path string) (*resultFile, error) {
	if err := checkTarget("--result", path); err != nil {
		return nil, err
	}
	temp, err := tempBeside(path)
	if err != nil {
		return nil, err
	}
	return &resultFile{path, temp}, nil
}

func (f *resultFile) write(o runOutcome) error {
	data, err := worker.EncodeResult(o.result, o.err)
	if err != nil {
		discard(f.temp)
		return err
	}
	return finish(f.temp, f.path, data)
}
