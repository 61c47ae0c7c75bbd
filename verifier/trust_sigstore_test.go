//go:build !nosigstore

package verifier_test

import (
	"path/filepath"
	"testing"

	"github.com/runwrit/writ/verifier"
)

func TestPublicKeysForBundlesAreAnchors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "s/sigstore/key.pub"))
	store, err := verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil || len(store.Files(verifier.RoomSigstore)) != 1 {
		t.Fatalf("%v, %v", store, err)
	}
	if got := store.Sigstore("s"); got != (verifier.SigstoreRules{Log: verifier.LogKeyless}) {
		t.Errorf("without settings: %+v", got)
	}
}

func TestSettingsForBundles(t *testing.T) {
	t.Parallel()
	store, err := verifier.NewTrust(verifier.TrustFile{
		Store: "s", Room: verifier.RoomSettings, Name: "settings", Data: []byte("sigstore-transparency-log:none\nsigstore-certificate-log:off\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := store.Sigstore("s"); got != (verifier.SigstoreRules{Log: verifier.LogNone, NoSCT: true}) {
		t.Errorf("%+v", got)
	}
}
