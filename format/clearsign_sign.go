package format

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/manifest"
	"github.com/runwrit/writ/internal/statement"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// Sign returns the clear-signed form of rb. What is executed later is the
// runbook byte for byte: a text that the format would change, or that GnuPG
// would cut, is refused with *signer.InputError, which names the line. It fails
// with *signer.KeyError if the key may not sign now.
func (c *Clearsign) Sign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	if statement.Is(rb.Bytes()) || rb.Kind() == runbook.Statement {
		return nil, &signer.InputError{
			Name: rb.Name(), Line: 1, Msg: "the text is a statement about a runbook, and no runbook",
			Fix: "to approve a runbook, name the runbook: writ approve",
		}
	}
	return c.clearsign(ctx, rb, key)
}

// clearsign is Sign, of statements too.
func (c *Clearsign) clearsign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	text := rb.Bytes()
	if err := checkSource(rb.Name(), text); err != nil {
		return nil, err
	}
	_, hash, err := openpgpDigest(key)
	if err != nil {
		return nil, err
	}
	value, err := c.signature(ctx, rb, text, key)
	if err != nil {
		return nil, err
	}
	doc, err := cleartext.New(text, hash, value)
	if err != nil {
		return nil, inputError(rb.Name(), err)
	}
	out := doc.Render()
	again, err := cleartext.Parse(out)
	if err != nil || !again.Canonical() || !bytes.Equal(again.Text(), text) {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "the signed text would not be the runbook, byte for byte", Fix: "report this as a bug of writ"}
	}
	return out, nil
}

// signature makes the signature packet over text, the runbook's own, with the
// claims about rb.
func (c *Clearsign) signature(ctx context.Context, rb *runbook.Runbook, text []byte, key *signer.Key) ([]byte, error) {
	notations, err := claimNotations(rb, c.Version, c.Namespace)
	if err != nil {
		return nil, err
	}
	return signText(ctx, key, text, notations, c.Now)
}

// checkSource refuses what cannot be clear-signed without a loss.
func checkSource(name string, text []byte) error {
	if strings.EqualFold(path.Ext(name), runbook.SignatureExt) {
		return &signer.InputError{
			Name: name, Msg: "the name says that this is a signed file already",
			Fix: fmt.Sprintf("sign the runbook itself: writ sign %q", runbook.PayloadName(name)),
		}
	}
	if manifest.IsManifest(text) && name != runbook.ManifestName {
		return &signer.InputError{
			Name: name, Line: 1, Msg: "the text is a manifest, which lists the files of a project, and no runbook",
			Fix: "sign the project: writ manifest sign",
		}
	}
	if place, _ := cleartext.Locate(text); place == cleartext.AtStart {
		return &signer.InputError{
			Name: name, Line: 1, Msg: "the file is a clear-signed document already",
			Fix: "sign the runbook inside: writ verify --payload FILE writes it out",
		}
	}
	if err := cleartext.CheckText(text); err != nil {
		return inputError(name, err)
	}
	return nil
}

// normalizable is what Normalize repairs.
var normalizable = []cleartext.Code{cleartext.TrailingBlanks, cleartext.TrailingCR, cleartext.NoFinalNewline}

func inputError(name string, err error) error {
	var syntax *cleartext.SyntaxError
	if errors.As(err, &syntax) {
		fix := syntax.Fix
		if slices.Contains(normalizable, syntax.Code) {
			fix += "; writ sign --normalize does that, and shows what changes"
		}
		return &signer.InputError{Name: name, Line: syntax.Line, Msg: syntax.Detail, Fix: fix}
	}
	return &signer.InputError{Name: name, Msg: err.Error()}
}
