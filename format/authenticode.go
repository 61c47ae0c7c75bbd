package format

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// Authenticode is the signature format of Windows for script files: a block of
// comments in the file, mostly at its end, holds a PKCS #7 signature over the
// rest of the text. It is a verifier.Format and a signer.Format.
//
// The extension of the name, and nothing else, says whether a file is of this
// format: .ps1 .psm1 .psd1, .ps1xml .psc1 .cdxml, .mof, .vbs .vbe, .js .jse, .wsf.
//
// It accepts only what Windows writes, byte for byte, and only what reads as one
// text on every host. A timestamp by an authority of the trust store says when a
// signature was made, and its certificate is judged as of then; every other one
// is judged now. Of revocations it knows what the trust store
// holds, and what Fetch gets.
// docs/formats/authenticode.md says what it refuses, and why.
type Authenticode struct {
	// Now is the clock by which Sign judges the signing certificate; time.Now if
	// nil. Verification gets its time from the verifier.
	Now func() time.Time
	// Timestamp gets the timestamp of a signature that Sign makes, and if it
	// fails nothing is signed; nil for none.
	Timestamp signer.TimestampFunc
	// Fetch, if given, gets revocation lists and OCSP responses where the trust
	// store has no fresh answer; nil: nothing is ever fetched.
	Fetch FetchFunc
	// Catalogs are asked about files that carry no signature of their own.
	Catalogs []Catalog
	// AddMark has Sign put a byte-order mark before UTF-8 text that has none and
	// is not ASCII, instead of refusing it. The mark is then part of the script.
	AddMark bool
	// CodePage is one more ANSI code page, of CodePages, under which a check tries
	// the digest of text that has no byte-order mark and is not ASCII; zero for
	// none. It only helps to say what happened: such text is never valid.
	CodePage int
}

// NewAuthenticode returns the format.
func NewAuthenticode() *Authenticode { return &Authenticode{} }

// authenticodeName is the format's stable word.
const authenticodeName = "authenticode"

func (a *Authenticode) clock() time.Time {
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	return now()
}

// Name implements verifier.Format and signer.Format.
func (a *Authenticode) Name() string { return authenticodeName }

// OutputName implements signer.Format: the signature goes into the file.
func (a *Authenticode) OutputName(name string) string { return name }

// Load implements verifier.Format. It reads the rooms x509-ca and tsa (self-signed
// certificates are roots, the others may complete a chain), x509-pins, crl and
// deny, and the settings of the stores. It fails with *verifier.TrustError if a file there cannot be
// read or honoured whole, and with *CatalogError if a catalog cannot be read.
func (a *Authenticode) Load(t *verifier.TrustStore) (verifier.Checker, error) {
	trust, err := loadAuthenticodeTrust(t, a.Fetch)
	if err != nil {
		return nil, err
	}
	catalogs, err := loadCatalogs(a.Catalogs)
	if err != nil {
		return nil, err
	}
	return &authenticodeChecker{trust: trust, catalogs: catalogs, codePage: a.CodePage}, nil
}

// authenticodeChecker holds nothing that changes but caches with their own locks.
type authenticodeChecker struct {
	trust    *authenticodeTrust
	catalogs []*catalog
	codePage int
}

// Check implements verifier.Checker.
func (c *authenticodeChecker) Check(_ context.Context, rb *runbook.Runbook, now time.Time) (o verifier.Outcome) {
	style, ok := scriptStyle(rb.Name())
	if !ok {
		return verifier.Outcome{}
	}
	rb.View(func(data []byte) { o = c.check(style, data, now) })
	o.PayloadDigest = rb.Digest // the payload is the whole file
	return o
}

// CarriesAuthenticode reports whether a runbook of this name can carry an
// Authenticode signature. It goes by the extension alone, as Windows does.
func CarriesAuthenticode(name string) bool {
	_, ok := scriptStyle(name)
	return ok
}

// scriptStyle is authscript.StyleOf, but a NAME.ps1.asc is a clear-signed
// document.
func scriptStyle(name string) (*authscript.Style, bool) {
	if runbook.PayloadName(name) != name {
		return nil, false
	}
	return authscript.StyleOf(name)
}

// clearSignedHead begins a clear-signed document, whatever its name is.
const clearSignedHead = "-----BEGIN PGP SIGNED MESSAGE-----"

func (c *authenticodeChecker) check(style *authscript.Style, data []byte, now time.Time) verifier.Outcome {
	x, claimed := c.exam(style, data, now)
	switch {
	case claimed:
		o := x.outcome()
		c.noteCatalogs(&o, style, data)
		return o
	case bytes.HasPrefix(data, []byte(clearSignedHead)):
		return verifier.Outcome{Capable: true}
	default:
		return c.checkCatalogs(style, data, now)
	}
}

// exam examines a file, unless it is not of this format.
func (c *authenticodeChecker) exam(style *authscript.Style, data []byte, now time.Time) (x *authenticodeExam, claimed bool) {
	script, err := authscript.Parse(style, data)
	if errors.Is(err, authscript.ErrNoBlock) {
		return nil, false
	}
	if err != nil && bytes.HasPrefix(data, []byte(clearSignedHead)) {
		// The markers belong to the clear-signed text. With a whole block at the
		// end the file is of two formats, and the verifier refuses it.
		return nil, false
	}
	x = newAuthenticodeExam(style, data, now, c.trust)
	x.codePage = c.codePage
	x.examine(script, err)
	return x, true
}
