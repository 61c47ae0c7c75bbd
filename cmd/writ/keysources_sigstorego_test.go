//go:build !nosigstore

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// sigstoreGo verifies the bundle as a program would that has the library, the file
// and the public key, or the trusted root and the name of who signed, and knows
// nothing of writ.
func (w *keyWork) sigstoreGo(t *testing.T) {
	made, err := bundle.LoadJSONFromPath(w.path("b.sh.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	library, signer := w.libraryWithKey, []verify.PolicyOption{verify.WithKey()}
	if w.person != "" {
		identity, err := verify.NewShortCertificateIdentity(w.vouchedBy, "", w.person, "")
		if err != nil {
			t.Fatal(err)
		}
		library, signer = w.libraryWithRoot, []verify.PolicyOption{verify.WithCertificateIdentity(identity)}
	}
	v, err := library()
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]bool{bashScript: true, bashScript + "#": false} {
		_, err := v.Verify(made, verify.NewPolicy(verify.WithArtifact(strings.NewReader(content)), signer...))
		if (err == nil) != want {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// libraryWithKey trusts the public key, with the digest that the library takes for
// keys of its kind.
func (w *keyWork) libraryWithKey() (*verify.Verifier, error) {
	data, err := os.ReadFile(w.path("key.pub"))
	if err != nil {
		return nil, err
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(data)
	if err != nil {
		return nil, err
	}
	loaded, err := signature.LoadDefaultVerifier(public)
	if err != nil {
		return nil, err
	}
	always := root.NewExpiringKey(loaded, time.Time{}, time.Time{})
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return always, nil })
	return verify.NewVerifier(material, verify.WithNoObserverTimestamps())
}

// libraryWithRoot trusts Fulcio, and wants the logs to have all of it.
func (w *keyWork) libraryWithRoot() (*verify.Verifier, error) {
	material, err := root.NewTrustedRootFromPath(w.path(fulcioRoot))
	if err != nil {
		return nil, err
	}
	return verify.NewVerifier(material, verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1))
}
