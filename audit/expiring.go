package audit

import (
	"cmp"
	"slices"

	"github.com/runwrit/writ/verifier"
)

// Expiry is a valid signature that ends soon.
type Expiry struct {
	Path      string
	Signature verifier.Signature
}

// findExpiring lists the valid signatures, of whatever file, that end within the time
// that was asked for.
func (r *Result) findExpiring() {
	if r.Within <= 0 {
		return
	}
	for _, e := range r.Entries {
		until := e.Report.At.Add(r.Within)
		for _, s := range e.Report.Signatures {
			if s.Verdict == verifier.Valid && !s.Ends.IsZero() && !s.Ends.After(until) {
				r.Expiring = append(r.Expiring, Expiry{e.Path, s})
			}
		}
	}
	slices.SortStableFunc(r.Expiring, func(a, b Expiry) int {
		return cmp.Or(a.Signature.Ends.Compare(b.Signature.Ends), cmp.Compare(a.Path, b.Path))
	})
}
