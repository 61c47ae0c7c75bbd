package worker

import (
	"errors"
	"fmt"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// ErrNoRunbook says that there is no file to verify. Run never returns it: it is
// for callers who read the file, so that ExitCode knows it.
var ErrNoRunbook = errors.New("there is no such runbook")

// errNoNumber: a Sink that reports success without a number has not recorded.
var errNoNumber = errors.New("the sink gave the record no number")

// DeniedError says that the recorded decision does not permit the run.
type DeniedError struct {
	Verdict verifier.Verdict
	Reasons []policy.Reason
}

func (e *DeniedError) Error() string {
	if len(e.Reasons) == 0 {
		return "denied: the decision carries no permit"
	}
	r := e.Reasons[0]
	text := fmt.Sprintf("denied: %s (%s)", r.Msg, r.Code)
	if n := len(e.Reasons) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}

// PermitError says that permit, decision and runbook do not fit together, or
// that the permit has lapsed or was used.
type PermitError struct{ Reason string }

func (e *PermitError) Error() string { return "the permit does not hold: " + e.Reason }

// EnvironmentError says that the policy lists a variable that a runbook never
// gets.
type EnvironmentError struct{ Name, Reason string }

func (e *EnvironmentError) Error() string {
	return fmt.Sprintf("environment variable %q: %s", e.Name, e.Reason)
}

// ObligationError says that the policy wants a run to be held to something that
// this worker cannot do; nothing was started.
type ObligationError struct{ Name, Value, Reason string }

func (e *ObligationError) Error() string {
	return fmt.Sprintf("the policy obliges to %s %q: %s", e.Name, e.Value, e.Reason)
}

// AccountError says that a run cannot take place as the account that Options.User
// names, or that is the default; nothing was started.
type AccountError struct{ Account, Reason string }

func (e *AccountError) Error() string {
	if e.Account == "" {
		return "run as: " + e.Reason
	}
	return fmt.Sprintf("run as %s: %s", e.Account, e.Reason)
}

// InterpreterError says that there is no interpreter for the runbook's kind.
type InterpreterError struct {
	Kind   runbook.Kind
	Path   string // where it was looked for; may be empty
	Reason string
}

func (e *InterpreterError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("interpreter for %s: %s", e.Kind, e.Reason)
	}
	return fmt.Sprintf("interpreter for %s at %q: %s", e.Kind, e.Path, e.Reason)
}

// LedgerError says that a record could not be written. Nothing was started,
// unless it is the record of the end.
type LedgerError struct {
	Type ledger.Type
	Err  error
}

func (e *LedgerError) Error() string { return fmt.Sprintf("record the %s: %v", e.Type, e.Err) }

// Unwrap returns the cause.
func (e *LedgerError) Unwrap() error { return e.Err }

// StartError says that the system refused something that a run needs; nothing
// was started.
type StartError struct {
	Doing string
	Err   error
}

func (e *StartError) Error() string { return fmt.Sprintf("%s: %v", e.Doing, e.Err) }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// LogError says that the log of a run cannot be made as Options.Logs want it; nothing
// was started.
type LogError struct {
	Dir string
	Err error
}

func (e *LogError) Error() string { return fmt.Sprintf("make a log in %q: %v", e.Dir, e.Err) }

// Unwrap returns the cause.
func (e *LogError) Unwrap() error { return e.Err }

// SystemError says that runbooks cannot be run on this operating system yet.
type SystemError struct{ OS string }

func (e *SystemError) Error() string {
	return fmt.Sprintf("running runbooks on %s is not supported yet: only linux is", e.OS)
}
