package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker"
)

type runOptions struct {
	gateOptions
	output output
	ledger string
	// ownLedger says that none was named, and ledger is the user's own.
	ownLedger bool
	result    string
	streams   string
	// told is the file of streams; nil for none.
	told   *streamFile
	logs   string
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
  writ run --trust trust --policy policy --dry-run deploy.sh.asc
  writ run --config /etc/writ/worker.yaml deploy.sh.asc`,
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
	f.Lookup("output").Usage = "output format of --dry-run: text or json"
	f.StringVar(&o.ledger, "ledger", "", "record decision, start and end in this `file` (default: writ/ledger.jsonl in your state folder)")
	f.StringVar(&o.result, "result", "", "write a JSON `file` that says whether gate or runbook made the exit code")
	f.StringVar(&o.streams, "streams", "", "write each line of the runbook and each state of its job to a `file` of JSON lines, while it runs")
	f.StringVar(&o.logs, "logs", "", "keep what the runbook writes, up to 10 MiB a stream, in this `folder`, which must be there")
	f.BoolVar(&o.dryRun, "dry-run", false, "decide, print the decision, and start nothing")
	return cmd
}

// runRun runs, and says in the result file how it went, whatever that was. What
// there is to say beside comes last: stderr may be a pipe that nobody reads.
func (a *app) runRun(ctx context.Context, o *runOptions) error {
	// By default a closed stdout ends the process, before the end of the run is
	// recorded.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if o.dryRun && o.result != "" {
		return usagef("--result says how a run ended, and with --dry-run nothing runs")
	}
	if o.dryRun && o.streams != "" {
		return usagef("--streams tells what a runbook writes, and with --dry-run nothing runs")
	}
	unprepared := o.prepare()
	if err := checkOutputs(o); err != nil {
		return err
	}
	file, err := newResultFile(o.result)
	if err != nil {
		return fmt.Errorf("prepare the result file: %w", err)
	}
	outcome := failed(unprepared)
	if unprepared == nil {
		outcome = a.runAndTell(ctx, o)
	}
	if err := file.write(outcome); err != nil {
		return fmt.Errorf("write the result file: %w", err)
	}
	a.warn(outcome)
	return outcome.shown
}

// runAndTell runs, and tells the file of --streams how it goes.
func (a *app) runAndTell(ctx context.Context, o *runOptions) runOutcome {
	var err error
	if o.told, err = newStreamFile(o.streams, a.now); err != nil {
		return failed(err)
	}
	outcome := a.gateAndRun(ctx, o)
	o.told.close(&outcome)
	return outcome
}

// prepare reads the configuration, and finds the ledger.
func (o *runOptions) prepare() error {
	if err := o.configure(true, &o.ledger); err != nil {
		return err
	}
	if o.ownLedger = o.ledger == ""; o.ownLedger {
		var err error
		o.ledger, err = defaultLedger()
		return err
	}
	return nil
}

// runOutcome is what came of a run.
type runOutcome struct {
	// result and err are what worker.ExitCode and worker.EncodeResult are told.
	result worker.Result
	err    error
	// shown is err for the user, with its exit code; a childError for a runbook
	// that ended with another code than 0.
	shown    error
	warnings []policy.Reason // of the policy
}

// failed is the outcome of a run that the gate did not begin.
func failed(err error) runOutcome { return runOutcome{err: err, shown: err} }

func (a *app) warn(o runOutcome) {
	for _, w := range o.warnings {
		a.note("%s: %s", w.Code, w.Msg)
	}
	for _, w := range o.result.Warnings {
		a.note("%s", w)
	}
}

// gateAndRun goes the one way through: read, verify, decide, record, run.
func (a *app) gateAndRun(ctx context.Context, o *runOptions) runOutcome {
	r, err := o.output.renderer()
	if err != nil {
		return failed(err)
	}
	g, err := o.open(ctx, true, a.now)
	if err != nil {
		return failed(err)
	}
	a.tellLeftOut(g.verifier)
	c, err := g.read(ctx, o.path)
	if err != nil {
		err = readFailure(o.path, err)
		return runOutcome{err: err, shown: runFailure(o.path, worker.Result{}, err)}
	}
	a.tell(c.notes)
	book, err := openLedger(o, a.now)
	if err != nil {
		return failed(err)
	}
	defer func() { _ = book.Close() }() // every record was synced when it was written
	tokens, err := o.tokens(true, a.now)
	if err != nil {
		return failed(err)
	}
	logs, err := o.runLogs()
	if err != nil {
		return failed(err)
	}
	w, err := worker.New(workerOptions(o, worker.Options{Ledger: book, Stage: a.stage, Now: a.now, Uses: g.statements.uses, Tokens: tokens, RunsDir: runsDir(o.ledger), Logs: logs}))
	if err != nil {
		return failed(err)
	}
	a.recoverLost(ctx, w)
	if g.request.LastRecord, err = book.LastTime(ctx); err != nil {
		return failed(err)
	}
	g.request.Now = a.now() // after the last record was read: others write, too
	in, decision := g.decide(ctx, c)
	if err := ctx.Err(); err != nil { // a policy that was interrupted has not denied
		return failed(err)
	}
	recorded, err := w.Record(ctx, worker.Evidence{Report: c.report, Input: in, Decision: decision, DryRun: o.dryRun})
	if err != nil {
		return failed(err)
	}
	var outcome runOutcome
	if o.dryRun {
		outcome = a.dryRun(r, o, c, decision)
	} else {
		outcome = a.runRecorded(ctx, w, o, c, recorded, decision.Obligations.Timeout)
	}
	var denied *worker.DeniedError
	if !decision.Allow || !errors.As(outcome.err, &denied) { // else what it would use was used meanwhile
		outcome.warnings = decision.Warn
	}
	if decision.Allow {
		outcome.warnings = append(outcome.warnings, o.toldSecrets(decision.Redact(in).Redacted)...)
	}
	return outcome
}

func (a *app) dryRun(r render.Renderer, o *runOptions, c *candidate, d policy.Decision) runOutcome {
	if err := r.Decision(a.stdout, d); err != nil {
		return failed(fmt.Errorf("write the decision: %w", err))
	}
	if d.Allow {
		return runOutcome{}
	}
	denied := &worker.DeniedError{Verdict: c.report.Verdict, Reasons: d.Deny}
	return runOutcome{err: denied, shown: runFailure(o.path, worker.Result{}, denied)}
}

func (a *app) runRecorded(ctx context.Context, w *worker.Worker, o *runOptions, c *candidate, d *worker.Recorded, limit time.Duration) runOutcome {
	job := worker.Job{Decision: d, Runbook: c.verified, Stdout: a.stdout, Stderr: a.stderr}
	o.told.addTo(&job)
	result, err := w.Run(ctx, job)
	outcome := runOutcome{result: result, err: err}
	code := worker.ExitCode(result, err)
	switch {
	case err != nil:
		outcome.shown = runFailure(o.path, result, err)
	case result.TimedOut:
		outcome.shown = &exitError{code: code, err: fmt.Errorf("%q timed out after %s and was ended", o.path, limit)}
	case result.Canceled:
		outcome.shown = &exitError{code: code, err: fmt.Errorf("%q was ended, because writ was told to end", o.path)}
	case code != exitYes:
		outcome.shown = childError(code)
	}
	return outcome
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
		return denial(code, path, denied.Verdict, denied.Reasons)
	}
	failure := &exitError{code: code, err: err}
	if hint := hostHint(err); hint != "" {
		failure = failure.hint("%s", hint)
	}
	return failure
}

// defaultLedger is the path of the user's own ledger: a run that is not recorded
// does not take place.
func defaultLedger() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return "", errors.New("no ledger given, and you have no home folder for one: --ledger FILE")
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "writ", "ledger.jsonl"), nil
}

func openLedger(o *runOptions, now func() time.Time) (*ledger.Ledger, error) {
	if o.ownLedger {
		if err := os.MkdirAll(filepath.Dir(o.ledger), 0o700); err != nil {
			return nil, err
		}
	}
	options, err := ledgerOptionsOf(o.worker, now)
	if err != nil {
		return nil, err
	}
	return ledger.Open(o.ledger, options)
}
