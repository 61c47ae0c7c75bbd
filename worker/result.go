package worker

import (
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Exit codes of a run, beside the runbook's own and 128+n for one that was ended
// by signal n.
const (
	ExitTimedOut    = 124
	ExitGateFailure = 125 // nothing was started, or the end could not be recorded
	ExitDenied      = 126 // by signature or policy
	ExitMissing     = 127 // the interpreter, or the runbook
	ExitCanceled    = 143 // the gate was told to stop and ended it: 128 and SIGTERM
)

// Result says how a run went. Its zero value stands for a run that did not take
// place.
type Result struct {
	// Started says that a process was started. Everything up to Warnings means
	// something only then.
	Started bool
	// Status is the exit code of the runbook, -1 if a signal ended it.
	Status int
	// Signal is the number of the signal that ended the runbook, 0 for none.
	Signal int
	// TimedOut and Canceled say why the gate ended the runbook: its time was up,
	// or the context ended.
	TimedOut, Canceled bool
	Duration           time.Duration
	// StdoutBytes and StderrBytes count what the runbook wrote, and the digests are of
	// all of it, whatever of it was delivered or logged. A secret counts as its mask.
	StdoutBytes, StderrBytes   int64
	StdoutDigest, StderrDigest runbook.Digest
	// Lines counts the lines of each stream.
	Lines LineCounts
	// StdoutLog and StderrLog are what is kept of it.
	StdoutLog, StderrLog Log
	// Warnings say what went wrong beside the run: output that could not be
	// delivered, a folder that could not be removed.
	Warnings []string

	// User is the account that it ran as, Sandbox the profile that confined it, and
	// Contained by what; empty where no start was recorded.
	User, Sandbox string
	Contained     []string

	// Decision, Start and End are the numbers of the run's records in the ledger,
	// 0 for one that was not written.
	Decision, Start, End uint64
	Verdict              verifier.Verdict
	Runbook, Payload     runbook.Digest
	// Manifest is the digest of the list of files that run with the payload; zero
	// for none.
	Manifest runbook.Digest
}

// logFacts are what result and record say about a log.
type logFacts struct {
	Stream string         `json:"stream"` // stdout, stderr
	Path   string         `json:"path"`
	Bytes  int64          `json:"bytes"`
	Cut    bool           `json:"cut"`
	SHA256 runbook.Digest `json:"sha256"`
}

func (r Result) logs() []logFacts {
	facts := []logFacts{}
	for _, l := range []struct {
		stream string
		log    Log
	}{{"stdout", r.StdoutLog}, {"stderr", r.StderrLog}} {
		if l.log.Path != "" {
			facts = append(facts, logFacts{l.stream, l.log.Path, l.log.Bytes, l.log.Cut, l.log.Digest})
		}
	}
	return facts
}

// ExitCode is the one place where the results of Run become an exit code. err
// may also be one that prevented the call of Run: of Record, of the verifier
// (*verifier.UnverifiedError is a denial), of the policy, or any other, which is
// a failure of the gate. The zero Result without an error is one as well.
func ExitCode(r Result, err error) int {
	var denied *DeniedError
	var unverified *verifier.UnverifiedError
	var refused *policy.ArgumentError
	var missing *InterpreterError
	switch {
	case r.Started && err != nil:
		return ExitGateFailure
	case errors.As(err, &denied), errors.As(err, &unverified), errors.As(err, &refused):
		return ExitDenied
	case errors.As(err, &missing), errors.Is(err, ErrNoRunbook):
		return ExitMissing
	case err != nil || !r.Started:
		return ExitGateFailure
	case r.TimedOut:
		return ExitTimedOut
	case r.Signal > 0:
		return 128 + r.Signal
	case r.Canceled:
		return ExitCanceled
	case r.Status < 0:
		return ExitGateFailure
	}
	return r.Status
}

// Codes are the stable words for why the gate made the exit code: those of the
// policy's reasons for a denial, else one of the gate's own. Empty where the
// runbook made it.
func Codes(r Result, err error) []string {
	var denied *DeniedError
	if !r.Started && errors.As(err, &denied) {
		codes := []string{}
		for _, reason := range denied.Reasons {
			codes = append(codes, reason.Code)
		}
		if len(codes) > 0 {
			return codes
		}
		return []string{"denied"}
	}
	if err != nil {
		return []string{failureCode(err)}
	}
	switch {
	case !r.Started:
		return []string{"not-started"}
	case r.TimedOut:
		return []string{"timed-out"}
	case r.Canceled:
		return []string{"canceled"}
	case r.Status < 0 && r.Signal == 0:
		return []string{"not-known"}
	}
	return []string{}
}

// failureCode is the gate's own word for an error.
func failureCode(err error) string {
	var (
		unverified  *verifier.UnverifiedError
		refused     *policy.ArgumentError
		interpreter *InterpreterError
		record      *LedgerError
		permit      *PermitError
		environment *EnvironmentError
		obligation  *ObligationError
		account     *AccountError
		start       *StartError
		log         *LogError
		system      *SystemError
		syntax      *policy.SyntaxError
		folder      *policy.FolderError
	)
	switch {
	case errors.As(err, &record), errors.Is(err, ErrNoLedger):
		return "ledger"
	case errors.As(err, &unverified):
		return "unverified"
	case errors.As(err, &refused):
		return "arguments"
	case errors.As(err, &interpreter):
		return "interpreter"
	case errors.Is(err, ErrNoRunbook):
		return "runbook-missing"
	case errors.As(err, &permit):
		return "permit"
	case errors.As(err, &environment):
		return "environment"
	case errors.As(err, &obligation):
		return "obligation"
	case errors.As(err, &account):
		return "account"
	case errors.As(err, &start):
		return "start"
	case errors.As(err, &log):
		return "log"
	case errors.As(err, &system):
		return "system"
	case errors.As(err, &syntax):
		return "policy-syntax"
	case errors.Is(err, policy.ErrTooLarge):
		return "policy-too-large"
	case errors.As(err, &folder) && errors.Is(err, fs.ErrNotExist):
		return "policy-missing"
	case errors.As(err, &folder):
		return "policy-folder"
	}
	return "gate"
}

// resultVersion is the version of the document that EncodeResult writes.
const resultVersion = 1

// Origins of an exit code.
const (
	originGate    = "gate"
	originRunbook = "runbook"
)

// EncodeResult writes the document that says who made the exit code, and why, as
// one line of JSON in ASCII: docs/formats/result.md.
func EncodeResult(r Result, err error) ([]byte, error) {
	doc := struct {
		Version       int              `json:"version"`
		Origin        string           `json:"origin"`
		Exit          int              `json:"exit"`
		Codes         []string         `json:"codes"`
		Error         string           `json:"error"`
		Verdict       verifier.Verdict `json:"verdict"`
		Digest        runbook.Digest   `json:"digest"`
		PayloadDigest runbook.Digest   `json:"payload_digest"`
		Manifest      runbook.Digest   `json:"manifest_digest,omitzero"`
		DecisionID    uint64           `json:"decision_id"`
		StartID       uint64           `json:"start_id"`
		EndID         uint64           `json:"end_id"`
		Started       bool             `json:"started"`
		Status        *int             `json:"status"`
		Signal        int              `json:"signal"`
		TimedOut      bool             `json:"timed_out"`
		Canceled      bool             `json:"canceled"`
		DurationMS    int64            `json:"duration_ms"`
		StdoutBytes   int64            `json:"stdout_bytes"`
		StderrBytes   int64            `json:"stderr_bytes"`
		State         State            `json:"state"`
		Exception     string           `json:"exception"`
		StdoutSHA256  runbook.Digest   `json:"stdout_sha256"`
		StderrSHA256  runbook.Digest   `json:"stderr_sha256"`
		Lines         LineCounts       `json:"lines"`
		User          string           `json:"user"`
		Sandbox       string           `json:"sandbox"`
		Contained     []string         `json:"contained"`
		Logs          []logFacts       `json:"logs"`
		Warnings      []string         `json:"warnings"`
	}{
		Version: resultVersion, Origin: originGate, Exit: ExitCode(r, err), Codes: Codes(r, err),
		Verdict: r.Verdict, Digest: r.Runbook, PayloadDigest: r.Payload, Manifest: r.Manifest,
		DecisionID: r.Decision, StartID: r.Start, EndID: r.End,
		Started: r.Started, Signal: r.Signal, TimedOut: r.TimedOut, Canceled: r.Canceled,
		DurationMS: r.Duration.Milliseconds(), StdoutBytes: r.StdoutBytes, StderrBytes: r.StderrBytes,
		State: StateOf(r, err), Exception: Exception(r, err),
		StdoutSHA256: r.StdoutDigest, StderrSHA256: r.StderrDigest, Lines: r.Lines, Logs: r.logs(),
		User: r.User, Sandbox: r.Sandbox, Contained: append([]string{}, r.Contained...),
		Warnings: append([]string{}, r.Warnings...),
	}
	if err != nil {
		doc.Error = err.Error()
	}
	if len(doc.Codes) == 0 {
		doc.Origin = originRunbook
	}
	if r.Started && r.Status >= 0 {
		doc.Status = &r.Status
	}
	line, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return append(ledger.ASCII(line), '\n'), nil
}
