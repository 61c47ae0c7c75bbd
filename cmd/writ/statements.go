package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/approvals"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/verifier"
	"github.com/runwrit/writ/worker"
)

// statementOption is the flag --approvals: where statements about runbooks lie. For
// a gate there is --state, too: where their uses are counted.
type statementOption struct {
	dir   string
	state string
}

func (o *statementOption) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(o, "approvals", "count the approvals in this `folder`, which writ approve made")
	cmd.Flags().StringVar(&o.state, "state", "", "`folder` that remembers which break-glass statements were used")
}

// Set refuses the empty name, which is what a variable gives that is not set.
func (o *statementOption) Set(dir string) error {
	if dir == "" {
		return errors.New("want a folder")
	}
	o.dir = dir
	return nil
}

// String is the value of the flag.
func (o *statementOption) String() string { return o.dir }

// Type names what the flag takes.
func (*statementOption) Type() string { return "folder" }

// statements are those that were given to a gate.
type statements struct {
	folder   *approvals.Folder
	verifier *verifier.Verifier
	uses     worker.Uses // nil where nothing counts them
}

// open reads the statements, and takes those that came with the policy. They are
// judged by the trust store of the runbooks.
func (o *statementOption) open(guarded bool, trust *verifier.TrustStore, now func() time.Time, bundled []policy.File) (statements, error) {
	var s statements
	var err error
	if o.state != "" {
		if s.uses, err = worker.OpenUses(o.state); err != nil {
			return s, noAnswer(err)
		}
	}
	if o.dir == "" && len(bundled) == 0 {
		return s, nil
	}
	files := make([]approvals.File, 0, len(bundled))
	for _, f := range bundled {
		files = append(files, approvals.File{Name: f.Name, Data: f.Data})
	}
	s.folder = approvals.FromFiles(files)
	if o.dir != "" {
		named, err := approvals.Read(o.dir, approvals.Options{Guarded: guarded})
		if err != nil {
			return s, noAnswer(err)
		}
		s.folder = approvals.Join(s.folder, named)
	}
	s.verifier, err = statementVerifier(trust, now)
	return s, err
}

func statementVerifier(trust *verifier.TrustStore, now func() time.Time) (*verifier.Verifier, error) {
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{format.NewStatement()}, Now: now})
	if err != nil {
		return nil, noAnswer(err)
	}
	return v, nil
}

// about returns the facts about the statements on a runbook, and what there is to
// say of those that are broken.
func (s *statements) about(ctx context.Context, rep *verifier.Report, args []policy.Argument) ([]policy.Approval, []string, error) {
	var count func(string) (int, error)
	if s.uses != nil {
		count = func(nonce string) (int, error) { return s.uses.Count(policy.UseBreakGlass, nonce) }
	}
	facts, notes, err := s.folder.For(ctx, s.verifier, count, rep, args)
	if err != nil {
		return nil, nil, noAnswer(err)
	}
	return facts, append(s.folder.Notes(), notes...), nil
}

// tell writes notes, the first of very many.
func (a *app) tell(notes []string) {
	for _, note := range notes[:min(len(notes), maxLeftOut)] {
		a.note("%s", note)
	}
	if more := len(notes) - maxLeftOut; more > 0 {
		a.note("and %d more", more)
	}
}
