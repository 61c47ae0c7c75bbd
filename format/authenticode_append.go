package format

import (
	"context"
	"errors"
	"fmt"

	"github.com/runwrit/writ/internal/authscript"
	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// Append implements signer.Appender: the new signature covers the same content
// and goes into the unsigned attributes of the one that is there, which stays as
// it is. It fails with *signer.InputError for a file that carries no well-made
// signature, and for one that would then carry more than a verifier accepts.
func (a *Authenticode) Append(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	script, err := a.signable(rb)
	if err != nil {
		return nil, err
	}
	if script.Block == nil {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "there is no signature to add another one to", Fix: "sign it first, without --append"}
	}
	nested, err := a.signScript(ctx, script, key)
	if err != nil {
		return nil, err
	}
	if script.Block, err = cms.AddUnsigned(script.Block, cms.OIDNestedSignature, nested); err != nil {
		return nil, fmt.Errorf("add a signature: %w", err)
	}
	if n, err := countSignatures(script.Block); err != nil || n > 1+maxNested {
		return nil, &signer.InputError{Name: rb.Name(), Msg: fmt.Sprintf("it carries as many nested signatures as it may, %d", maxNested)}
	}
	if len(script.Block) > authscript.MaxBlock {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "its signatures together would be larger than a signature block may be"}
	}
	return script.Render(), nil
}

// Signatures implements signer.Appender: how many signatures rb carries, nested
// ones included. It fails with *signer.InputError if it cannot tell.
func (a *Authenticode) Signatures(rb *runbook.Runbook) (int, error) {
	script, err := a.signable(rb)
	if err != nil || script.Block == nil {
		return 0, err
	}
	n, err := countSignatures(script.Block)
	if err != nil {
		return 0, &signer.InputError{Name: rb.Name(), Msg: fmt.Sprintf("its signature cannot be understood: %v", err)}
	}
	return n, nil
}

func countSignatures(block []byte) (int, error) {
	sd, err := cms.Parse(block)
	if err != nil {
		return 0, err
	}
	nested, err := nestedMessages(&sd.Signer)
	return 1 + len(nested), err
}

// Unsign implements signer.Unsigner: the content without the block and the CRLF
// that belongs to it, whatever the text is. It fails with *signer.InputError if
// the block is not well made, or does not hold a signature: what is not
// understood is never cut off.
func (a *Authenticode) Unsign(rb *runbook.Runbook) ([]byte, error) {
	refuse := func(line int, msg, fix string) ([]byte, error) {
		return nil, &signer.InputError{Name: rb.Name(), Line: line, Msg: msg, Fix: fix}
	}
	style, ok := scriptStyle(rb.Name())
	if !ok {
		return refuse(0, "a file of this type carries no signature block", "")
	}
	data := rb.Bytes()
	script, err := authscript.Parse(style, data)
	var layout *authscript.LayoutError
	switch {
	case errors.Is(err, authscript.ErrNoBlock):
		return data, nil
	case errors.As(err, &layout):
		return refuse(layout.Line, layout.Msg, unsignableFix(style, data, layout))
	case err != nil:
		return refuse(0, err.Error(), "")
	}
	if _, err := cms.Parse(script.Block); err != nil {
		return refuse(0, fmt.Sprintf("the signature block at the end is not a signature: %v", err), "look at it, and remove it by hand")
	}
	content := script.Unsigned()
	if _, err := authscript.Parse(style, content); !errors.Is(err, authscript.ErrNoBlock) {
		return refuse(0, "without its signature block the file would still hold lines that look like one", "look at them, and remove the block by hand")
	}
	return content, nil
}
