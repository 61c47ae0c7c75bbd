//go:build unix

package truststore_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/truststore"
	"github.com/runwrit/writ/verifier"
)

// TestAttackSymlinkInTheTrustStore: nothing is written through a link, wherever it
// leads and whenever it was put there.
func TestAttackSymlinkInTheTrustStore(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	for name, plant := range map[string]func(dir string) error{
		"a store":                func(dir string) error { return os.Symlink(elsewhere, filepath.Join(dir, "new")) },
		"a room":                 func(dir string) error { return os.Symlink(elsewhere, filepath.Join(dir, "prod", "openpgp")) },
		"a room inside the tree": func(dir string) error { return os.Symlink("x509-ca", filepath.Join(dir, "prod", "openpgp")) },
		"a fifo":                 func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "prod", "openpgp"), 0o600) },
	} {
		dir := filepath.Join(t.TempDir(), "trust")
		add(t, dir, "prod", key(t, "one").CAPEM)
		store := "prod"
		if name == "a store" {
			store = "new"
		}
		// The link is there after the store was read, and before it is written.
		p := plan(t, dir, store, found(t, openpgpKey(t, "Alice")))
		if err := plant(dir); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		var trust *verifier.TrustError
		if _, err := p.Commit(t.Context(), dir, check); !errors.As(err, &trust) {
			t.Errorf("%s: got %v", name, err)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if _, err := truststore.Open(dir); err == nil {
			t.Errorf("%s: the store is opened", name)
		}
	}
	if left := tree(t, elsewhere); len(left) != 1 {
		t.Errorf("written through a link: %v", left)
	}
}

func TestADiskThatTakesNoMoreLeavesTheStoreAsItWas(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("skipped: root may write into a folder that is read-only")
	}
	dir := filepath.Join(t.TempDir(), "trust")
	add(t, dir, "prod", key(t, "one").CAPEM)
	p := plan(t, dir, "prod", found(t, openpgpKey(t, "Alice")))
	before := tree(t, dir)
	if err := os.Chmod(filepath.Join(dir, "prod"), 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(t.Context(), dir, check); err == nil {
		t.Error("was added")
	}
	if err := os.Chmod(filepath.Join(dir, "prod"), 0o700); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}
