package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
)

type auditOptions struct {
	judgeOptions
	online onlineOption
	paths  []string
}

func newAuditCmd(a *app) *cobra.Command {
	o := &auditOptions{}
	o.output.pipelines = true
	cmd := &cobra.Command{
		Use:   "audit PATH...",
		Short: "Classify every runbook of a library, the worst first",
		Long: `Classify every runbook of a library with the verdicts of "writ verify", and
print how many there are of each and the worst first.

Use it to find out where a library stands, and in CI to keep it there. Symbolic
links are listed, not followed. The original of a clear-signed runbook counts as
a source if the document beside it signs exactly its bytes.

Exit codes: 0 there are runbooks and all are valid, 1 at least one is not or
there is none, 2 the question is malformed, 3 something cannot be read.`,
		Example: `  writ audit --trust trust runbooks
  writ audit --trust trust -o json runbooks
  writ audit --trust trust -o sarif runbooks > writ.sarif`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.paths = paths
			return a.runAudit(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	o.online.addTo(cmd)
	cmd.Flags().IntVar(&o.codePage, "codepage", 0, "for text without a byte-order mark, try this ANSI code page of Windows too (`number`)")
	return cmd
}

func (a *app) runAudit(ctx context.Context, o *auditOptions) error {
	r, err := o.output.judged()
	if err != nil {
		return err
	}
	for _, p := range o.paths {
		if p == "" || p == "-" {
			return usagef("audit needs files or folders, not %q", p)
		}
	}
	if known := format.CodePages(); o.codePage != 0 && !slices.Contains(known, o.codePage) {
		return usagef("unknown ANSI code page %d: want one of %v", o.codePage, known)
	}
	v, err := o.verifier(o.online.fetch(ctx))
	if err != nil {
		return err
	}
	a.tellLeftOut(v)
	progress, wipe := a.progressLine("audited")
	result, err := audit.Run(ctx, o.paths, audit.Options{Verifier: v, Workers: workers(), Progress: progress})
	wipe()
	if err != nil {
		return noAnswer(err)
	}
	if err := r.Audit(a.stdout, result); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	files := make([]render.File, 0, len(result.Entries))
	for _, e := range result.Entries {
		files = append(files, render.File{Path: e.Path, Report: e.Report})
	}
	return a.answer(files, result.Problems)
}
