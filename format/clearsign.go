package format

import (
	"context"
	"time"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Clearsign is the format of OpenPGP clear-signed text, both halves: it makes
// NAME.asc of the runbook NAME, and verifies such documents. The payload of a
// document is its canonical text, each line with one LF behind it, and never the
// file. docs/formats/clearsign.md describes the format and what is refused.
type Clearsign struct {
	// Now is the clock that signatures are dated by; time.Now if nil.
	Now func() time.Time
	// Version and Namespace are what signatures claim of the runbook beside its
	// name and kind, in the forms of verifier.Claims; "" claims nothing.
	Version, Namespace string
}

// NewClearsign returns the format with the system's clock.
func NewClearsign() *Clearsign { return &Clearsign{Now: time.Now} }

// Name is "clearsign".
func (*Clearsign) Name() string { return clearsignName }

const clearsignName = "clearsign"

// OutputName is the name with ".asc" behind it.
func (*Clearsign) OutputName(name string) string { return name + runbook.SignatureExt }

// Load reads the certificates of the trust store: armored with one or more
// blocks, binary, or GnuPG keyboxes, and the pins and settings. It fails with
// *verifier.TrustError if a file has no usable certificate or holds secret keys,
// or pins cannot be read. A bad certificate beside good ones is left out; a
// signature by it is untrusted, and a finding says why.
func (c *Clearsign) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	judge, err := loadOpenPGP(clearsignName, t)
	if err != nil {
		return nil, err
	}
	return &clearsignChecker{judge}, nil
}

// clearsignChecker verifies documents. It is safe for several goroutines.
type clearsignChecker struct{ openpgpJudge }

// Check looks at one file.
func (c *clearsignChecker) Check(_ context.Context, rb *runbook.Runbook, now time.Time) (out verifier.Outcome) {
	rb.View(func(data []byte) { out = c.examine(rb, data, now) })
	return refuseStatement(rb, refuseManifest(out))
}
