package approvals

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// For returns the facts about the statements that name the runbook of a report,
// for a run with these arguments. The verifier must be one for the format of
// statements; uses, which may be nil, counts how often a break-glass statement was
// used, by its nonce. Notes say what is broken or left out. An error says that it could
// not look.
func (f *Folder) For(ctx context.Context, v *verifier.Verifier, uses func(nonce string) (int, error), rep *verifier.Report, args []policy.Argument) (facts []policy.Approval, notes []string, err error) {
	if f == nil {
		return nil, nil, nil
	}
	name, parameters := runbook.PayloadName(rep.Name), policy.Parameters(args)
	files := f.mentioning(name, rep.File)
	if more := len(files) - maxVerified; more > 0 {
		notes = append(notes, fmt.Sprintf("%d statements about %q are left out: %d are verified for a run", more, name, maxVerified))
		files = files[:maxVerified]
	}
	for _, file := range files {
		read, err := Open(ctx, v, file)
		if err != nil {
			return nil, nil, err
		}
		fact := read.fact(name)
		switch d := read.Document.(type) {
		case nil:
			notes = append(notes, fmt.Sprintf("the statement %q does not count: it is %s", file.Name, read.Report.Verdict))
		case *statement.Approval:
			fact.ParametersMatch = d.Digest == statement.ParametersDigest(d.Salt, parameters)
			fact.Requester = d.Requester
		case *statement.BreakGlass:
			fact.Requester, fact.Path, fact.Nonce, fact.Uses = d.Requester, d.Path, d.Nonce, -1
			if uses != nil {
				if fact.Uses, err = uses(d.Nonce); err != nil {
					return nil, nil, err
				}
			}
		default:
			notes = append(notes, fmt.Sprintf("the statement %q does not count: it is a %s, and does not belong here", file.Name, d.About().Type))
			continue
		}
		facts = append(facts, fact)
	}
	// What fits best comes first, where there are more than a policy looks at.
	slices.SortStableFunc(facts, func(a, b policy.Approval) int {
		return cmp.Compare(fitness(b, rep), fitness(a, rep))
	})
	if more := len(facts) - policy.MaxApprovals; more > 0 {
		notes = append(notes, fmt.Sprintf("%d statements about %q are left out: a decision looks at %d", more, name, policy.MaxApprovals))
		facts = facts[:policy.MaxApprovals]
	}
	return facts, notes, nil
}

// maxVerified is how many statements are verified for one run.
const maxVerified = 256

// mentioning returns the files that may be about a runbook of this name, first those
// that name the digest of the file.
func (f *Folder) mentioning(name string, digest runbook.Digest) []File {
	var of, others []File
	for _, file := range f.files {
		switch {
		case !statement.Mentions(file.Data, name):
		case bytes.Contains(file.Data, []byte(digest.String())):
			of = append(of, file)
		default:
			others = append(others, file)
		}
	}
	return append(of, others...)
}

// fitness is the higher, the better a statement fits.
func fitness(a policy.Approval, rep *verifier.Report) int {
	fits := 0
	if a.Verdict == string(verifier.Valid) {
		fits++
	}
	if a.RunbookSHA256 == rep.File {
		fits += 2
	}
	return fits
}

// Signed is a statement that was verified.
type Signed struct {
	File   File
	Report *verifier.Report
	// Document is nil unless the verdict is Valid.
	Document statement.Document
}

// Open verifies one statement. An error says that it could not look.
func Open(ctx context.Context, v *verifier.Verifier, file File) (*Signed, error) {
	rb, err := runbook.Parse(file.Name, file.Data)
	if err != nil {
		return nil, err
	}
	verified, err := v.Verify(ctx, rb)
	var unverified *verifier.UnverifiedError
	switch {
	case errors.As(err, &unverified):
		return &Signed{File: file, Report: unverified.Report}, nil
	case err != nil:
		return nil, err
	}
	document, err := statement.Parse(verified.Payload())
	if err != nil { // the format has read it before
		return nil, err
	}
	return &Signed{File: file, Report: verified.Report(), Document: document}, nil
}

// fact is what is known of every statement; name is of the runbook that it
// mentions.
func (s *Signed) fact(name string) policy.Approval {
	a := policy.Approval{File: s.File.Name, SHA256: s.Report.File, Verdict: s.Report.Verdict.String(), Runbook: name}
	if s.Document == nil {
		return a
	}
	about := s.Document.About()
	a.Type, a.Runbook, a.RunbookSHA256, a.ManifestSHA256 = string(about.Type), about.Runbook, about.SHA256, about.Manifest
	a.WorkerGroup, a.Reason = about.WorkerGroup, about.Reason
	a.NotBeforeNS, a.ExpiresNS = about.NotBefore.UnixNano(), about.Expires.UnixNano()
	a.Signatures = s.Signatures()
	return a
}

// Signatures are those on the statement. One that was made for something else is
// not valid here.
func (s *Signed) Signatures() []policy.ApprovalSignature {
	var list []policy.ApprovalSignature
	name := runbook.PayloadName(s.File.Name)
	for _, one := range s.Report.Signatures {
		verdict := one.Verdict.String()
		if c := one.Claims; c != nil && (c.Name != "" && c.Name != name || c.Kind != "" && c.Kind != runbook.Statement.String()) {
			verdict = verifier.CodeContradicts
		}
		list = append(list, policy.ApprovalSignature{Verdict: verdict, IDs: one.Signer.IDs})
	}
	return list
}

// SignedBy reports whether a valid signature on the statement is by this identity.
func (s *Signed) SignedBy(id string) bool {
	return slices.ContainsFunc(s.Signatures(), func(one policy.ApprovalSignature) bool {
		return one.Verdict == string(verifier.Valid) && slices.Contains(one.IDs, id)
	})
}
