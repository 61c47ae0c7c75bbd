package truststore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/runwrit/writ/verifier"
)

// A file that comes up in the last moment is not overwritten, and what was placed
// before it is taken back.
func TestAFileOfTheSameNameThatComesUpMeanwhileStays(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "trust")
	w, err := openWriter(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"prod/openpgp/a.asc", "prod/x509-ca/b.pem"} {
		if err := w.stage(verifier.TrustFile{Store: "prod", Name: name, Data: []byte("ours")}); err != nil {
			t.Fatal(err)
		}
	}
	theirs := filepath.Join(dir, "prod", "x509-ca", "b.pem")
	if err := os.WriteFile(theirs, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	var exists *ExistsError
	if err := w.place(dir); !errors.As(err, &exists) {
		t.Errorf("got %v", err)
	}
	if err := w.close(true); err == nil {
		t.Error("the folder with their file in it was removed")
	}
	data, err := os.ReadFile(theirs)
	if err != nil || string(data) != "theirs" {
		t.Errorf("their file: %q, %v", data, err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "prod"))
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
