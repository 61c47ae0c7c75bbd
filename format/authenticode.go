package format

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// Authenticode is the signature format of Windows for PowerShell scripts, in
// .ps1, .psm1 and .psd1 files: a block of comments at the end of the file holds
// a PKCS #7 signature over the text before it. It is a verifier.Format and a
// signer.Format.
//
// It accepts only what Windows writes, byte for byte, and only what reads as one
// text on every host. A timestamp by an authority of the trust store says when a
// signature was made, and its certificate is judged as of then; every other one
// is judged now. It does not ask for revocation.
// docs/formats/authenticode.md says what it refuses, and why.
type Authenticode struct {
	// Now is the clock by which Sign judges the signing certificate; time.Now if
	// nil. Verification gets its time from the verifier.
	Now func() time.Time
}

// NewAuthenticode returns the format.
func NewAuthenticode() *Authenticode { return &Authenticode{} }

// authenticodeName is the format's stable word.
const authenticodeName = "authenticode"

// Name implements verifier.Format and signer.Format.
func (a *Authenticode) Name() string { return authenticodeName }

// OutputName implements signer.Format: the signature goes into the file.
func (a *Authenticode) OutputName(name string) string { return name }

// Load implements verifier.Format. It reads the room x509-ca: self-signed
// certificates are roots, the others may complete a chain. It fails with
// *verifier.TrustError if a file there is not certificates.
func (a *Authenticode) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	anchors, err := loadAuthenticodeAnchors(t)
	if err != nil {
		return nil, err
	}
	return &authenticodeChecker{anchors: anchors}, nil
}

// authenticodeChecker holds nothing that changes but a cache with its own lock.
type authenticodeChecker struct{ anchors *authenticodeAnchors }

// Check implements verifier.Checker.
func (c *authenticodeChecker) Check(_ context.Context, rb *runbook.Runbook, now time.Time) (o verifier.Outcome) {
	if !carriesAuthenticode(rb) {
		return verifier.Outcome{}
	}
	rb.View(func(data []byte) { o = c.check(data, now) })
	o.PayloadDigest = rb.Digest // the payload is the whole file
	return o
}

// carriesAuthenticode goes by the name alone, as Windows does. A NAME.ps1.asc is
// a clear-signed document.
func carriesAuthenticode(rb *runbook.Runbook) bool {
	if runbook.PayloadName(rb.Name()) != rb.Name() {
		return false
	}
	switch rb.Kind() {
	case runbook.PowerShell, runbook.PowerShellModule, runbook.PowerShellData:
		return true
	default:
		return false
	}
}

// clearSignedHead begins a clear-signed document, whatever its name is.
const clearSignedHead = "-----BEGIN PGP SIGNED MESSAGE-----"

func (c *authenticodeChecker) check(data []byte, now time.Time) verifier.Outcome {
	x, claimed := c.exam(data, now)
	if !claimed {
		return verifier.Outcome{Capable: true}
	}
	return x.outcome()
}

// exam examines a file, unless it is not of this format.
func (c *authenticodeChecker) exam(data []byte, now time.Time) (x *authenticodeExam, claimed bool) {
	script, err := authscript.Parse(data)
	if errors.Is(err, authscript.ErrNoBlock) {
		return nil, false
	}
	if err != nil && bytes.HasPrefix(data, []byte(clearSignedHead)) {
		// The markers belong to the clear-signed text. With a whole block at the
		// end the file is of two formats, and the verifier refuses it.
		return nil, false
	}
	x = newAuthenticodeExam(data, now, c.anchors)
	x.examine(script, err)
	return x, true
}
