//go:build !nosigstore

package main

import (
	"context"
	"net/url"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/oidctoken"
	"github.com/runwrit/writ/signer"
)

// sigstoreSigners is the signing half of the format of Sigstore bundles.
func sigstoreSigners() []signer.Format { return []signer.Format{format.NewSigstore()} }

// openKeyless gets a certificate from a Fulcio.
func openKeyless(ctx context.Context, fulcio *url.URL, token func(context.Context) (oidctoken.Token, error)) (*signer.Key, error) {
	return format.OpenKeyless(ctx, format.KeylessOptions{Fulcio: fulcio, Token: token})
}

// equipBundle says whom to ask about bundles.
func (o *signOptions) equipBundle(f signer.Format) signer.Format {
	if s, ok := f.(*format.Sigstore); ok {
		s.Timestamp = o.timestamp.get
		if u := o.keyless.rekorURL(); u != nil {
			s.Log = &format.LogClient{URL: u, Version: o.keyless.rekorVersion}
		}
	}
	return f
}

// rekorURL is that of the log, nil for none.
func (o *keylessOptions) rekorURL() *url.URL {
	if o.rekor == "" {
		return nil
	}
	u, err := endpoint.ParseURL("--rekor", o.rekor)
	if err != nil {
		return nil // validate has looked
	}
	return u
}

// bundleEvidence says what a bundle carries.
func bundleEvidence(bundle []byte) (stamped, logged bool) { return format.HasEvidence(bundle) }
