package worker

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/runwrit/writ/ledger"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// recordVersion is the version of the bodies of records; docs/formats/ledger.md.
const recordVersion = 1

// Evidence is a decision with what it rests on.
type Evidence struct {
	// Report holds the facts about the file; required.
	Report *verifier.Report
	// Input is what the policy was asked; the zero value where the question
	// could not be put.
	Input    policy.Input
	Decision policy.Decision
	// DryRun says that nothing will be run, whatever the decision.
	DryRun bool
}

// Recorded is a decision that is in the ledger. Only Record makes one; the zero
// value permits nothing. It permits at most one run.
type Recorded struct {
	seq      uint64
	decision policy.Decision
	dryRun   bool
	file     string // name of the signed file
	verdict  verifier.Verdict
	digest   runbook.Digest
	set      runbook.Digest
	payload  runbook.Digest
	secrets  []string // values of arguments that must not be shown
	used     atomic.Bool
}

// ID is the number of the decision's record in the ledger.
func (r *Recorded) ID() uint64 { return r.seq }

// permit returns the permit of the decision; it fails with *DeniedError or
// *PermitError.
func (r *Recorded) permit() (*policy.Permit, error) {
	if r == nil || r.seq == 0 {
		return nil, &PermitError{"the decision was not recorded"}
	}
	if r.dryRun {
		return nil, &PermitError{"the decision was made for a dry run"}
	}
	permit, err := r.decision.Permit()
	if err != nil {
		return nil, &DeniedError{Verdict: r.verdict, Reasons: r.decision.Deny}
	}
	return permit, nil
}

// use reports whether this is the first use.
func (r *Recorded) use() bool { return r.used.CompareAndSwap(false, true) }

func (r *Recorded) result() Result {
	if r == nil {
		return Result{}
	}
	return Result{Decision: r.seq, Verdict: r.verdict, Runbook: r.digest, Payload: r.payload, Manifest: r.set}
}

// Record writes a decision, of either kind, to the ledger. A decision that could
// not be recorded permits nothing, and one that uses up what has been used is recorded
// as a denial: what it uses is gone before anything is written. It fails with *LedgerError, or with
// *PermitError where decision, input and report are not about the same file.
func (w *Worker) Record(ctx context.Context, e Evidence) (*Recorded, error) {
	if w == nil || w.ledger == nil {
		return nil, ErrNoLedger
	}
	rep, d := e.Report, e.Decision
	switch {
	case rep == nil || rep.Name == "" || rep.File.IsZero():
		return nil, &PermitError{"there is no report about a file"}
	case d.Runbook != rep.File && (d.Allow || !d.Runbook.IsZero()):
		return nil, &PermitError{"the decision is about another file than the report"}
	case d.Allow && d.Manifest != listOf(rep):
		return nil, &PermitError{"the decision is about another set of files than the report"}
	case e.Input.Version != "" && e.Input.Runbook.SHA256 != rep.File:
		return nil, &PermitError{"the policy was asked about another file than the report's"}
	case d.Allow && (rep.Verdict != verifier.Valid || e.Input.Version == ""):
		return nil, &PermitError{"the decision allows what is not verified, or what the policy was not asked about"}
	}
	if !e.DryRun {
		var err error
		if e.Decision, err = w.take(d); err != nil {
			return nil, err
		}
		d = e.Decision
	}
	body, err := decisionOf(e)
	if err != nil {
		return nil, &LedgerError{ledger.TypeDecision, err}
	}
	event := ledger.Event{Type: ledger.TypeDecision, Body: body, Behind: deniedByClock(d)}
	seq, err := w.append(ctx, event)
	var unfit *ledger.EventError
	if errors.As(err, &unfit) && !body.Allow {
		// A hostile file must not keep its own denial out of the ledger by what
		// there is to say about it.
		event.Body = body.brief()
		seq, err = w.append(ctx, event)
	}
	if err != nil {
		return nil, err
	}
	return &Recorded{
		seq: seq, decision: d, dryRun: e.DryRun,
		file: rep.Name, verdict: rep.Verdict, digest: rep.File, payload: rep.Payload, set: listOf(rep),
		secrets: secretsOf(e),
	}, nil
}

// listOf is the digest of the list of files that a runbook was judged with, zero
// for one that was judged by itself, and for one that is not valid.
func listOf(r *verifier.Report) runbook.Digest {
	if r.Set == nil {
		return runbook.Digest{}
	}
	return r.Set.List
}

// deniedByClock says that the decision denies because the clock is behind the
// ledger: there is no other time to record it with than that of the last record.
func deniedByClock(d policy.Decision) bool {
	return !d.Allow && slices.ContainsFunc(d.Deny, func(r policy.Reason) bool { return r.Code == policy.CodeClock })
}

func (w *Worker) append(ctx context.Context, e ledger.Event) (uint64, error) {
	seq, err := w.ledger.Append(ctx, e)
	if err == nil && seq == 0 {
		err = errNoNumber
	}
	if err != nil {
		return 0, &LedgerError{Type: e.Type, Err: err}
	}
	return seq, nil
}

// fileFacts are the part of the bodies that says which file it is about.
type fileFacts struct {
	Name          string         `json:"name"`
	Kind          string         `json:"kind"`
	FileSHA256    runbook.Digest `json:"file_sha256"`
	PayloadSHA256 runbook.Digest `json:"payload_sha256"`
	// ManifestSHA256 is the digest of the list of files that run with it; left out
	// for none.
	ManifestSHA256 runbook.Digest `json:"manifest_sha256,omitzero"`
}

// decisionBody is the body of a decision record.
type decisionBody struct {
	Version      int              `json:"version"`
	Runbook      fileFacts        `json:"runbook"`
	Verdict      verifier.Verdict `json:"verdict"`
	TrustSHA256  runbook.Digest   `json:"trust_sha256"`
	PolicySHA256 runbook.Digest   `json:"policy_sha256"`
	// PolicyName and PolicyEpoch are of a bundle; "" and 0 for a policy folder.
	PolicyName  string          `json:"policy_name"`
	PolicyEpoch uint64          `json:"policy_epoch"`
	Allow       bool            `json:"allow"`
	DryRun      bool            `json:"dry_run"`
	Mode        string          `json:"mode"`
	Deny        []policy.Reason `json:"deny"`
	Warn        []policy.Reason `json:"warn"`
	// WouldDeny is what was let run by mode warn, or by Override.
	WouldDeny  []policy.Reason    `json:"would_deny"`
	Rules      []string           `json:"rules"`
	Exemptions []policy.Exemption `json:"exemptions"`
	// Override is left out where the policy was not lifted.
	Override  *policy.Override `json:"override,omitempty"`
	TimeoutMS int64            `json:"timeout_ms"`
	Env       []string         `json:"env"` // names only
	User      string           `json:"user"`
	Sandbox   []string         `json:"sandbox"`
	Tokens    []string         `json:"tokens"`
	// Input is null where there is none, and where the record of a denial would
	// else be too large.
	Input       json.RawMessage `json:"input"`
	InputSHA256 runbook.Digest  `json:"input_sha256"`
	// Large are the parameters that are too large for a record, by their names.
	Large map[string]largeValue `json:"large,omitempty"`
}

// largeValue is told of a value in the place of it.
type largeValue struct {
	Bytes  int            `json:"bytes"`
	SHA256 runbook.Digest `json:"sha256"`
}

// withoutLarge leaves the values out of an input that are too large for a record.
func withoutLarge(in policy.Input) (policy.Input, map[string]largeValue) {
	var large map[string]largeValue
	for name, value := range in.Parameters {
		if len(value) <= MaxCommandLine {
			continue
		}
		if large == nil {
			large, in.Parameters = map[string]largeValue{}, maps.Clone(in.Parameters)
		}
		large[name] = largeValue{len(value), runbook.DigestOf([]byte(value))}
		in.Parameters[name], in.Redacted = "", append(slices.Clone(in.Redacted), name)
	}
	slices.Sort(in.Redacted)
	return in, large
}

func decisionOf(e Evidence) (decisionBody, error) {
	d := e.Decision
	_, err := d.Permit()
	body := decisionBody{
		Version: recordVersion,
		Runbook: fileFacts{
			Name: e.Report.Name, Kind: e.Report.Kind.String(), FileSHA256: e.Report.File, PayloadSHA256: e.Report.Payload,
			ManifestSHA256: listOf(e.Report),
		},
		Verdict: e.Report.Verdict, TrustSHA256: e.Report.TrustDigest, PolicySHA256: d.Policy.SHA256, PolicyName: d.Policy.Name, PolicyEpoch: d.Policy.Epoch,
		Allow: err == nil, DryRun: e.DryRun, Mode: d.Mode,
		Deny: append([]policy.Reason{}, d.Deny...), Warn: append([]policy.Reason{}, d.Warn...), Rules: append([]string{}, d.Rules...),
		WouldDeny: append([]policy.Reason{}, d.WouldDeny...), Exemptions: append([]policy.Exemption{}, d.Exemptions...), Override: d.Override,
		TimeoutMS: d.Obligations.Timeout.Milliseconds(), Env: namesOf(d.Obligations.Env),
		User: d.Obligations.User, Sandbox: append([]string{}, d.Obligations.Sandbox...), Tokens: append([]string{}, d.Obligations.Tokens...),
	}
	if e.Input.Version == "" {
		return body, nil
	}
	shown, large := withoutLarge(d.Redact(e.Input))
	body.Large = large
	input, err := json.Marshal(shown)
	body.Input, body.InputSHA256 = input, runbook.DigestOf(input)
	return body, err
}

// Bounds of what brief leaves of the reasons.
const (
	briefReasons = 10
	briefText    = 200
)

// brief leaves out of the record what a file can make large.
func (b decisionBody) brief() decisionBody {
	b.Input = nil
	b.Deny, b.Warn = briefly(b.Deny), briefly(b.Warn)
	return b
}

func briefly(reasons []policy.Reason) []policy.Reason {
	short := []policy.Reason{}
	for _, r := range reasons[:min(len(reasons), briefReasons)] {
		cut := func(s string) string { return strings.ToValidUTF8(s[:min(len(s), briefText)], "") }
		short = append(short, policy.Reason{Code: cut(r.Code), Msg: cut(r.Msg), Rule: cut(r.Rule)})
	}
	return short
}

// namesOf leaves the values out: they may be secrets of the gate's environment.
func namesOf(env []string) []string {
	names := make([]string, 0, len(env))
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	return names
}

// startBody is the body of a start record.
type startBody struct {
	Version     int       `json:"version"`
	Decision    uint64    `json:"decision"`
	Runbook     fileFacts `json:"runbook"`
	Interpreter string    `json:"interpreter"`
	Arguments   int       `json:"arguments"` // how many; the decision's input holds them
	Env         []string  `json:"env"`       // names only
	TimeoutMS   int64     `json:"timeout_ms"`
	// Gate is the process that runs it: when that is gone without an end, the run
	// is lost.
	Gate gateID `json:"gate"`
	// User is the account that it runs as, Sandbox the profile that confines it, and
	// Contained by what.
	User      string   `json:"user"`
	Sandbox   string   `json:"sandbox"`
	Contained []string `json:"contained"`
}

func (w *Worker) recordStart(ctx context.Context, p *plan, c *contained) (uint64, error) {
	return w.append(ctx, ledger.Event{Type: ledger.TypeStart, Body: startBody{
		Version: recordVersion, Decision: p.decision.seq,
		Runbook: fileFacts{
			Name: p.name, Kind: p.kind.String(), FileSHA256: p.decision.digest, PayloadSHA256: runbook.DigestOf(p.payload),
			ManifestSHA256: p.set.Digest(),
		},
		Interpreter: p.interpreter, Arguments: len(p.arguments), Env: namesOf(p.env), TimeoutMS: p.timeout.Milliseconds(),
		Gate: p.gate,
		User: p.user.String(), Sandbox: c.profile, Contained: append([]string{}, c.by...),
	}})
}

// endBody is the body of an end record.
type endBody struct {
	Version     int    `json:"version"`
	Decision    uint64 `json:"decision"`
	Start       uint64 `json:"start"`
	Started     bool   `json:"started"`
	Status      int    `json:"status"`
	Signal      int    `json:"signal"`
	TimedOut    bool   `json:"timed_out"`
	Canceled    bool   `json:"canceled"`
	DurationMS  int64  `json:"duration_ms"`
	StdoutBytes int64  `json:"stdout_bytes"`
	StderrBytes int64  `json:"stderr_bytes"`
	State       State  `json:"state"`
	// The digests are of the whole streams, also of what a log does not hold; "" where
	// nothing was started.
	StdoutSHA256 runbook.Digest `json:"stdout_sha256"`
	StderrSHA256 runbook.Digest `json:"stderr_sha256"`
	Lines        LineCounts     `json:"lines"`
	Logs         []logFacts     `json:"logs"`
	Warnings     []string       `json:"warnings"`
	Error        string         `json:"error"`
	// Lost says that the gate ended before the run; left out where it did not.
	Lost bool `json:"lost,omitempty"`
}

// recordEnd records how the run ended; failed says why nothing was started.
func (w *Worker) recordEnd(ctx context.Context, res *Result, failed error) error {
	body := endBody{
		Version: recordVersion, Decision: res.Decision, Start: res.Start, Started: res.Started,
		Status: res.Status, Signal: res.Signal, TimedOut: res.TimedOut, Canceled: res.Canceled,
		DurationMS: res.Duration.Round(time.Millisecond).Milliseconds(), StdoutBytes: res.StdoutBytes, StderrBytes: res.StderrBytes,
		State: StateOf(*res, failed), StdoutSHA256: res.StdoutDigest, StderrSHA256: res.StderrDigest, Lines: res.Lines, Logs: res.logs(),
		Warnings: append([]string{}, res.Warnings...),
	}
	if failed != nil {
		body.Error = failed.Error()
	}
	body.Lost = errors.Is(failed, errLost)
	seq, err := w.append(ctx, ledger.Event{Type: ledger.TypeEnd, Body: body})
	res.End = seq
	return err
}
