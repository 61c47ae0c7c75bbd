//go:build !nosigstore

package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/runwrit/writ/internal/testenv/testsigstore"
)

// inFulcio has no key: the real Fulcio certifies one that the program makes.
func (w *keyWork) inFulcio(t *testing.T, _ string) {
	s := testsigstore.Start(t)
	w.person, w.vouchedBy = "op@example.org", s.People.URL
	for _, dir := range []string{"trust", "trust/test", "trust/test/sigstore", "trust/test/sigstore-identities"} {
		if err := os.Mkdir(w.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, fulcioRoot, s.TrustedRoot(t, nil))
	w.write(t, "trust/test/sigstore-identities/us", fmt.Appendf(nil, "sigstore-identity:op issuer=%q san=%q\n", w.vouchedBy, w.person))
	w.write(t, "token.jwt", []byte(s.People.Email(t, w.person)))
	w.flags = []string{"--fulcio", s.Fulcio, "--rekor", s.Rekor.URL, "--identity-token-file", "token.jwt", "--trust", "trust"}
	w.env = append(w.env, "HOME="+w.dir)
}

// writeCertified writes the public key of the bundle's certificate: key.pub.
func (w *keyWork) writeCertified(t *testing.T) {
	t.Helper()
	var bundle struct {
		VerificationMaterial struct {
			Certificate struct{ RawBytes string }
		}
	}
	data, err := os.ReadFile(w.path("b.sh.sigstore.json"))
	if err == nil {
		err = json.Unmarshal(data, &bundle)
	}
	if err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(bundle.VerificationMaterial.Certificate.RawBytes)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(leaf.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "key.pub", public)
}
