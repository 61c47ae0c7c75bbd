package format

import (
	"bytes"
	"slices"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// Restore implements signer.Restorer. It undoes converted line ends and an added
// byte-order mark, where the digest and the signature of what comes out verify;
// whoever signed, and whenever. What follows a block is never cut off.
func (a *Authenticode) Restore(rb *runbook.Runbook) (restored signer.Restoration, ok bool) {
	style, carries := scriptStyle(rb.Name())
	if !carries {
		return signer.Restoration{}, false
	}
	trust, err := loadAuthenticodeTrust(&verifier.TrustStore{}, nil) // none: signers do not matter here
	if err != nil {
		return signer.Restoration{}, false
	}
	checker := &authenticodeChecker{trust: trust}
	rb.View(func(data []byte) {
		x, claimed := checker.exam(style, data, time.Time{})
		if ok = claimed && x.repairable(); ok {
			restored = signer.Restoration{Data: bytes.Clone(x.repair.Data), How: x.repair.How}
		}
	})
	return restored, ok
}

// repairable says that x.repair gives back what was signed, and that nothing is
// left out for it.
func (x *authenticodeExam) repairable() bool {
	if x.repair.Data == nil || x.repair.Cut || !x.repair.LineEnds && !x.repair.Mark {
		return false
	}
	return !slices.ContainsFunc([]verifier.CheckID{
		verifier.CheckLayout, verifier.CheckStructure, verifier.CheckSupported, verifier.CheckContentDigest, verifier.CheckSignature,
	}, func(id verifier.CheckID) bool { return !x.has(id, verifier.StatusPassed) })
}
