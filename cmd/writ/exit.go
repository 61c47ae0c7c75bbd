package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/worker"
)

// Exit codes of all commands but run.
const (
	exitYes       = 0 // valid, allowed, signed, chain intact
	exitNo        = 1 // anything else that the inputs decide
	exitMalformed = 2 // the question itself: flags, arguments, configuration, policy syntax
	exitNoAnswer  = 3 // on the operator's side: I/O, a trust store that cannot be read
)

// exitError is an error that knows its code and may have hints for the user. A
// hint never says to trust more.
type exitError struct {
	code  int
	err   error
	hints []string
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

// no says that the answer is no: the inputs were read and decide so.
func no(format string, args ...any) *exitError {
	return &exitError{code: exitNo, err: fmt.Errorf(format, args...)}
}

// noAnswer says that there is no answer, for a reason on the operator's side.
func noAnswer(err error) *exitError { return &exitError{code: exitNoAnswer, err: err} }

func (e *exitError) hint(format string, args ...any) *exitError {
	e.hints = append(e.hints, fmt.Sprintf(format, args...))
	return e
}

// usageError says that the question is malformed.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitCode is the one place where an error becomes an exit code, for all
// commands but run.
func exitCode(err error) int {
	var known *exitError
	var usage usageError
	var key *signer.KeyError
	var unavailable *signer.UnavailableError
	var gpg *gpgError
	switch {
	case err == nil:
		return exitYes
	case errors.As(err, &unavailable): // whoever keeps the key is the operator's side
		return exitNoAnswer
	case errors.As(err, &gpg):
		return gpg.code
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &usage), errors.As(err, &key):
		return exitMalformed
	case isRefusal(err):
		return exitNo
	}
	return exitNoAnswer
}

// isRefusal says that an error is an answer about the inputs, not about the
// machine.
func isRefusal(err error) bool {
	var input *signer.InputError
	var self *signer.SelfCheckError
	var exists *signer.ExistsError
	var hopeless *signer.UnrepairableError
	var tooLarge *runbook.SizeError
	var project *format.ProjectError
	return errors.As(err, &input) || errors.As(err, &self) || errors.As(err, &exists) || errors.As(err, &hopeless) || errors.As(err, &tooLarge) ||
		errors.As(err, &project) || errors.Is(err, runbook.ErrName) || errors.Is(err, runbook.ErrNotRegular) || errors.Is(err, runbook.ErrSet)
}

// printError writes one "error:" line, then a "hint:" line for each hint.
func printError(w io.Writer, err error) {
	var child childError
	var gpg *gpgError
	switch {
	case errors.As(err, &child):
		return
	case errors.As(err, &gpg):
		writeAsGPG(w, gpg.lines)
		return
	}
	printWithHints(w, "error", err)
}

func printWithHints(w io.Writer, word string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", word, render.Escape(err.Error()))
	for _, h := range hintsOf(err) {
		fmt.Fprintf(&b, "hint: %s\n", render.Escape(h))
	}
	_, _ = io.WriteString(w, b.String()) // nobody is left to tell
}

func hintsOf(err error) []string {
	var known *exitError
	var input *signer.InputError
	var stamp *signer.TimestampError
	switch {
	case errors.As(err, &known):
		return known.hints
	case errors.As(err, &input) && input.Fix != "":
		return []string{input.Fix}
	case errors.As(err, &stamp):
		return []string{"nothing was signed: try again later, or name one more authority: --timestamp URL,URL"}
	}
	return nil
}

// answerOn is the answer on several files, of which some failed: each failure is
// a note, with its hints, and the worst decides the exit code.
func (a *app) answerOn(files int, failures []error, format string, args ...any) error {
	switch {
	case len(failures) == 0:
		return nil
	case files == 1:
		return failures[0]
	}
	worst := exitNo
	for _, err := range failures {
		printWithHints(a.stderr, "note", err)
		worst = max(worst, exitCode(err))
	}
	return &exitError{code: worst, err: fmt.Errorf(format, args...)}
}

// childError says that the runbook was started and ended with this code. There is
// nothing to add to what it wrote itself.
type childError int

func (e childError) Error() string { return fmt.Sprintf("the runbook ended with exit code %d", int(e)) }

// runExitCode is exitCode for run, where 0 to 3 are the runbook's own. What
// worker.ExitCode did not put a number to is a failure of the gate, and nothing
// was started.
func runExitCode(err error) int {
	var child childError
	var known *exitError
	switch {
	case err == nil:
		return exitYes
	case errors.As(err, &child):
		return int(child)
	case errors.As(err, &known) && known.code >= worker.ExitTimedOut:
		return known.code
	}
	return worker.ExitGateFailure
}
