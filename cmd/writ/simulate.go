package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/audit"
	"github.com/runwrit/writ/internal/render"
	"github.com/runwrit/writ/policy/whatif"
)

type simulateOptions struct {
	trust     trustOptions
	clock     clockOption
	format    string
	policyDir string
	workers   string
	callers   string
	params    string
	root      string
	limit     int
	dir       string
}

func newPolicySimulateCmd(a *app) *cobra.Command {
	o := &simulateOptions{}
	cmd := &cobra.Command{
		Use:   "simulate DIR --policy DIR",
		Short: "Say for a whole library which runbook may run where and for whom, and why not",
		Long: `Verify every runbook of a library once, decide it for each worker and each caller,
and print the matrix: yes, conditional (no, and yes with the parameters that are
named), or no, each with its reason.

Use it to see what a policy amounts to before somebody is denied, and to show it
to those who must agree to it: -o html writes one page that needs no network.
Without --workers and --callers those are asked about that the policy speaks of.
Nothing is run and nothing is recorded; a forecast is no permission.

Exit codes: 0 every question is answered, 1 runbooks were left out or there is
none, 2 the question or the policy is malformed, 3 something cannot be read.`,
		Example: `  writ policy simulate runbooks --trust trust --policy policy
  writ policy simulate runbooks --trust trust --policy policy --workers workers.yaml --callers callers.yaml -o html > matrix.html`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, paths []string) error {
			o.dir = paths[0]
			return a.runPolicySimulate(cmd.Context(), o)
		},
	}
	o.trust.addTo(cmd)
	o.clock.addTo(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.format, "output", "o", "text", "output format: text, json or html")
	f.StringVar(&o.policyDir, "policy", "", "the policy to ask, a `folder` with grants.yaml, or a bundle")
	f.StringVar(&o.workers, "workers", "", "the workers to ask about, a YAML `file`")
	f.StringVar(&o.callers, "callers", "", "the callers to ask about, a YAML `file`")
	f.StringVar(&o.params, "params", "", "with which parameters to ask, a YAML `file`")
	f.StringVar(&o.root, "root", "", "the absolute `path` that DIR has on the workers, if it is another one there")
	f.IntVar(&o.limit, "limit", 20_000, "the largest `number` of answers; the runbooks beyond it are left out")
	return cmd
}

func (a *app) runPolicySimulate(ctx context.Context, o *simulateOptions) error {
	write, err := o.renderer()
	if err != nil {
		return err
	}
	options, err := o.options(a.now)
	if err != nil {
		return err
	}
	result, err := a.auditLibrary(ctx, o, options)
	if err != nil {
		return err
	}
	var wipe func()
	options.Progress, wipe = a.progressLine("decided")
	m, err := whatif.Simulate(ctx, result, options)
	wipe()
	if err != nil {
		return noAnswer(err)
	}
	shown := render.Matrix{Path: o.dir, Matrix: m}
	for _, p := range result.Problems {
		shown.Problems = append(shown.Problems, fmt.Sprintf("%s: %v", p.Path, p.Err))
	}
	if err := write(a.stdout, shown); err != nil {
		return noAnswer(fmt.Errorf("write the result: %w", err))
	}
	switch n := len(result.Problems); {
	case n > 0:
		return noAnswer(fmt.Errorf("%d file%s or folder%s could not be read; the first: %s", n, plural(n), plural(n), shown.Problems[0]))
	case m.LeftOut > 0:
		return no("%d runbook%s left out: see --limit", m.LeftOut, wereLeft(m.LeftOut))
	case !m.Complete():
		return no("%q holds no runbook: nothing was asked", o.dir)
	}
	return nil
}

func wereLeft(n int) string {
	if n == 1 {
		return " was"
	}
	return "s were"
}

func (o *simulateOptions) renderer() (func(io.Writer, render.Matrix) error, error) {
	if o.format == "html" {
		return render.MatrixHTML, nil
	}
	r, err := (&output{name: o.format}).renderer()
	if err != nil {
		return nil, usagef("%w or html", err)
	}
	return r.Matrix, nil
}

// options reads everything but the library.
func (o *simulateOptions) options(now func() time.Time) (whatif.SimulateOptions, error) {
	fail := func(err error) (whatif.SimulateOptions, error) { return whatif.SimulateOptions{}, err }
	switch {
	case o.dir == "" || o.dir == "-":
		return fail(usagef("want the folder of a library, not %q", o.dir))
	case o.policyDir == "":
		return fail(usagef("no policy given: --policy DIR"))
	case o.root != "" && (!path.IsAbs(o.root) || path.Clean(o.root) != o.root):
		return fail(usagef("--root %q: want an absolute path, without \"..\" and with /", o.root))
	case o.limit < 1 || o.limit > whatif.MaxCells:
		return fail(usagef("--limit %d: want a number from 1 to %d", o.limit, whatif.MaxCells))
	}
	at, err := o.clock.clock()
	if err != nil {
		return fail(err)
	}
	if at == nil {
		at = now
	}
	src, engine, err := whatIfPolicy(o.policyDir)
	if err != nil {
		return fail(err)
	}
	s := whatif.SimulateOptions{Engine: engine, Grants: src.Grants, Now: at(), Root: o.root, Cells: o.limit, Parallel: workers()}
	if s.Dir, err = filepath.Abs(o.dir); err == nil {
		s.Dir, err = filepath.EvalSymlinks(s.Dir)
	}
	if err != nil {
		return fail(noAnswer(err))
	}
	if err := o.subjects(&s); err != nil {
		return fail(err)
	}
	return s, nil
}

// subjects are those of the files, or those that the policy speaks of.
func (o *simulateOptions) subjects(s *whatif.SimulateOptions) (err error) {
	s.Workers, s.Callers = whatif.Subjects(s.Grants)
	if o.workers != "" {
		if s.Workers, err = readAs(o.workers, whatif.ParseWorkers); err != nil {
			return err
		}
	}
	if o.callers != "" {
		if s.Callers, err = readAs(o.callers, whatif.ParseCallers); err != nil {
			return err
		}
	}
	if o.params != "" {
		if s.Parameters, err = readAs(o.params, whatif.ParseParameters); err != nil {
			return err
		}
	}
	if n := len(s.Workers) * len(s.Callers); n > o.limit {
		return usagef("%d workers and %d callers are %d answers for one runbook, and the limit is %d: name fewer, or raise --limit", len(s.Workers), len(s.Callers), n, o.limit)
	}
	return nil
}

func readAs[T any](path string, parse func(string, []byte) (T, error)) (T, error) {
	var none T
	data, err := readAtMost(path, whatif.MaxFileSize)
	if err != nil {
		return none, noAnswer(err)
	}
	v, err := parse(filepath.Base(path), data)
	var syntax *whatif.SyntaxError
	if errors.As(err, &syntax) {
		return none, usageError{err}
	}
	return v, err
}

// auditLibrary verifies every runbook at the time that is asked about.
func (a *app) auditLibrary(ctx context.Context, o *simulateOptions, s whatif.SimulateOptions) (*audit.Result, error) {
	trust, err := o.trust.load(false)
	if err != nil {
		return nil, err
	}
	v, err := newVerifier(trust, func() time.Time { return s.Now })
	if err != nil {
		return nil, noAnswer(err)
	}
	a.tellLeftOut(v)
	progress, wipe := a.progressLine("verified")
	defer wipe()
	result, err := audit.Run(ctx, []string{s.Dir}, audit.Options{Verifier: v, Workers: workers(), Progress: progress})
	if err != nil {
		return nil, noAnswer(err)
	}
	return result, nil
}
