package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

type repairOptions struct {
	trust trustOptions
	clock clockOption
	check bool
	paths []string
}

func newRepairCmd(a *app) *cobra.Command {
	o := &repairOptions{}
	cmd := &cobra.Command{
		Use:   "repair FILE...",
		Short: "Restore signed files whose line ends were converted, or that got a byte-order mark",
		Long: `Restore signed files that are "damaged": git or an editor converted their line
ends or added a byte-order mark after they were signed.

Use it after "writ verify" or "writ audit" called files damaged. A file is
replaced, in one step, only if the digest and the signature of the restored bytes
verify; every other file is left as it is. That needs no trust: whoever signed,
the result is what was signed. With trust each file must be valid in the end. With
--check nothing is written.

Exit codes: 0 every file is as its signer left it (with trust: and valid), 1 one
is not and cannot be repaired, is not valid by the trust given, or with --check is
to be repaired, 2 the question is malformed, 3 a file or the trust store cannot be
read, or a file not be written.`,
		Example: `  writ repair restart.ps1
  writ repair --check --trust trust runbooks/*.ps1`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.paths = paths
			return a.runRepair(cmd.Context(), o)
		},
	}
	o.trust.addTo(cmd)
	o.clock.addTo(cmd)
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; exit 1 if a file is to be repaired")
	return cmd
}

func (a *app) runRepair(ctx context.Context, o *repairOptions) error {
	for _, p := range o.paths {
		if p == "" || p == "-" {
			return usagef("repair needs files, not %q", p)
		}
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			return usagef("repair takes files, and %q is a folder: writ audit says which of its files can be repaired", p)
		}
	}
	judge := judgeOptions{trust: o.trust, clock: o.clock}
	v, err := judge.inspector()
	if err != nil {
		return err
	}
	var failures []error
	var damaged []string
	for _, path := range o.paths {
		if err := ctx.Err(); err != nil {
			return noAnswer(err)
		}
		wasDamaged, err := a.repairOne(ctx, v, path, o)
		if err != nil {
			failures = append(failures, err)
		}
		if wasDamaged {
			damaged = append(damaged, path)
		}
	}
	if len(damaged) > 0 {
		a.note("to keep git from converting line ends again, put into .gitattributes: %s", keepLineEnds(damaged))
	}
	return a.answerOn(len(o.paths), failures, "the answer on %d of %d files is no", len(failures), len(o.paths))
}

// repairOne also reports whether the file was damaged and has a repair.
func (a *app) repairOne(ctx context.Context, v audit.Inspector, path string, o *repairOptions) (damaged bool, err error) {
	var last *verifier.Report // on the restored file, or on one that needs no repair
	done, err := signer.RepairFile(ctx, path, signer.RepairOptions{
		Restorer: format.NewAuthenticode(), Check: o.check,
		Intact: func(ctx context.Context, rb *runbook.Runbook) error {
			if last, err = v.Inspect(ctx, rb); err != nil {
				return err
			}
			return notIntact(last)
		},
	})
	if err != nil {
		return false, err
	}
	if err := a.say("%-9s %s\n", done.State, render.Escape(path)); err != nil {
		return false, err
	}
	if damaged = done.State != signer.StateIntact; damaged {
		if err := a.say("  %s\n  verdict then: %s\n", done.How, last.Verdict); err != nil {
			return true, err
		}
	}
	switch {
	case done.State == signer.StateDamaged:
		return damaged, no("%q is damaged and can be repaired", path)
	case o.trust.given() && last.Verdict != verifier.Valid:
		return damaged, no("%q is %s, as it was signed", path, last.Verdict)
	}
	return damaged, nil
}

func notIntact(r *verifier.Report) error {
	if r.Intact() {
		return nil
	}
	err := &verifier.UnverifiedError{Report: r}
	if r.Format == format.NewClearsign().Name() {
		return fmt.Errorf("%w; in clear-signed text there is nothing to repair", err)
	}
	return err
}

// keepLineEnds are the lines for .gitattributes that keep git from files of
// these types.
func keepLineEnds(paths []string) string {
	var lines []string
	for _, path := range paths {
		lines = append(lines, fmt.Sprintf("%q", "*"+filepath.Ext(path)+" -text"))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), ", ")
}
