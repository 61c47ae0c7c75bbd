//go:build !nosigstore

package main

import (
	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/signer"
)

// sigstoreSigners is the signing half of the format of Sigstore bundles.
func sigstoreSigners() []signer.Format { return []signer.Format{format.NewSigstore()} }
