package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

func TestStateAndException(t *testing.T) {
	t.Parallel()
	ran := worker.Result{Started: true}
	for name, c := range map[string]struct {
		result    worker.Result
		err       error
		state     worker.State
		exception string
	}{
		"nothing happened":       {worker.Result{}, nil, worker.Suspended, "Nothing was started."},
		"it ended":               {ran, nil, worker.Completed, ""},
		"it ended with a code":   {worker.Result{Started: true, Status: 3}, nil, worker.Failed, "The runbook ended with exit code 3."},
		"a signal ended it":      {worker.Result{Started: true, Status: -1, Signal: 9}, nil, worker.Failed, "The runbook was ended by signal 9."},
		"its end is not known":   {worker.Result{Started: true, Status: -1}, nil, worker.Failed, "How the runbook ended is not known."},
		"its time was up":        {worker.Result{Started: true, TimedOut: true}, nil, worker.Failed, "The runbook was ended: its time was up."},
		"it was told to end":     {worker.Result{Started: true, Canceled: true, Status: 0}, nil, worker.Stopped, ""},
		"it was told, and died":  {worker.Result{Started: true, Canceled: true, Status: -1, Signal: 15}, nil, worker.Stopped, ""},
		"told before it began":   {worker.Result{}, context.Canceled, worker.Stopped, ""},
		"an end not recorded":    {ran, &worker.LedgerError{Type: ledger.TypeEnd, Err: errors.New("full")}, worker.Failed, "record the end: full"},
		"a start not recorded":   {worker.Result{}, &worker.LedgerError{Type: ledger.TypeStart, Err: errors.New("full")}, worker.Suspended, "record the start: full"},
		"a stop not recorded":    {worker.Result{Started: true, Canceled: true}, &worker.LedgerError{Type: ledger.TypeEnd, Err: errors.New("full")}, worker.Failed, "record the end: full"},
		"no signature":           {worker.Result{}, &worker.DeniedError{Verdict: verifier.Unsigned}, worker.Failed, "The runbook signature is invalid."},
		"an unverified runbook":  {worker.Result{}, fmt.Errorf("x: %w", &verifier.UnverifiedError{Report: &verifier.Report{}}), worker.Failed, "The runbook signature is invalid."},
		"a denial by policy":     {worker.Result{}, &worker.DeniedError{Verdict: verifier.Valid, Reasons: []policy.Reason{{Code: "no-rule", Msg: "no rule lets it run"}}}, worker.Failed, "denied: no rule lets it run (no-rule)"},
		"no trust":               {worker.Result{}, fmt.Errorf("x: %w", verifier.ErrNoTrust), worker.Suspended, "Signature validation failed. No GPG keyring was found in the configuration."},
		"a kind that is not run": {worker.Result{}, &worker.InterpreterError{Kind: runbook.Unknown, Reason: "x"}, worker.Failed, "This runbook type isn't supported by Linux hybrid workers."},
		"no interpreter":         {worker.Result{}, &worker.InterpreterError{Kind: runbook.PowerShell, Reason: "x"}, worker.Failed, "This runbook type isn't supported on this host."},
		"a broken interpreter":   {worker.Result{}, &worker.InterpreterError{Kind: runbook.Bash, Path: "/x", Reason: "x"}, worker.Failed, "This runbook type isn't supported on this host."},
		"an obligation":          {worker.Result{}, &worker.ObligationError{Name: "sandbox", Value: "strict", Reason: "x"}, worker.Suspended, `the policy obliges to sandbox "strict": x`},
	} {
		if state := worker.StateOf(c.result, c.err); state != c.state || !state.Final() {
			t.Errorf("%s: %s, want %s", name, state, c.state)
		}
		if exception := worker.Exception(c.result, c.err); exception != c.exception {
			t.Errorf("%s: %q, want %q", name, exception, c.exception)
		}
	}
	if worker.Queued.Final() || worker.Running.Final() {
		t.Error("a job stays where it does not")
	}
}
