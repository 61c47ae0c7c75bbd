//go:build !nosigstore

package testsigstore_test

import (
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/runwrit/writ/internal/testenv/testsigstore"
)

// TestTheLibraryOfSigstoreSignsWithIt: what stands in for a service is not simpler
// than that.
func TestTheLibraryOfSigstoreSignsWithIt(t *testing.T) {
	t.Parallel()
	s := testsigstore.Start(t)
	trust, err := root.NewTrustedRootFromJSON(s.TrustedRoot(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := sign.Bundle(&sign.PlainData{Data: []byte("echo\n")}, key, sign.BundleOptions{
		CertificateProvider: sign.NewFulcio(&sign.FulcioOptions{BaseURL: s.Fulcio}), CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: s.Jobs.Workflow(t, "org/lib", "sign.yml")},
		TransparencyLogs: []sign.Transparency{sign.NewRekor(&sign.RekorOptions{BaseURL: s.Rekor.URL})}, Context: t.Context(),
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.NewBundle(made)
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.NewVerifier(trust, verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := verify.NewShortCertificateIdentity(s.Jobs.URL, "", "https://github.com/org/lib/.github/workflows/sign.yml@refs/heads/main", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(b, verify.NewPolicy(verify.WithArtifact(strings.NewReader("echo\n")), verify.WithCertificateIdentity(identity))); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(b, verify.NewPolicy(verify.WithArtifact(strings.NewReader("echo!\n")), verify.WithCertificateIdentity(identity))); err == nil {
		t.Error("another artifact verifies")
	}
}
