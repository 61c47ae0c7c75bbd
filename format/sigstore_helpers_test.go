//go:build !nosigstore

package format_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// sigstoreScript is a text that no other format would sign as it is.
var sigstoreScript = []byte("#!/bin/bash\necho 'trailing blanks stay'  \r\nno newline at the end")

func bareKey(t testing.TB, private crypto.Signer) *signer.Key {
	t.Helper()
	key, err := signer.NewBareKey("test key", private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSAKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pkcs8PEM(t testing.TB, private crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func publicPEM(t testing.TB, key *signer.Key) []byte {
	t.Helper()
	text, err := key.PublicPEM()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// inRoom is a file of a trust store, in the store "ops".
func inRoom(room verifier.Room, name string, data []byte) verifier.TrustFile {
	return verifier.TrustFile{Store: "ops", Room: room, Name: "ops/" + string(room) + "/" + name, Data: data}
}

func trustOf(t testing.TB, files ...verifier.TrustFile) *verifier.TrustStore {
	t.Helper()
	trust, err := verifier.NewTrust(files...)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// keyTrust trusts the public half of keys.
func keyTrust(t testing.TB, keys ...*signer.Key) *verifier.TrustStore {
	t.Helper()
	var files []verifier.TrustFile
	for i, key := range keys {
		files = append(files, inRoom(verifier.RoomSigstore, string(rune('a'+i))+".pub", publicPEM(t, key)))
	}
	return trustOf(t, files...)
}

func sigstoreVerifier(t testing.TB, trust *verifier.TrustStore, now time.Time) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(trust, verifier.Options{
		Formats: []verifier.Format{format.NewAuthenticode(), format.NewClearsign(), format.NewDetached(), format.NewSigstore()},
		Now:     func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func bundleBy(t testing.TB, key *signer.Key, name string, content []byte) []byte {
	t.Helper()
	rb, err := runbook.Parse(name, content)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := format.NewSigstore().Sign(t.Context(), rb, key)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// edited is a JSON document after a change.
func edited(t testing.TB, document []byte, change func(map[string]any)) []byte {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		t.Fatal(err)
	}
	change(fields)
	out, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// inside is the object at a path in a document.
func inside(fields map[string]any, path ...string) map[string]any {
	for _, p := range path {
		fields, _ = fields[p].(map[string]any)
	}
	return fields
}

func failedChecks(r *verifier.Report) (failed []verifier.CheckID) {
	for _, s := range r.Signatures {
		for _, c := range s.Checks {
			if c.Status == verifier.StatusFailed {
				failed = append(failed, c.ID)
			}
		}
	}
	return failed
}
