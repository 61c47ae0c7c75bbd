package worker

import (
	"fmt"
	"time"

	"github.com/runwrit/writ/internal/streams"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// plan is a run that may take place: everything was checked that can be checked
// before a process is prepared.
type plan struct {
	decision *Recorded
	name     string
	kind     runbook.Kind
	payload  []byte
	set      *runbook.Set // the files that run with the payload; nil for none

	interpreter string   // absolute path
	options     []string // of the interpreter, before the script
	arguments   []string // after the script
	// document holds the parameters in JSON; nil where the arguments say all.
	document []byte
	env      []string // what the policy lists: NAME=value
	user     runUser
	sandbox  []string // the profiles that may confine it, the preferred first
	timeout  time.Duration
	grace    time.Duration

	audiences []string // for which the policy grants tokens
	identity  []string // variables that say where to get them: NAME=value

	folder string // the private folder, once it is made
	gate   gateID // of this process

	secrets []string        // masked in all output
	given   streams.Secrets // the same, of tokens that are handed out
	logs    Logs
	now     func() time.Time
	timer   func(time.Duration) (c <-chan time.Time, stop func() bool)
}

// plan checks that the parts of a job belong together and that the permit
// covers them.
func (w *Worker) plan(job Job) (*plan, error) {
	permit, err := job.Decision.permit()
	if err != nil {
		return nil, err
	}
	payload, err := permitted(job, permit)
	if err != nil {
		return nil, err
	}
	p := &plan{
		decision: job.Decision, name: job.Runbook.Name(), kind: runbook.KindOf(job.Runbook.Name()),
		payload: payload, set: job.Runbook.Set(), grace: w.grace,
		secrets: job.Decision.secrets, logs: w.logs, now: w.now, timer: w.timer,
	}
	o := permit.Obligations()
	if p.timeout = o.Timeout; p.timeout <= 0 {
		return nil, &PermitError{"it sets no time limit"}
	}
	if p.sandbox, err = profiles(o); err != nil {
		return nil, err
	}
	if p.user, err = w.runAs(o.User); err != nil {
		return nil, err
	}
	if err := w.tokensHonoured(o); err != nil {
		return nil, err
	}
	p.audiences = o.Tokens
	if p.interpreter, p.options, err = w.interpreter(p); err != nil {
		return nil, err
	}
	args, err := argumentsOf(permit)
	if err != nil {
		return nil, err
	}
	p.arguments = commandLine(p.kind, args)
	if p.document, err = document(args); err != nil {
		return nil, &PermitError{"its parameters cannot be written as JSON"}
	}
	if p.env, err = granted(o.Env, w.lookupEnv); err != nil {
		return nil, err
	}
	// Last, so that nothing slow lies between this and the start.
	now := w.now()
	switch {
	case permit.Expires().IsZero():
		return nil, &PermitError{"it has no end"}
	case !now.Before(permit.Expires()):
		return nil, &PermitError{fmt.Sprintf("it lapsed at %s", permit.Expires().UTC().Format(time.RFC3339))}
	case !job.Decision.use():
		return nil, &PermitError{"it was used already: it permits one run"}
	}
	return p, nil
}

// permitted returns the payload of the job's runbook if permit covers it, and all
// files that run with it. The digests are taken of the very bytes that run.
func permitted(job Job, permit *policy.Permit) ([]byte, error) {
	if job.Runbook == nil || job.Runbook.Report() == nil {
		return nil, &PermitError{"there is no verified runbook to run"}
	}
	report, payload := job.Runbook.Report(), job.Runbook.Payload()
	switch {
	case permit.File().IsZero() || permit.Payload().IsZero():
		return nil, &PermitError{"it names no runbook"}
	case report.File != permit.File():
		return nil, &PermitError{"it is for another file"}
	case runbook.DigestOf(payload) != permit.Payload():
		return nil, &PermitError{"it is for another payload"}
	case job.Runbook.Set().Digest() != permit.Manifest().SHA256 || documentOf(report) != permit.Manifest().DocumentSHA256:
		return nil, &PermitError{"it is for another set of files, or for one that somebody else has signed"}
	case job.Runbook.Set().Entry() != permit.Manifest().Entry:
		return nil, &PermitError{"it is for another place in the set of files"}
	case report.Name != job.Decision.file:
		return nil, &PermitError{fmt.Sprintf("the decision was about the name %q, the runbook is %q", job.Decision.file, report.Name)}
	}
	return payload, nil
}

// documentOf is the digest of the manifest that a runbook was judged with, zero
// for none.
func documentOf(r *verifier.Report) runbook.Digest {
	if r.Set == nil {
		return runbook.Digest{}
	}
	return r.Set.Manifest
}
