package verifier

import (
	"context"
	"fmt"
	"slices"

	"github.com/runwrit/writ/runbook"
)

// examineInside looks at the text of a valid document, which may carry a
// signature of another format. The document vouches for its text as it is, also
// where a stranger has signed that. But a signature in it that proves that it was
// changed, or is revoked, refuses the document: nothing that is valid hides it.
// That line ends were converted proves nothing, since a document keeps no CR.
func (v *Verifier) examineInside(ctx context.Context, report *Report, text *runbook.Runbook) error {
	given := answers{}
	for i, c := range v.checkers {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("inspect %q: %w", report.Name, err)
		}
		if v.names[i] != report.Format {
			given.add(v.names[i], c.Check(ctx, text, report.At))
		}
	}
	if len(given.own) == 0 {
		return nil
	}
	inner := &Report{Name: text.Name(), Kind: text.Kind()}
	given.settle(inner)
	verdict := inner.Verdict
	if verdict == Damaged && inner.failed(CheckRevocation, CheckDeny) {
		verdict = Revoked
	}
	switch verdict {
	case Tampered, BadSignature, Revoked:
		report.Verdict = Worst(report.Verdict, verdict)
		report.Findings = append(report.Findings, Finding{
			Code:   "inner-signature",
			Detail: fmt.Sprintf("the text is %s by the signature of format %s that it carries itself%s", verdict, inner.Format, inner.reason()),
			Fix:    "take that signature off the source, or sign the source again, and then sign the document again",
		})
	default: // it proves nothing against the text
	}
	return nil
}

// failed reports whether a signature fails one of the checks.
func (r *Report) failed(ids ...CheckID) bool {
	return slices.ContainsFunc(r.Signatures, func(s Signature) bool {
		return slices.ContainsFunc(s.Checks, func(c Check) bool { return c.Status == StatusFailed && slices.Contains(ids, c.ID) })
	})
}
