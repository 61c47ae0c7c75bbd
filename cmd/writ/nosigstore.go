//go:build nosigstore

package main

import (
	"context"
	"net/url"

	"github.com/runwrit/writ/internal/oidctoken"
	"github.com/runwrit/writ/signer"
)

// sigstoreSigners is empty: this build is without Sigstore.
func sigstoreSigners() []signer.Format { return nil }

func openKeyless(context.Context, *url.URL, func(context.Context) (oidctoken.Token, error)) (*signer.Key, error) {
	return nil, errUnknownFormat(formatSigstore)
}

func (*signOptions) equipBundle(f signer.Format) signer.Format { return f }

func bundleEvidence([]byte) (stamped, logged bool) { return false, false }
