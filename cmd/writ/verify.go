package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/verifier"
)

type verifyOptions struct {
	judgeOptions
	online  onlineOption
	project projectOption
	payload string
	name    string
	paths   []string
}

func newVerifyCmd(a *app) *cobra.Command {
	o := &verifyOptions{}
	o.output.pipelines = true
	cmd := &cobra.Command{
		Use:   "verify PATH...",
		Short: "Verify the signatures of runbooks against a trust store",
		Long: `Verify the signatures of runbooks against a trust store that you name.

Use it before you rely on a file, and in scripts. A folder stands for all
runbooks in it; "-" is standard input. Only the verdict "valid" means yes.

Exit codes: 0 every file is valid, 1 at least one is not, 2 the question is
malformed (no trust given, too), 3 a file or the trust store cannot be read.`,
		Example: `  writ verify --trust trust deploy.sh.asc
  writ verify --ca ca.pem --keyring admins.asc runbooks
  writ verify --trust trust --payload deploy.sh deploy.sh.asc
  writ verify --trust trust -o github runbooks`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.paths = paths
			return a.runVerify(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	o.online.addTo(cmd)
	o.project.addTo(cmd)
	cmd.Flags().StringVar(&o.payload, "payload", "", "write the signed content of the one valid runbook to this `file`")
	cmd.Flags().StringVar(&o.name, "name", "", "file `name` of the runbook on standard input, for its type")
	return cmd
}

func (a *app) runVerify(ctx context.Context, o *verifyOptions) error {
	r, err := o.output.judged()
	if err != nil {
		return err
	}
	if err := checkInputs(o.paths, o.name); err != nil {
		return err
	}
	if o.payload != "" {
		if err := checkPayload(o.payload, o.paths); err != nil {
			return err
		}
	}
	if o.project.given() && (o.payload != "" || o.name != "") {
		return usagef("--manifest is for files of a project: not with --payload or --name")
	}
	v, err := o.verifier(o.online.fetch(ctx))
	if err != nil {
		return err
	}
	a.tellLeftOut(v)
	if o.project.given() {
		return a.verifyInProject(ctx, v, r, o)
	}
	if o.payload != "" {
		return a.verifyPayload(ctx, v, r, o)
	}
	all, err := a.inspectAll(ctx, v, o.paths, o.name)
	if err != nil {
		return err
	}
	for _, s := range all.skipped {
		a.note("not looked at: %s: %s", s.Path, s.Reason)
	}
	if err := r.Verify(a.stdout, all.files, all.problems); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return a.answer(all.files, all.problems)
}

// answer is what a list of inspected files amounts to: no answer where a file
// could not be read, else no unless each is valid.
func (a *app) answer(files []render.File, problems []audit.Problem) error {
	switch len(problems) {
	case 0:
	case 1:
		return noAnswer(problems[0].Err)
	default:
		for _, p := range problems {
			a.note("%s", p.Err.Error())
		}
		return noAnswer(fmt.Errorf("%d files or folders cannot be read", len(problems)))
	}
	if len(files) == 0 {
		return no("there is no runbook to verify")
	}
	bad := 0
	for _, f := range files {
		if f.Report.Verdict != verifier.Valid {
			bad++
		}
	}
	switch {
	case bad == 0:
		return nil
	case len(files) == 1:
		return no("%q is %s", files[0].Path, files[0].Report.Verdict)
	}
	return no("%d of %d files are not valid", bad, len(files))
}
