//go:build !nosigstore

package format_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/json"
	"testing"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

// FuzzSigstoreBundle: whatever lies beside a file, there is an answer, and it is yes
// only for what a trusted signer signed: the same signature over the same bytes.
func FuzzSigstoreBundle(f *testing.F) {
	w := newSigstoreWorld(f, testenv.VectorTime())
	key := bareKey(f, newECKey(f, elliptic.P256()))
	v := sigstoreVerifier(f, trustOf(f, append(w.files(jobEntry), inRoom(verifier.RoomSigstore, "k.pub", publicPEM(f, key)))...), w.now)
	seeds := [][]byte{
		bundleBy(f, key, "deploy.sh", sigstoreScript), w.sign(keyless{}), w.sign(keyless{rekor2: true}),
		w.sign(keyless{version: "0.1", chain: true, without: "proof"}), w.sign(keyless{version: "0.2", chain: true}),
	}
	signed := map[string]bool{}
	for _, s := range seeds {
		f.Add(s)
		signed[signatureOf(s)] = true
	}
	f.Fuzz(func(t *testing.T, bundle []byte) {
		if len(bundle) > 64<<10 {
			return
		}
		report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(bundle))
		if report.Verdict == verifier.Valid && !signed[signatureOf(bundle)] {
			t.Fatalf("valid, by nobody: %s", bundle)
		}
	})
}

func signatureOf(bundle []byte) string {
	var fields struct {
		MessageSignature struct{ Signature []byte } `json:"messageSignature"`
	}
	_ = json.Unmarshal(bundle, &fields)
	return string(fields.MessageSignature.Signature)
}

// FuzzSigstoreTrust: whatever lies in the rooms, they load or they are refused.
func FuzzSigstoreTrust(f *testing.F) {
	w := newSigstoreWorld(f, testenv.VectorTime())
	f.Add(w.trustedRoot(), []byte(jobEntry))
	f.Add(publicPEM(f, bareKey(f, newECKey(f, elliptic.P256()))), []byte(`sigstore-identity:a issuer-regex="^a$" san-regex="^b|c$"`))
	f.Fuzz(func(t *testing.T, room, list []byte) {
		if len(room) == 0 || len(list) == 0 || len(room)+len(list) > 64<<10 {
			return
		}
		for _, name := range []string{"trusted_root.json", "key.pub"} {
			trust, err := verifier.NewTrust(inRoom(verifier.RoomSigstore, name, room), inRoom(verifier.RoomSigstoreIdentities, "list", list))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := format.NewSigstore().Load(trust); err == nil && bytes.Contains(list, []byte("sigstore-identity")) && name == "key.pub" {
				t.Fatal("identities without a trusted root")
			}
		}
	})
}

// TestNoBitFlipInABundleStaysValidForAnotherSignature takes every 17th byte of three
// bundles.
func TestNoBitFlipInABundleStaysValidForAnotherSignature(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	key := bareKey(t, newECKey(t, elliptic.P256()))
	v := sigstoreVerifier(t, trustOf(t, append(w.files(jobEntry), inRoom(verifier.RoomSigstore, "k.pub", publicPEM(t, key)))...), w.now)
	for _, bundle := range [][]byte{bundleBy(t, key, "deploy.sh", sigstoreScript), w.sign(keyless{}), w.sign(keyless{rekor2: true})} {
		for i := 0; i < len(bundle); i += 17 {
			flipped := bytes.Clone(bundle)
			flipped[i] ^= 1
			report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(flipped))
			if report.Verdict == verifier.Valid && signatureOf(flipped) != signatureOf(bundle) {
				t.Errorf("byte %d: valid with another signature", i)
			}
		}
		other := bytes.Clone(sigstoreScript)
		other[3] ^= 1
		if report, _ := besideVerdict(t, v, "deploy.sh", other, bundleBeside(bundle)); report.Verdict != verifier.Tampered {
			t.Errorf("another file: %s", report.Verdict)
		}
	}
}

func BenchmarkKeylessBundle(b *testing.B) {
	w := newSigstoreWorld(b, testenv.VectorTime())
	v := sigstoreVerifier(b, trustOf(b, w.files(jobEntry)...), w.now)
	rb, err := runbook.ParseWithSidecars("deploy.sh", sigstoreScript, bundleBeside(w.sign(keyless{})))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := v.Verify(b.Context(), rb); err != nil {
			b.Fatal(err)
		}
	}
}
