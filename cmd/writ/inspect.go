package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/render"
)

type inspectOptions struct {
	judgeOptions
	name string
	path string
}

func newInspectCmd(a *app) *cobra.Command {
	o := &inspectOptions{}
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say everything that can be said about one file, and what would repair it",
		Long: `Say everything that can be said about one file: each signature, each check that
was made, what is wrong in plain words, and what would repair it.

Use it when a file was refused, or to look at a file before you trust anybody:
it works without trust too, and says then that the signers were not judged.

Exit codes: 0 the file is valid against the trust given, 1 it is not (without
trust always), 2 the question is malformed, 3 it cannot be read.`,
		Example: `  writ inspect restart.ps1
  writ inspect --trust trust deploy.sh.asc`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.path = paths[0]
			return a.runInspect(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	cmd.Flags().StringVar(&o.name, "name", "", "file `name` of the runbook on standard input, for its type")
	return cmd
}

func (a *app) runInspect(ctx context.Context, o *inspectOptions) error {
	r, err := o.output.renderer()
	if err != nil {
		return err
	}
	if err := checkInputs([]string{o.path}, o.name); err != nil {
		return err
	}
	if info, err := os.Stat(o.path); o.path != "-" && err == nil && info.IsDir() {
		return usagef("inspect looks at one file, and %q is a folder: see writ audit", o.path)
	}
	v, err := o.inspector()
	if err != nil {
		return err
	}
	report, err := a.inspectOne(ctx, v, o.path, o.name)
	if err != nil {
		return a.answer(nil, []audit.Problem{{Path: o.path, Err: err}})
	}
	file := render.File{Path: o.path, Report: report}
	if err := r.Inspect(a.stdout, render.Inspection{File: file, Judged: o.trust.given()}); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	return a.answer([]render.File{file}, nil)
}
