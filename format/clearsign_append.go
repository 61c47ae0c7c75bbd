package format

import (
	"bytes"
	"context"
	"fmt"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// Append implements signer.Appender: the new packet goes behind those that are
// there, over the same text, with the claims about the runbook that the document
// holds. Text and packets stay as they are, byte for byte. It fails with
// *signer.InputError for a document that could not be signed as it is, such as
// one that is not canonical, and for one that has as many signatures as it may.
func (c *Clearsign) Append(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	doc, parsed, err := appendable(rb)
	if err != nil {
		return nil, err
	}
	refuse := func(msg, fix string) ([]byte, error) {
		return nil, &signer.InputError{Name: rb.Name(), Msg: msg, Fix: fix}
	}
	if len(parsed) == maxOpenPGPSignatures {
		return refuse(fmt.Sprintf("it carries as many signatures as it may, %d", maxOpenPGPSignatures), "sign the source anew: writ sign --replace")
	}
	if !doc.Canonical() {
		return refuse("its text is not all signed: blanks or carriage returns at line ends", "sign the source anew, without them")
	}
	if err := cleartext.CheckText(doc.Text()); err != nil {
		return nil, inputError(rb.Name(), err)
	}
	_, hash, err := openpgpDigest(key)
	if err != nil {
		return nil, err
	}
	value, err := c.signature(ctx, rb, doc.Text(), key)
	if err != nil {
		return nil, err
	}
	// A header that names some functions must name all: GnuPG hashes with no other.
	var names []string
	for _, p := range parsed {
		if p.err == nil && p.Hash != 0 {
			names = append(names, p.HashName())
		}
	}
	more, err := doc.Append(value, append(names, hash)...)
	if err != nil {
		return nil, inputError(rb.Name(), err)
	}
	out := more.Render()
	again, err := cleartext.Parse(out)
	if err != nil || !again.Canonical() || !bytes.Equal(again.Text(), doc.Text()) ||
		!bytes.Equal(again.Signature(), append(bytes.Clone(doc.Signature()), value...)) {
		return refuse("the document would not be the same with one more signature", "report this as a bug of writ")
	}
	return out, nil
}

// Signatures implements signer.Appender: how many signatures the document rb
// holds. It fails with *signer.InputError if it cannot tell.
func (c *Clearsign) Signatures(rb *runbook.Runbook) (int, error) {
	_, parsed, err := appendable(rb)
	return len(parsed), err
}

// appendable takes a document apart.
func appendable(rb *runbook.Runbook) (*cleartext.Document, []*parsedSignature, error) {
	data := rb.Bytes()
	if place, _ := cleartext.Locate(data); place != cleartext.AtStart {
		return nil, nil, &signer.InputError{Name: rb.Name(), Msg: "this is no clear-signed document"}
	}
	doc, err := cleartext.Parse(data)
	if err != nil {
		return nil, nil, inputError(rb.Name(), err)
	}
	parsed, _, problem := readSignatures(doc.Signature())
	if problem.Code != "" {
		return nil, nil, &signer.InputError{Name: rb.Name(), Msg: problem.Detail}
	}
	return doc, parsed, nil
}
