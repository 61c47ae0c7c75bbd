//go:build nosigstore

package verifier_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/verifier"
)

// TestABuildWithoutSigstoreRefusesItsRooms and does not pass over them.
func TestABuildWithoutSigstoreRefusesItsRooms(t *testing.T) {
	t.Parallel()
	for _, room := range []verifier.Room{verifier.RoomSigstore, verifier.RoomSigstoreIdentities} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "s/x509-ca/ca.pem"))
		write(t, filepath.Join(dir, "s", string(room), "key.pub"))
		if store, err := verifier.OpenTrust(dir, verifier.TrustOptions{}); err == nil || !strings.Contains(err.Error(), "without Sigstore") {
			t.Errorf("%s: got %v, %v", room, store, err)
		}
		if _, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: room, Name: "key.pub", Data: []byte("x")}); err == nil || !strings.Contains(err.Error(), "without Sigstore") {
			t.Errorf("%s: taken as a file", room)
		}
	}
}
