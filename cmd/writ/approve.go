package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/approvals"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

type approveOptions struct {
	key        signOptions
	trust      trustOptions
	project    projectOption
	approvals  statementOption
	group      string
	expires    time.Duration
	requester  string
	reason     string
	params     []string
	arguments  []string
	path       string
	breakGlass breakGlassOption
}

// defaultExpiry is how long an approval lasts if nobody says.
const defaultExpiry = 24 * time.Hour

func newApproveCmd(a *app) *cobra.Command {
	o := &approveOptions{approvals: statementOption{dir: "."}}
	cmd := &cobra.Command{
		Use:   "approve RUNBOOK [flags] [-- ARGS]",
		Short: "Approve one run of a runbook: sign a statement that a policy counts",
		Long: `Approve runs of a runbook: of exactly this file, with exactly these parameters, on
workers of this group, until it expires. The runbook is verified first, and what
is not valid is not approved. It says what is being approved, signs that, and
puts it into the folder --approvals, from where writ run --approvals reads it.

Use it where a rule of grants.yaml has approved_by. Who may approve, and how many
must, stands there; nobody approves what he requests himself.

With --break-glass the statement lifts, in an emergency, what the policy denies: for
one requester, whatever the parameters, as often and as long as break_glass in
grants.yaml lets. Hard checks stay. --path GLOB, in place of RUNBOOK, is for every
validly signed runbook there.

Exit codes: 0 approved, 1 the runbook is not valid or the approval not signed,
2 the question is malformed or the key does not fit, 3 a file cannot be read or
written.`,
		Example: `  writ approve --trust trust --key bob.key.asc --worker-group prod --approvals approvals deploy.sh.asc -- blue 3
  writ approve --trust trust --key bob.key.pem --cert bob.pem --worker-group prod --expires 4h --reason "change 4711" restart.ps1
  writ approve --break-glass --requester os:alice --reason "site is down, 4711" --trust trust --key bob.key.asc --worker-group prod deploy.sh.asc`,
		RunE: func(cmd *cobra.Command, list []string) error {
			before := cmd.ArgsLenAtDash()
			if before < 0 {
				before = len(list)
			}
			if before == 0 && o.breakGlass.scope != "" {
				list = append([]string{""}, list...)
			} else if before != 1 || list[0] == "" || list[0] == "-" {
				return usagef("want the path of one runbook, and its arguments after --")
			}
			o.path, o.arguments = list[0], list[1:]
			if o.breakGlass.given && !cmd.Flags().Changed("expires") {
				o.expires = defaultBreakGlassExpiry
			}
			return a.runApprove(cmd.Context(), o)
		},
	}
	o.key.addKeyTo(cmd)
	o.trust.addTo(cmd)
	o.project.addTo(cmd)
	o.breakGlass.addTo(cmd)
	f := cmd.Flags()
	f.Var(&o.approvals, "approvals", "put the approval into this `folder`")
	f.StringVar(&o.group, "worker-group", "", "`group` of the workers on which it may run")
	f.DurationVar(&o.expires, "expires", defaultExpiry, "`how long` the approval holds, such as 90m or 48h; a policy has a limit")
	f.StringVar(&o.requester, "requester", "", "only if this `identity` requests the run, such as os:alice")
	f.StringVar(&o.reason, "reason", "", "say `why`, such as the number of a change")
	f.Var((*repeated)(&o.params), "param", "`name=value` parameter of the runbook (repeatable)")
	return cmd
}

func (o *approveOptions) validate() error {
	switch {
	case o.key.key == "":
		return usagef("no key given: --key FILE, or --key gpg:FINGERPRINT")
	case o.group == "":
		return usagef("no worker group given: --worker-group NAME says where it may run")
	case o.expires < time.Second || o.expires%time.Second != 0:
		return usagef("--expires %v: want whole seconds, such as 90m or 48h", o.expires)
	}
	if err := o.key.passphrase.validate(); err != nil {
		return err
	}
	return o.validateBreakGlass()
}

func (a *app) runApprove(ctx context.Context, o *approveOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	args, err := argumentsOf(o.params, o.arguments)
	if err != nil {
		return err
	}
	report, err := a.validRunbook(ctx, o)
	if err != nil {
		return err
	}
	if o.breakGlass.given {
		return a.runBreakGlass(ctx, o, report)
	}
	key, self, err := a.openKey(ctx, &o.key)
	if err != nil {
		return err
	}
	salt := statement.NewNonce()
	approval := &statement.Approval{
		Subject:    o.subject(statement.TypeApproval, report, a.now()),
		Parameters: statement.Parameters{Salt: salt, Digest: statement.ParametersDigest(salt, policy.Parameters(args))},
		Requester:  o.requester,
	}
	if err := a.sayApproval(approval, report, args); err != nil {
		return err
	}
	return a.signStatement(ctx, approval, o.approvals.dir, salt, key, self)
}

// validRunbook verifies the runbook that is to be approved, with its project, by
// the trust that the user names.
func (a *app) validRunbook(ctx context.Context, o *approveOptions) (*verifier.Report, error) {
	if o.path == "" {
		return nil, nil //nolint:nilnil // there is none: the statement is about a path
	}
	trust, err := o.trust.load(false)
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(trust, a.now)
	if err != nil {
		return nil, noAnswer(err)
	}
	a.tellLeftOut(v)
	resolved, err := resolveFolders(o.path)
	if err != nil {
		return nil, noAnswer(err)
	}
	var rb *runbook.Runbook
	if o.project.given() {
		rb, err = o.project.read(resolved)
	} else {
		rb, err = runbook.ReadFileWithSidecars(resolved, false)
	}
	if err != nil {
		return nil, err
	}
	verified, err := v.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case errors.As(err, &unverified):
		return nil, no("%w: it is not approved", err)
	case err != nil:
		return nil, noAnswer(err)
	}
	if err := contradiction(verified.Report()); err != nil {
		return nil, no("%w", err)
	}
	return verified.Report(), nil
}

// subject is what is said of a runbook that was found valid.
func (o *approveOptions) subject(t statement.Type, r *verifier.Report, now time.Time) statement.Subject {
	s := statement.Subject{
		Type: t, Runbook: runbook.PayloadName(r.Name), SHA256: r.File, WorkerGroup: o.group, Reason: o.reason,
		NotBefore: statement.At(now), Expires: statement.At(now.Add(o.expires)),
	}
	if r.Set != nil {
		s.Manifest = r.Set.List
	}
	return s
}

// sayApproval shows what is about to be signed.
func (a *app) sayApproval(d *statement.Approval, r *verifier.Report, args []policy.Argument) error {
	var signers, parameters []string
	for _, s := range r.Signatures {
		if s.Verdict == verifier.Valid {
			signers = append(signers, s.Signer.IDs[:min(len(s.Signer.IDs), 1)]...)
		}
	}
	for _, p := range args {
		if p.Name != "" {
			parameters = append(parameters, fmt.Sprintf("%s=%q", p.Name, p.Value))
		} else {
			parameters = append(parameters, fmt.Sprintf("%q", p.Value))
		}
	}
	lines := [][2]string{
		{"runbook", d.Runbook}, {"sha-256", d.SHA256.String()}, {"manifest", d.Manifest.String()}, {"signed by", strings.Join(signers, ", ")},
		{"parameters", orNone(strings.Join(parameters, " "))}, {"workers", "group " + d.WorkerGroup}, {"requester", orNone(d.Requester)},
		{"reason", d.Reason}, {"from", d.NotBefore.String()}, {"until", d.Expires.String()},
	}
	if d.Requester == "" {
		lines[6][1] = "whom the policy lets"
	}
	return a.sayLines(lines)
}

// sayLines writes what there is to say, a word before each line.
func (a *app) sayLines(lines [][2]string) error {
	for _, l := range lines {
		if l[1] == "" {
			continue
		}
		if err := a.say("%-10s %s\n", l[0], render.Escape(l[1])); err != nil {
			return err
		}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// signStatement signs a statement, verifies what it made, and puts it into dir
// under a name that nobody has used.
func (a *app) signStatement(ctx context.Context, d statement.Document, dir, nonce string, key *signer.Key, self *verifier.TrustStore) error {
	text, err := statement.Render(d)
	if err != nil {
		return usagef("there is no such statement: %w", err)
	}
	signed, file, err := format.NewStatement().Sign(ctx, statementName(d, key, nonce), text, key)
	if err != nil {
		return err
	}
	v, err := statementVerifier(self, nil)
	if err != nil {
		return err
	}
	again, err := approvals.Open(ctx, v, approvals.File{Name: file, Data: signed})
	if err != nil {
		return noAnswer(err)
	}
	path := filepath.Join(dir, file)
	written, err := renderAgain(again)
	if err != nil || !bytes.Equal(written, text) || !again.SignedBy(key.ID()) {
		return &signer.SelfCheckError{Path: path, Err: errors.Join(fmt.Errorf("it is %s", again.Report.Verdict), err)}
	}
	if err := putNew(path, signed); err != nil {
		return noAnswer(err)
	}
	// The file can be written in other ways that are as valid, the text cannot.
	if err := a.say("%-10s sha256:%s, which takes it back in a deny list\n", "text", runbook.DigestOf(text)); err != nil {
		return err
	}
	return a.say("%-10s %s\n", "signed", render.Escape(path))
}

func renderAgain(s *approvals.Signed) ([]byte, error) {
	if s.Document == nil {
		return nil, nil
	}
	return statement.Render(s.Document)
}

// statementName is the name of a statement's text: for whom reads a folder.
func statementName(d statement.Document, key *signer.Key, nonce string) string {
	about := d.About()
	kind, _, _ := strings.Cut(strings.TrimPrefix(string(about.Type), "writ."), "/")
	parts := []string{about.Runbook, about.SHA256.String(), kind, key.ID(), nonce}
	if len(parts[0]) > maxNamePart {
		parts[0] = strings.ToValidUTF8(parts[0][:maxNamePart], "")
	}
	_, id, _ := strings.Cut(parts[3], ":")
	parts[1], parts[3], parts[4] = parts[1][:min(len(parts[1]), 12)], id[:min(len(id), 16)], nonce[:8]
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, "-") + runbook.StatementExt
}

// maxNamePart leaves room in a file name for the rest of it.
const maxNamePart = 120

// putNew puts data into a new file that others may read, in one step.
func putNew(path string, data []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%q exists already", path)
	}
	temp, err := tempBeside(path)
	if err != nil {
		return err
	}
	if err := temp.Chmod(0o644); err != nil {
		discard(temp)
		return err
	}
	return finish(temp, path, data)
}
