// Package worker runs a runbook that was verified and allowed: the bytes that
// were verified, with the arguments that were decided on, and nothing else. It
// is what another program embeds to run runbooks behind the gate.
//
// Record writes a decision to the ledger, Run runs what it permits. What Run
// promises on Linux: nothing starts without a permit of a policy.Engine that has
// not lapsed, a recorded decision, and a start record on disk; the interpreter
// reads the payload from a sealed memory file that nobody can change, from a read-only
// root folder, or with all files of its set from a private folder; no argument
// is parsed by a shell; the environment holds only what the package sets and what
// the policy lists; nothing of the gate's open files reaches the runbook; it is confined
// as the policy says, runs as the account that the policy says, and as root only if that
// is named; and when Run returns, every process that it has started is gone, whatever
// it did, but what it started by sudo as another user in the profile none. Elsewhere Run
// refuses with *SystemError.
//
// What it does not promise: the network is the host's. Outside of the profile strict a
// runbook sees the files of its user, and a PowerShell runbook, and a set, are read from a
// private copy, which root and processes of the gate's user could change before it was
// read. In the profile none it can do what its user can, to the gate, too, if that is the
// gate's own. docs/worker.md says more.
//
// # A program that embeds it
//
// The first call in main is Enter: a Worker starts each runbook through its own program,
// executed again. New makes one Worker for the life of the program. For each job: read
// the file once (package runbook), verify it (verifier), ask the policy, Record the
// decision, whatever it is, and Run what it permits. The example of the package shows
// the whole way, examples/embed and examples/agent are programs. Recover, at the
// program's start, closes the runs of one that was killed.
//
// # Results and errors
//
// Run returns a Result and an error, and three functions make of both what writ run
// shows: ExitCode, StateOf and EncodeResult. Without an error the runbook was started
// and has ended, however it ended. With an error nothing was started, unless
// Result.Started says so: then its end could not be recorded. By type:
//
//	*DeniedError       the recorded decision denies
//	*PermitError       decision, permit and runbook do not fit, or the permit has lapsed or was used
//	*ObligationError   this host or this worker cannot do what the policy obliges to
//	*AccountError      the account to run as is not what it must be
//	*EnvironmentError  the policy lists a variable that a runbook never gets
//	*InterpreterError  there is no interpreter for runbooks of this kind
//	*LedgerError       a record could not be written
//	*LogError          a log could not be made
//	*StartError        the system refused something else that a run needs
//	*SystemError       this is not Linux
//
// ErrNoLedger and ErrNoStage are of New, and of a Worker that New did not make; if the
// context has ended before the start, the error is the context's. *verifier.UnverifiedError
// and ErrNoRunbook are for what comes before Run: ExitCode knows them, too. Other errors
// of this package come from the method that names them.
//
// # Goroutines, and what holds a run up
//
// A Worker is safe for any number of goroutines, and has no limit of runs at one time; a
// Recorded is good for one run, whoever comes first. There is no state beside the Worker:
// two of them share nothing but the ledger, if they are given the same, and that orders them. Job.Stdout,
// Job.Stderr, Job.OnLine and Job.OnState are called from goroutines of the run: OnLine
// never twice at a time, nor a writer that is both Stdout and Stderr; OnState in the
// order of the states.
//
// A writer or an OnLine that blocks holds up the runbook, as a full pipe does, and never
// its logs, its time limit or, for longer than that limit, Run; after a stop, two
// seconds. One that is still at work then is left to itself, and Run's Warnings say so:
// do not use again what it writes to.
//
// # Stopping a run
//
// When the context of Run ends, the runbook is told to end (SIGTERM to its process
// group), and after Options.Grace everything is killed. Run returns when nothing is left
// of it and the end is recorded, without an error: Result.Canceled is set, and StateOf
// is Stopped.
package worker
