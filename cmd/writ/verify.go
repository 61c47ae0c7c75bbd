package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

type verifyOptions struct {
	judgeOptions
	payload string
	name    string
	paths   []string
}

func newVerifyCmd(a *app) *cobra.Command {
	o := &verifyOptions{}
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
  writ verify --trust trust --payload deploy.sh deploy.sh.asc`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.paths = paths
			return a.runVerify(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	cmd.Flags().StringVar(&o.payload, "payload", "", "write the signed content of the one valid runbook to this `file`")
	cmd.Flags().StringVar(&o.name, "name", "", "file `name` of the runbook on standard input, for its type")
	return cmd
}

func (a *app) runVerify(ctx context.Context, o *verifyOptions) error {
	r, err := o.output.renderer()
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
	v, err := o.verifier()
	if err != nil {
		return err
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
	if err := r.Verify(a.stdout, all.files); err != nil {
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

// checkInputs refuses what cannot be asked of a list of paths.
func checkInputs(paths []string, name string) error {
	stdin := 0
	for _, p := range paths {
		switch p {
		case "":
			return usagef("an empty path")
		case "-":
			stdin++
		}
	}
	if name != "" {
		if _, err := runbook.Parse(name, nil); err != nil {
			return usagef("--name: %w", err)
		}
	}
	switch {
	case stdin > 1:
		return usagef("standard input can be read once only")
	case stdin == 0 && name != "":
		return usagef("--name is for standard input: give %q as a path", "-")
	}
	return nil
}

// found is what came of one path, or of several.
type found struct {
	files    []render.File
	skipped  []audit.Skip
	problems []audit.Problem
}

// inspectAll inspects every path: files at once, folders by the rules of an
// audit, without the originals that the document beside them covers.
func (a *app) inspectAll(ctx context.Context, v *verifier.Verifier, paths []string, name string) (found, error) {
	parts := make([]found, len(paths))
	failures := make([]error, len(paths))
	limit := make(chan struct{}, workers())
	var wg sync.WaitGroup
	for i, path := range paths {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			parts[i], failures[i] = a.inspectPath(ctx, v, path, name)
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return found{}, noAnswer(err)
	}
	var all found
	for _, p := range parts {
		all.files = append(all.files, p.files...)
		all.skipped = append(all.skipped, p.skipped...)
		all.problems = append(all.problems, p.problems...)
	}
	return all, nil
}

func (a *app) inspectPath(ctx context.Context, v *verifier.Verifier, path, name string) (found, error) {
	if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
		result, err := audit.Run(ctx, []string{path}, audit.Options{Verifier: v, Workers: workers()})
		if err != nil {
			return found{}, err
		}
		f := found{skipped: result.Skipped, problems: result.Problems}
		for _, e := range result.Entries {
			f.files = append(f.files, render.File{Path: e.Path, Report: e.Report})
		}
		slices.SortFunc(f.files, func(a, b render.File) int { return strings.Compare(a.Path, b.Path) })
		return f, nil
	}
	report, err := a.inspectOne(ctx, v, path, name)
	if ctx.Err() != nil {
		return found{}, ctx.Err()
	}
	if err != nil {
		return found{problems: []audit.Problem{{Path: path, Err: err}}}, nil //nolint:nilerr // a problem of one file among several
	}
	return found{files: []render.File{{Path: path, Report: report}}}, nil
}

// inspectOne inspects one file, or standard input.
func (a *app) inspectOne(ctx context.Context, v audit.Inspector, path, name string) (*verifier.Report, error) {
	if path != "-" {
		return audit.Inspect(ctx, v, path, true)
	}
	rb, err := a.readStdin(ctx, name)
	if err != nil {
		return refusedInput(name, err)
	}
	return v.Inspect(ctx, rb)
}

// stdinName is the runbook's name where --name does not give one: of no type,
// so that only clear-signed text can be valid.
const stdinName = "stdin"

// readStdin gives up waiting when ctx ends.
func (a *app) readStdin(ctx context.Context, name string) (*runbook.Runbook, error) {
	if name == "" {
		name = stdinName
	}
	type answer struct {
		rb  *runbook.Runbook
		err error
	}
	done := make(chan answer, 1)
	go func() {
		rb, err := runbook.Read(name, a.stdin)
		done <- answer{rb, err}
	}()
	select {
	case read := <-done:
		return read.rb, read.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read standard input: %w", ctx.Err())
	}
}

// refusedInput turns an input that is too large into a fact about it; every
// other error stays one.
func refusedInput(name string, err error) (*verifier.Report, error) {
	var tooLarge *runbook.SizeError
	if errors.As(err, &tooLarge) {
		return audit.Unsupported(name, "too-large", err.Error()), nil
	}
	return nil, err
}
