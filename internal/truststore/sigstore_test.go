//go:build !nosigstore

package truststore_test

import (
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/anchors"
)

// TestEachAdditionNamesTheFileThatHoldsIt: the room sigstore gets several.
func TestEachAdditionNamesTheFileThatHoldsIt(t *testing.T) {
	t.Parallel()
	public, err := x509.MarshalPKIXPublicKey(key(t, "one").Leaf.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	root := func(url string) []byte {
		return []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[{"baseUrl":"` + url + `"}]}`)
	}
	list := found(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), root("https://one.example"), root("https://two.example"))
	files := map[string]bool{}
	for _, a := range plan(t, filepath.Join(t.TempDir(), "trust"), "prod", list).Added {
		if (a.Kind == anchors.KindSigstoreKey) != strings.HasSuffix(a.File, ".pem") || files[a.File] {
			t.Errorf("%s is said to be in %q", a.Kind, a.File)
		}
		files[a.File] = true
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
}
