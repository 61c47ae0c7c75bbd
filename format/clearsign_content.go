package format

import (
	"bytes"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// Content returns the text that the signatures of the document rb cover, which is
// also the payload. It says nothing about whether one of them is good. It fails with
// *signer.InputError where rb is no well-made document, or holds text that is not
// covered.
func (*Clearsign) Content(rb *runbook.Runbook) (text []byte, err error) {
	rb.View(func(data []byte) {
		doc, parseErr := cleartext.Parse(data)
		switch {
		case parseErr != nil:
			err = inputError(rb.Name(), parseErr)
		case !doc.Canonical():
			err = &signer.InputError{Name: rb.Name(), Msg: "the file holds blanks or carriage returns that its signature does not cover"}
		default:
			text = bytes.Clone(doc.Text())
		}
	})
	return text, err
}
