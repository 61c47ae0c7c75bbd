package worker

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/runwrit/writ/internal/account"
	"github.com/runwrit/writ/internal/cgroup"
	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker/broker"
)

// DefaultGrace is how long a process group that was told to end may take before
// it is killed.
const DefaultGrace = 10 * time.Second

// Options are the parts of a Worker. Ledger and Stage are required.
type Options struct {
	// Stage starts the runbooks; Enter returns it.
	Stage Stage
	// Ledger takes the records. If it fails, nothing runs.
	Ledger ledger.Sink
	// Uses counts what may be used only so often. Without it nothing runs that uses
	// such a thing.
	Uses Uses
	// Tokens gives the tokens that the policy grants to runbooks. Without it nothing
	// runs that is granted any.
	Tokens *broker.Broker
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Grace is how long a process group may take to end after SIGTERM;
	// DefaultGrace if 0.
	Grace time.Duration
	// User is the account that runbooks run as where the policy names none: "user",
	// "DOMAIN\\user" or "user@domain". It is never root, by whatever name. "" is the
	// gate's own account, and DefaultUser for root's gate.
	User string
	// Interpreters names the program for a kind, in place of the one that is looked
	// for in Path; for Perl, Ruby and JavaScript none is looked for.
	Interpreters map[runbook.Kind]Interpreter
	// LookupEnv gives the gate's own environment, of which the policy may pass
	// variables on; os.LookupEnv if nil.
	LookupEnv func(name string) (value string, found bool)
	// TempDir is where the private folder of a run is made; os.TempDir() if "".
	TempDir string
	// RunsDir is the register of the runs of this ledger that are under way, a folder
	// that is made where it is missing; Recover looks there for those that were lost.
	// Without it none are found.
	RunsDir string
	// Logs says where the output of runs is kept; nowhere by default.
	Logs Logs
	// Sandbox is for the profile strict.
	Sandbox Sandbox
	// WithoutBubblewrap has the profile standard do without bwrap where the host has it,
	// for runbooks that share temporary files with other programs.
	WithoutBubblewrap bool
}

// ErrNoLedger is what New says, and every method of a Worker that New did not
// make.
var ErrNoLedger = errors.New("no ledger: a run that is not recorded does not take place")

// Worker records decisions and runs runbooks. It is safe for use by several
// goroutines.
type Worker struct {
	ledger       ledger.Sink
	uses         Uses
	tokens       *broker.Broker
	now          func() time.Time
	timer        func(time.Duration) (c <-chan time.Time, stop func() bool)
	grace        time.Duration
	interpreters map[runbook.Kind]Interpreter
	user         string
	accounts     account.Database
	lookupEnv    func(string) (string, bool)
	tempDir      string
	runsDir      string
	logs         Logs
	stage        Stage
	sandbox      Sandbox
	groups       func() (*cgroup.Parent, error)

	withoutBubblewrap bool
}

// New returns a Worker. It fails with ErrNoLedger or ErrNoStage; with *SandboxError; with
// *InterpreterError for a row of Interpreters that has no absolute path, or is for a kind
// that is never run; with *AccountError if User does not name an account; or with
// *LogError for Logs that make no sense.
func New(o Options) (*Worker, error) {
	if o.Ledger == nil {
		return nil, ErrNoLedger
	}
	if o.Stage == (Stage{}) {
		return nil, ErrNoStage
	}
	if err := o.Sandbox.check(); err != nil {
		return nil, err
	}
	if bad := account.Problem(o.User); o.User != "" && bad != "" {
		return nil, &AccountError{o.User, bad}
	}
	if err := checkInterpreters(o.Interpreters); err != nil {
		return nil, err
	}
	if err := o.Logs.problem(); err != nil {
		return nil, err
	}
	w := &Worker{
		ledger: o.Ledger, uses: o.Uses, tokens: o.Tokens, now: o.Now, grace: o.Grace, lookupEnv: o.LookupEnv, tempDir: o.TempDir, runsDir: o.RunsDir,
		interpreters: maps.Clone(o.Interpreters), logs: o.Logs, stage: o.Stage, user: o.User, accounts: account.System(),
		sandbox:           Sandbox{slices.Clone(o.Sandbox.Read), slices.Clone(o.Sandbox.Write), o.Sandbox.Limits, o.Sandbox.Cgroup},
		groups:            sync.OnceValues(func() (*cgroup.Parent, error) { return cgroup.Find(o.Sandbox.Cgroup) }),
		withoutBubblewrap: o.WithoutBubblewrap, timer: newTimer,
	}
	if w.now == nil {
		w.now = time.Now
	}
	if w.grace <= 0 {
		w.grace = DefaultGrace
	}
	if w.lookupEnv == nil {
		w.lookupEnv = os.LookupEnv
	}
	if w.tempDir == "" {
		w.tempDir = os.TempDir()
	}
	return w, nil
}

func newTimer(d time.Duration) (c <-chan time.Time, stop func() bool) {
	t := time.NewTimer(d)
	return t.C, t.Stop
}

// Job is one run that is asked for.
type Job struct {
	// Decision is the recorded decision that permits the run. It permits one.
	Decision *Recorded
	// Runbook is the runbook that was decided on. It may be nil where the
	// decision denies.
	Runbook *verifier.Verified
	// Stdin of the runbook; /dev/null if nil.
	Stdin *os.File
	// Stdout and Stderr take what the runbook writes; nil discards it. A writer
	// that is both gets one write at a time. A writer that blocks stops the
	// runbook; one that fails closes the runbook's output. Secrets are masked.
	Stdout, Stderr io.Writer
	// OnLine is called with each line, one at a time; one that blocks stops the
	// runbook. It may be nil.
	OnLine func(Line)
	// OnState is called with each state of the job, in their order, from another
	// goroutine: the run does not wait for it, but Run does so for the last one, for
	// two seconds at most. It may be nil.
	OnState func(State)
	// Dir is the working directory, absolute; if "", a fresh private folder that
	// is removed after the run.
	Dir string
}

// Run runs the runbook of job and waits for its end. Without an error the
// runbook was started and has ended, however it ended: see Result. When ctx ends,
// the process group is told to end, and killed after the grace.
//
// An error says that nothing was started, unless Result.Started is set: then the
// end of the run could not be recorded (*LedgerError). The other errors:
// *DeniedError, *PermitError, *EnvironmentError, *ObligationError,
// *AccountError, *InterpreterError, *LedgerError, *LogError, *StartError, *SystemError,
// ErrNoLedger, or that of ctx. ExitCode makes an exit code of both results, StateOf a
// state.
func (w *Worker) Run(ctx context.Context, job Job) (Result, error) {
	s := newStates(job.OnState)
	job.OnState = s.enter
	s.enter(Queued)
	res, err := w.run(ctx, job)
	s.end(StateOf(res, err))
	return res, err
}

func (w *Worker) run(ctx context.Context, job Job) (Result, error) {
	if w == nil || w.ledger == nil {
		return Result{}, ErrNoLedger
	}
	res := job.Decision.result()
	p, err := w.plan(job)
	if err != nil {
		return res, err
	}
	if err := ctx.Err(); err != nil {
		return res, err
	}
	o, err := w.register(ctx, p)
	if err != nil {
		return res, err
	}
	open := false                        // whether the ledger holds a start without an end
	defer func() { _ = o.done(!open) }() // what is left in the register Recover removes
	c, err := w.contain(ctx, p, job)
	if err != nil {
		return res, err
	}
	if res.Start, err = w.recordStart(ctx, p, c); err != nil {
		return res, errors.Join(err, c.close())
	}
	open = true
	res.User, res.Sandbox, res.Contained = p.user.String(), c.profile, c.by
	c.tokens.started(res.Start)
	begun := w.now()
	failed := c.launch(ctx, p, job, &res)
	res.Duration = max(0, w.now().Sub(begun))
	res.Warnings = append(res.Warnings, c.tokens.close()...)
	if err := c.close(); err != nil {
		res.Warnings = append(res.Warnings, err.Error())
	}
	// The end is recorded also when ctx is what ended the run.
	if err := w.recordEnd(context.WithoutCancel(ctx), &res, failed); err != nil {
		return res, errors.Join(failed, err)
	}
	open = false
	return res, failed
}
