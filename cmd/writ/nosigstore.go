//go:build nosigstore

package main

import "github.com/runwrit/writ/signer"

// sigstoreSigners is empty: this build is without Sigstore.
func sigstoreSigners() []signer.Format { return nil }
