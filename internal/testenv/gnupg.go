package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// GnuPGHome makes a home of GnuPG, whose agent ends with the test. Its agent turns
// passphrases into keys in few turns: by default it takes as many as fit into a tenth
// of a second, for each key and each time that one is used or exported.
func GnuPGHome(t testing.TB) string {
	t.Helper()
	// The agent's socket needs a short path, which t.TempDir does not promise.
	home, err := os.MkdirTemp("", "gh") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(home, "gpg-agent.conf"), []byte("s2k-count 65536\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}
