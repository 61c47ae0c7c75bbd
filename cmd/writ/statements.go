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
)

// statementOption is the flag --approvals: where statements about runbooks lie.
type statementOption struct{ dir string }

func (o *statementOption) addTo(cmd *cobra.Command) {
	cmd.Flags().Var(o, "approvals", "count the approvals in this `folder`, which writ approve made")
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
}

// open reads the statements. They are judged by the trust store of the runbooks.
func (o *statementOption) open(guarded bool, trust *verifier.TrustStore, now func() time.Time) (statements, error) {
	if o.dir == "" {
		return statements{}, nil
	}
	folder, err := approvals.Read(o.dir, approvals.Options{Guarded: guarded})
	if err != nil {
		return statements{}, noAnswer(err)
	}
	v, err := statementVerifier(trust, now)
	return statements{folder: folder, verifier: v}, err
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
	facts, notes, err := s.folder.For(ctx, s.verifier, rep, args)
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
