package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/config"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker/identity"
)

// gateOptions are the flags of the commands that put the question whether a
// runbook may run: run and policy explain.
type gateOptions struct {
	config    configOption
	trust     trustOptions
	policyDir string
	workerID  string
	group     string
	labels    []string
	params    []string
	// parameters is a file of more of them; "" for none.
	parameters string
	arguments  []string // after "--"
	path       string
	project    projectOption
	approvals  statementOption
	ticket     ticketOption
	// token is the file of a token; tokenGiven says that the flag is there.
	token      string
	tokenGiven bool
	// worker is what the configuration says; nil without one.
	worker *config.Worker
}

func (o *gateOptions) addTo(cmd *cobra.Command) {
	o.config.addTo(cmd)
	o.trust.addTo(cmd)
	o.project.addTo(cmd)
	o.approvals.addTo(cmd)
	o.ticket.addTo(cmd)
	f := cmd.Flags()
	f.StringVar(&o.policyDir, "policy", "", "policy, a `folder` with grants.yaml, or a policy store")
	f.StringVar(&o.workerID, "worker-id", "", "`name` of this worker (default: the host's name)")
	f.StringVar(&o.group, "worker-group", "", "`group` that this worker is in")
	f.Var((*repeated)(&o.labels), "label", "`name=value` label of this worker (repeatable)")
	f.StringVar(&o.token, "token", "", "signed token of who asks, a `file` or /dev/fd/N; the configuration says whose tokens count")
	f.Var((*repeated)(&o.params), "param", "`name=value` parameter of the runbook (repeatable)")
	f.StringVar(&o.parameters, "parameters", "", "JSON object of parameters, a `file` or /dev/fd/N: for lists, objects and secrets, which nobody should see in a command line")
}

// take sorts the positional arguments: one runbook, and what follows "--".
func (o *gateOptions) take(cmd *cobra.Command, list []string) error {
	before := cmd.ArgsLenAtDash()
	if before < 0 {
		before = len(list)
	}
	if before != 1 {
		return usagef("want one runbook, and its arguments after --")
	}
	o.path, o.arguments = list[0], list[1:]
	o.config.take(cmd)
	o.tokenGiven = cmd.Flags().Changed("token")
	o.ticket.take(cmd)
	return nil
}

// gate is what puts and answers the question.
type gate struct {
	verifier *verifier.Verifier
	engine   *policy.Engine
	request  policy.Request // without the path
	project  projectOption
	// statements are those about runbooks, and what verifies them.
	statements statements
	// ticket says who asks, in place of the user of this process; nil for none.
	ticket *ticket
	// refused says why the token proves nothing; nil if it does, or there is none.
	refused *identity.TokenError
}

// open loads trust and policy, and finds out who asks and where. Guarded is for
// a gate that acts on the answer.
func (o *gateOptions) open(ctx context.Context, guarded bool, now func() time.Time) (*gate, error) {
	if o.path == "" || o.path == "-" {
		return nil, usagef("want the path of a runbook, not %q: rules match paths", o.path)
	}
	if o.policyDir == "" {
		return nil, usagef("no policy given: --policy DIR")
	}
	if err := o.validateTicket(); err != nil {
		return nil, err
	}
	request, err := o.newRequest()
	if err != nil {
		return nil, err
	}
	trust, err := o.trust.load(guarded)
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(trust, now)
	if err != nil {
		return nil, noAnswer(err)
	}
	loaded, err := o.loadPolicy(ctx, guarded, trust, now)
	if err != nil {
		return nil, err
	}
	request.HighTrustEpoch = loaded.highTrust
	statements, err := o.approvals.open(guarded, trust, now, loaded.approvals)
	if err != nil {
		return nil, err
	}
	request.Now = now()
	g := &gate{verifier: v, engine: loaded.engine, request: request, project: o.project, statements: statements}
	if err := o.proveWorker(ctx, guarded, request.Now, &g.request.Worker); err != nil {
		return nil, err
	}
	if g.ticket, err = o.openTicket(ctx, trust, now); err != nil {
		return nil, err
	}
	g.request.Caller, g.refused, err = o.findCaller(ctx, guarded, request.Now)
	return g, err
}

func (o *gateOptions) newRequest() (policy.Request, error) {
	w := policy.Worker{ID: o.workerID, Group: o.group, OS: runtime.GOOS, Assurance: "flags"}
	if o.worker != nil {
		w.Assurance = "config"
	}
	var err error
	if w.ID == "" {
		if w.ID, err = os.Hostname(); err != nil {
			return policy.Request{}, noAnswer(err)
		}
	}
	if w.Labels, err = o.workerLabels(); err != nil {
		return policy.Request{}, err
	}
	arguments, err := argumentsOf(o.params, o.arguments)
	if err == nil && o.parameters != "" {
		var more []policy.Argument
		if more, err = readParameters(o.parameters); err != nil {
			err = usagef("--parameters: %v", err)
		}
		arguments = append(more, arguments...)
	}
	return policy.Request{Worker: w, Arguments: arguments}, err
}

// argumentsOf are those that --param and what follows "--" give.
func argumentsOf(params, positional []string) ([]policy.Argument, error) {
	var arguments []policy.Argument
	for i, p := range params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" { // it may be a secret
			return nil, usagef("--param, the one at place %d: want name=value", i+1)
		}
		arguments = append(arguments, policy.Argument{Name: name, Value: value})
	}
	for _, value := range positional {
		arguments = append(arguments, policy.Argument{Value: value})
	}
	return arguments, nil
}

func flagLabels(list []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, l := range list {
		name, value, ok := strings.Cut(l, "=")
		if _, twice := labels[name]; !ok || name == "" || twice {
			return nil, usagef("--label %q: want name=value, each name once", l)
		}
		labels[name] = value
	}
	return labels, nil
}

// candidate is a runbook that was read and looked at. Verified is nil unless
// it is valid.
type candidate struct {
	path     string
	report   *verifier.Report
	verified *verifier.Verified
	// approvals are what was signed about it; notes say what of that is broken.
	approvals []policy.Approval
	// ticket is the one with which it was asked for, held against it.
	ticket *policy.TicketRequest
	notes  []string
}

// read reads the runbook at path, and its sidecars, once. Links in the folders above it are
// resolved first, because rules match the path; the file itself must not be one.
func (g *gate) read(ctx context.Context, path string) (*candidate, error) {
	resolved, err := resolveFolders(path)
	if err != nil {
		return nil, err
	}
	var rb *runbook.Runbook
	if g.project.given() {
		rb, err = g.project.read(resolved)
	} else {
		rb, err = runbook.ReadFileWithSidecars(resolved, false)
	}
	if err != nil {
		return nil, err
	}
	c := &candidate{path: filepath.ToSlash(resolved)}
	c.verified, err = g.verifier.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case err == nil:
		c.report = c.verified.Report()
	case errors.As(err, &unverified):
		c.report = unverified.Report
	default:
		return nil, err
	}
	if c.ticket, err = g.ticket.request(g.statements.uses, g.request.Arguments); err != nil {
		return nil, err
	}
	c.approvals, c.notes, err = g.statements.about(ctx, c.report, g.request.Arguments)
	return c, err
}

// resolveFolders makes path absolute, without links in the folders above it.
func resolveFolders(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(abs)), nil
}

// input puts the question about a candidate.
func (g *gate) input(c *candidate) (policy.Input, error) {
	if g.refused != nil {
		return policy.Input{}, g.refused
	}
	request := g.request
	request.Path, request.Approvals, request.Ticket = c.path, c.approvals, c.ticket
	if c.verified != nil {
		return policy.NewInput(c.verified, request)
	}
	return policy.NewReportInput(c.report, request)
}

// decide answers the question. What cannot even be asked is denied.
func (g *gate) decide(ctx context.Context, c *candidate) (policy.Input, policy.Decision) {
	in, err := g.input(c)
	if err != nil {
		reason := policy.Reason{Code: policy.CodeInputInvalid, Msg: err.Error(), Rule: "writ/gate"}
		if g.refused != nil {
			reason.Code, reason.Msg, reason.Hint = g.refused.Code, g.refused.Msg, g.refused.Hint
		}
		return policy.Input{}, policy.Decision{
			Version: policy.DecisionVersion, Mode: policy.ModeEnforce, Deny: []policy.Reason{reason}, Warn: []policy.Reason{},
			Rules: []string{}, Policy: g.engine.Policy(), Runbook: c.report.File,
		}
	}
	return in, g.engine.Decide(ctx, in)
}

// signedBeside is a hint for somebody who names the source of a runbook where
// its signed form was meant; "" for none.
func signedBeside(path string) string {
	signed := path + runbook.SignatureExt
	if info, err := os.Lstat(signed); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return fmt.Sprintf("%q lies beside it: name that, if it is the signed form", signed)
}

// denial puts the reasons of a decision into one error, and its hints below.
func denial(code int, path string, verdict verifier.Verdict, reasons []policy.Reason) error {
	const most = 5
	var said []string
	e := &exitError{code: code}
	for i, r := range reasons {
		if i == most {
			said = append(said, fmt.Sprintf("and %d more", len(reasons)-most))
			break
		}
		said = append(said, r.Code+": "+r.Msg)
		if r.Hint != "" && !slices.Contains(e.hints, r.Hint) {
			e = e.hint("%s", r.Hint)
		}
	}
	if hint := signedBeside(path); verdict == verifier.Unsigned && hint != "" {
		e = e.hint("%s", hint)
	}
	e.err = fmt.Errorf("%q is denied: %s", path, strings.Join(said, "; "))
	return e
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
