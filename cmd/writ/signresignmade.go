package main

import (
	"context"
	"slices"

	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// already is the format with one signed form that has been made already. Whoever asks
// for it verifies it, as if it were made then.
func already(f signer.Format, data []byte) signer.Format {
	switch f := f.(type) {
	case signer.Beside:
		return madeBundle{f, data}
	case signer.Stripper:
		return madeInside{f, data}
	}
	return madeDocument{f, data}
}

type (
	madeBundle struct {
		signer.Beside
		data []byte
	}
	madeInside struct {
		signer.Stripper
		data []byte
	}
	madeDocument struct {
		signer.Format
		data []byte
	}
)

// Sign returns the bundle.
func (f madeBundle) Sign(context.Context, *runbook.Runbook, *signer.Key) ([]byte, error) {
	return slices.Clone(f.data), nil
}

// Sign returns the signed file.
func (f madeInside) Sign(context.Context, *runbook.Runbook, *signer.Key) ([]byte, error) {
	return slices.Clone(f.data), nil
}

// Sign returns the document.
func (f madeDocument) Sign(context.Context, *runbook.Runbook, *signer.Key) ([]byte, error) {
	return slices.Clone(f.data), nil
}
