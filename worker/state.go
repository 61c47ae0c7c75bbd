package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// State is the state of a job, in the words of hybrid runbook workers.
type State string

// The states of a job. A job begins Queued, may become Running, and ends in one of the
// other four.
const (
	// Queued: Run has taken the job, and nothing is started yet.
	Queued State = "Queued"
	// Running: a process was started.
	Running State = "Running"
	// Completed: the runbook ended by itself, with exit code 0, and that is recorded.
	Completed State = "Completed"
	// Failed: the runbook was denied, ended in another way, took too long, or cannot be
	// run on this machine; or what became of it could not be recorded, or was lost.
	Failed State = "Failed"
	// Stopped: the worker was told to end it, or not to begin.
	Stopped State = "Stopped"
	// Suspended: nothing was started because of the gate or its machine, not of the
	// runbook. It can be asked for again when that is mended.
	Suspended State = "Suspended"
)

// Final says whether a job stays in this state.
func (s State) Final() bool { return s != Queued && s != Running }

// StateOf is the state in which a job has ended, of the same two values that ExitCode
// takes. The zero Result without an error is Suspended: nothing was started.
func StateOf(r Result, err error) State {
	switch code := ExitCode(r, err); {
	case r.Canceled && err == nil, !r.Started && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return Stopped
	case errors.Is(err, errLost): // perhaps it was started
		return Failed
	case code == ExitGateFailure && !r.Started:
		return Suspended
	case code == 0:
		return Completed
	}
	return Failed
}

// Exception says why a job did not complete, in the words of hybrid runbook workers
// where they have some; "" where it did, or was stopped.
func Exception(r Result, err error) string {
	var denied *DeniedError
	var unverified *verifier.UnverifiedError
	var missing *InterpreterError
	switch {
	case errors.As(err, &unverified), errors.As(err, &denied) && denied.Verdict != verifier.NotChecked && denied.Verdict != verifier.Valid:
		return "The runbook signature is invalid."
	case errors.Is(err, verifier.ErrNoTrust):
		return "Signature validation failed. No GPG keyring was found in the configuration."
	case errors.As(err, &missing) && missing.Path == "" && !runs(missing.Kind):
		return "This runbook type isn't supported by Linux hybrid workers."
	case errors.As(err, &missing):
		return "This runbook type isn't supported on this host."
	case StateOf(r, err) == Stopped:
		return ""
	case err != nil:
		return err.Error()
	case !r.Started:
		return "Nothing was started."
	case r.TimedOut:
		return "The runbook was ended: its time was up."
	case r.Signal > 0:
		return fmt.Sprintf("The runbook was ended by signal %d.", r.Signal)
	case r.Status < 0:
		return "How the runbook ended is not known."
	case r.Status > 0:
		return fmt.Sprintf("The runbook ended with exit code %d.", r.Status)
	}
	return ""
}

// runs says whether runbooks of a kind are run at all.
func runs(kind runbook.Kind) bool {
	_, known := languages[kind]
	return known
}

// states tells a caller the states of a job, in their order, and never waits for it
// but at the end.
type states struct {
	queue chan State
	told  chan struct{}
}

// deliveryLimit is how long Run waits, when its time is up or its context has ended,
// for a writer that does not take the last output, and for who is told its last state.
const deliveryLimit = 2 * time.Second

// mostStates is how many states a job has at most, one after the other.
const mostStates = 3

// newStates begins to tell; tell may be nil.
func newStates(tell func(State)) *states {
	s := &states{queue: make(chan State, mostStates), told: make(chan struct{})}
	if tell == nil {
		tell = func(State) {}
	}
	go func() {
		defer close(s.told)
		for state := range s.queue {
			tell(state)
		}
	}()
	return s
}

// enter tells a state that is not the last one.
func (s *states) enter(state State) { s.queue <- state }

// end tells the last state. It does not wait for ever until the caller has heard it.
func (s *states) end(state State) {
	s.queue <- state
	close(s.queue)
	timer := time.NewTimer(deliveryLimit)
	defer timer.Stop()
	select {
	case <-s.told:
	case <-timer.C:
	}
}
