package verifier_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/runwrit/writ/verifier"
)

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("anchor"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenTrustReadsStoresAndRooms(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "trust")
	for _, path := range []string{"prod/x509-ca/ca.pem", "prod/openpgp/alice.asc", "test/x509-ca/ca.pem", "README.md", "prod/.gitkeep"} {
		write(t, filepath.Join(dir, path))
	}
	store, err := verifier.OpenTrust(dir, verifier.TrustOptions{Guarded: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(store.Files(verifier.RoomX509CA)); n != 2 {
		t.Errorf("%d files in x509-ca, want 2", n)
	}
	if n := len(store.Files(verifier.RoomOpenPGP)); n != 1 {
		t.Errorf("%d files in openpgp, want 1", n)
	}
	before := store.Digest()
	write(t, filepath.Join(dir, "test/openpgp/mallory.asc"))
	store, err = verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil || store.Digest() == before {
		t.Errorf("a file more does not change the digest (%v)", err)
	}
}

func TestOpenTrustRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"an unknown room":               func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/x509_ca/ca.pem")) },
		"a deny list it cannot honour":  func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/deny/list")) },
		"revocations it cannot honour":  func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/crl/ca.crl")) },
		"a file outside a room":         func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ca.pem")) },
		"a file between store and room": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/ca.pem")) },
		"a folder inside a room":        func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/x509-ca/more/ca.pem")) },
		"a link to a file":              func(t *testing.T, dir string) { link(t, "ca.pem", filepath.Join(dir, "s/x509-ca/b.pem")) },
		"a link to a folder":            func(t *testing.T, dir string) { link(t, "s", filepath.Join(dir, "other")) },
		"an empty file": func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "s/x509-ca/e.pem"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"nothing in it": func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "s")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "s/x509-ca/ca.pem"))
			spoil(t, dir)
			var te *verifier.TrustError
			if store, err := verifier.OpenTrust(dir, verifier.TrustOptions{}); !errors.As(err, &te) {
				t.Errorf("got %v, %v; want *TrustError", store, err)
			}
		})
	}
	var te *verifier.TrustError
	if _, err := verifier.OpenTrust(filepath.Join(t.TempDir(), "missing"), verifier.TrustOptions{}); !errors.As(err, &te) {
		t.Errorf("missing folder: got %v, want *TrustError", err)
	}
}

func TestAGuardedTrustStoreIsNotForOthersToWrite(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: access control lists are not looked at on Windows yet")
	}
	for _, path := range []string{"s/x509-ca/ca.pem", "s/x509-ca", "s", ".", ".."} {
		dir := filepath.Join(t.TempDir(), "trust")
		write(t, filepath.Join(dir, "s/x509-ca/ca.pem"))
		if err := os.Chmod(filepath.Join(dir, path), 0o777); err != nil {
			t.Fatal(err)
		}
		var te *verifier.TrustError
		if _, err := verifier.OpenTrust(dir, verifier.TrustOptions{Guarded: true}); !errors.As(err, &te) {
			t.Errorf("%s writable by all: got %v, want *TrustError", path, err)
		}
		file := filepath.Join(dir, "s/x509-ca/ca.pem")
		if _, err := verifier.ReadTrustFile(file, verifier.RoomX509CA, verifier.TrustOptions{Guarded: true}); !errors.As(err, &te) {
			t.Errorf("%s writable by all, one file: got %v, want *TrustError", path, err)
		}
		if _, err := verifier.OpenTrust(dir, verifier.TrustOptions{}); err != nil {
			t.Errorf("%s writable by all, not guarded: %v", path, err)
		}
	}
}

func TestTrustDigestSeparatesNamesFromContent(t *testing.T) {
	t.Parallel()
	digest := func(files ...verifier.TrustFile) string {
		store, err := verifier.NewTrust(files...)
		if err != nil {
			t.Fatal(err)
		}
		return store.Digest().String()
	}
	a := verifier.TrustFile{Store: "ab", Room: verifier.RoomX509CA, Name: "c", Data: []byte("d")}
	b := verifier.TrustFile{Store: "a", Room: verifier.RoomX509CA, Name: "bc", Data: []byte("d")}
	if digest(a) == digest(b) {
		t.Error("two different stores share a digest")
	}
	if digest(a, b) != digest(b, a) {
		t.Error("the digest depends on the order of the files")
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}
