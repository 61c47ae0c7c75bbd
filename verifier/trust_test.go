package verifier_test

import (
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
		"an unknown room":            func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/x509_ca/ca.pem")) },
		"a room of an unknown name":  func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/x509-leaf-pins/a.pem")) },
		"a deny list it cannot read": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/deny/list")) },
		"settings it cannot read":    func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/settings")) },
		"settings as a folder":       func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/settings/revocation")) },
		"settings of no store":       func(t *testing.T, dir string) { write(t, filepath.Join(dir, "settings")) },
		"no anchors": func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, "s/x509-ca"), filepath.Join(dir, "s/crl")); err != nil {
				t.Fatal(err)
			}
		},
		"a file outside a room":         func(t *testing.T, dir string) { write(t, filepath.Join(dir, "ca.pem")) },
		"a file between store and room": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/ca.pem")) },
		"a folder inside a room":        func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/x509-ca/more/ca.pem")) },
		"a room for pins without pins": func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "s/x509-pins"), 0o755); err != nil {
				t.Fatal(err)
			}
		},
		"a room for pins whose file is hidden": func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "s/openpgp/alice.asc"))
			write(t, filepath.Join(dir, "s/openpgp-pins/.pins"))
		},
		"a room for pins with a README": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "s/x509-pins/README.md")) },
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

func TestDenyListsAndSettingsAreReadStrictly(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("aB", 32)
	for text, words := range map[string]string{
		"sha256:abc":                         "line 1: sha256 needs 64",
		"# x\nsha1:" + digest:                "line 2: unknown word \"sha1\"",
		"SHA256:" + digest:                   "unknown word",
		"sha256:" + digest + " issuer=CN":    "no field",
		"sha256:" + digest + " leaked":       "comment",
		"x509-serial:0f":                     "needs the issuer",
		`x509-serial:-f issuer="CN=A"`:       "hexadecimal",
		`x509-serial:0x0f issuer="CN=A"`:     "hexadecimal",
		`x509-serial:f issuer="CN=A" sha1=1`: "no field",
		"openpgp:DEADBEEF":                   "whole fingerprint",
	} {
		refuseTrust(t, verifier.TrustFile{Room: verifier.RoomDeny, Name: "list", Data: []byte(text)}, words)
	}
	for text, words := range map[string]string{
		"revocation:sometimes":                     `want one of ["require" "prefer" "off"]`,
		"revocation:":                              "want one of",
		"Revocation:off":                           "unknown setting",
		"revocation:off\nrevocation:require":       "line 2: revocation is set twice",
		"revocation:off store=x":                   "no field",
		"revocation:require\nrevocations:prefer\n": "line 2: unknown setting",
		"revocation = require":                     "want kind:value",
	} {
		refuseTrust(t, verifier.TrustFile{Room: verifier.RoomSettings, Name: "settings", Data: []byte(text)}, words)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "s/x509-ca/ca.pem"))
	if err := os.WriteFile(filepath.Join(dir, "s/settings"), []byte("revocation:require # always\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := verifier.OpenTrust(dir, verifier.TrustOptions{})
	if err != nil || store.Revocation("s") != verifier.RevocationRequire || store.Revocation("t") != "" {
		t.Errorf("%v, %+v", err, store)
	}
}

func refuseTrust(t *testing.T, f verifier.TrustFile, words string) {
	t.Helper()
	var te *verifier.TrustError
	if _, err := verifier.NewTrust(f); !errors.As(err, &te) || !strings.Contains(err.Error(), words) {
		t.Errorf("%q: got %v, want *TrustError with %q", f.Data, err, words)
	}
}

func TestDeniedKnowsEachFormOfAnEntry(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("aB", 32)
	list := "sha256:" + digest + "\nopenpgp:" + digest[:40] + " # lost\n" + `x509-serial:00FF issuer="CN=A"`
	store, err := verifier.NewTrust(verifier.TrustFile{Store: "s", Room: verifier.RoomDeny, Name: "list", Data: []byte(list)})
	if err != nil {
		t.Fatal(err)
	}
	for id, hit := range map[string]bool{
		"sha256:" + strings.ToLower(digest):            true,
		"x509-sha256:" + strings.ToLower(digest):       false,
		"openpgp:" + strings.ToUpper(digest[:40]):      true,
		verifier.DenySerial("CN=A", big.NewInt(255)):   true,
		verifier.DenySerial("CN=B", big.NewInt(255)):   false,
		verifier.DenySerial("CN=A", big.NewInt(0xFF0)): false,
	} {
		if _, got := store.Denied("other", id); got != hit {
			t.Errorf("%s: %v", id, got)
		}
	}
	if d, _ := store.Denied("openpgp:" + strings.ToUpper(digest[:40])); !strings.HasSuffix(d.String(), "is denied: lost (list, line 2)") {
		t.Error(d)
	}
	if _, err := verifier.New(store, verifier.Options{}); !errors.Is(err, verifier.ErrNoTrust) {
		t.Errorf("a deny list alone is no trust: %v", err)
	}
}

func TestAFolderOfAnchorsIsReadOneLevelDeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"b.asc", "a.pgp", ".hidden", "README.md"} {
		write(t, filepath.Join(dir, name))
	}
	link(t, "a.pgp", filepath.Join(dir, "c.asc"))
	files, err := verifier.ReadTrustFolder(dir, verifier.RoomOpenPGP, verifier.TrustOptions{})
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if err != nil || strings.Join(names, " ") != "a.pgp b.asc c.asc" {
		t.Errorf("%q, %v", names, err)
	}
	var te *verifier.TrustError
	if _, err := verifier.ReadTrustFolder(dir, verifier.RoomOpenPGP, verifier.TrustOptions{Guarded: true}); !errors.As(err, &te) {
		t.Errorf("a link, guarded: got %v, want *TrustError", err)
	}
	if _, err := verifier.ReadTrustFolder(t.TempDir(), verifier.RoomOpenPGP, verifier.TrustOptions{}); !errors.As(err, &te) {
		t.Errorf("an empty folder: got %v, want *TrustError", err)
	}
	write(t, filepath.Join(dir, "more", "d.asc"))
	if _, err := verifier.ReadTrustFolder(dir, verifier.RoomOpenPGP, verifier.TrustOptions{}); !errors.As(err, &te) {
		t.Errorf("a folder inside: got %v, want *TrustError", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	open := t.TempDir()
	write(t, filepath.Join(open, "a.pgp"))
	if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.ReadTrustFolder(open, verifier.RoomOpenPGP, verifier.TrustOptions{Guarded: true}); !errors.As(err, &te) {
		t.Errorf("a folder that others may add to: got %v, want *TrustError", err)
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
