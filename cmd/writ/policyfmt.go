package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/policy/lint"
)

type policyFmtOptions struct {
	dir         string
	check, diff bool
}

func newPolicyFmtCmd(a *app) *cobra.Command {
	o := &policyFmtOptions{}
	cmd := &cobra.Command{
		Use:   "fmt DIR",
		Short: "Write the .rego files of a policy in the one form that all are written in",
		Long: `Write the .rego files of a policy folder in the one form that all are written in,
and print the names of those that changed. A file is replaced in one step, and only
if it still says the same. grants.yaml and tests.yaml are never touched.

Use it before you commit, and with --check in the pipeline of the policy's
repository.

Exit codes: 0 done, or nothing to do, 1 with --check: a file is not in that form,
2 a file is no Rego, 3 the folder cannot be read or a file cannot be written.`,
		Example: `  writ policy fmt policy
  writ policy fmt --check --diff policy`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, paths []string) error {
			o.dir = paths[0]
			return a.runPolicyFmt(o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.check, "check", false, "write nothing, and fail where a file would change")
	f.BoolVar(&o.diff, "diff", false, "print what changes")
	return cmd
}

// runPolicyFmt formats all files before it writes the first.
func (a *app) runPolicyFmt(o *policyFmtOptions) error {
	src, err := policy.ReadFolder(o.dir, policy.LoadOptions{})
	if err != nil {
		return policyError(o.dir, err)
	}
	var before, after []policy.File
	for _, f := range slices.Concat(src.Rego, src.Tests) {
		if f.Name == policy.TestsFile {
			continue
		}
		data, err := lint.Format(f)
		if err != nil {
			return policyError(o.dir, err)
		}
		if !bytes.Equal(data, f.Data) {
			before, after = append(before, f), append(after, policy.File{Name: f.Name, Data: data})
		}
	}
	for i, f := range after {
		if !o.check {
			if err := replacePolicyFile(filepath.Join(o.dir, f.Name), before[i].Data, f.Data); err != nil {
				return noAnswer(err)
			}
		}
		if err := a.say("%s\n", render.Escape(f.Name)); err != nil {
			return err
		}
		if o.diff {
			for _, line := range lint.Diff(before[i].Data, f.Data) {
				if err := a.say("%s\n", render.Escape(line)); err != nil {
					return err
				}
			}
		}
	}
	if n := len(after); n > 0 && o.check {
		return no("%d file%s of the policy in %q would change", n, plural(n), o.dir)
	}
	return nil
}

// replacePolicyFile puts other text in the place of the file that was read, with the
// same mode.
func replacePolicyFile(path string, before, after []byte) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if now, err := os.ReadFile(path); err != nil || !info.Mode().IsRegular() || !bytes.Equal(now, before) {
		return fmt.Errorf("%q was changed while it was read: it stays as it is", path)
	}
	temp, err := tempBeside(path)
	if err != nil {
		return err
	}
	if err := temp.Chmod(info.Mode().Perm()); err != nil {
		discard(temp)
		return err
	}
	return finish(temp, path, after)
}
