package main

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestAManifestThatWasSignedAsSomethingElseIsNoManifest: the text is a list and the
// signature is good, but it was made for a runbook.
func TestAManifestThatWasSignedAsSomethingElseIsNoManifest(t *testing.T) {
	t.Parallel()
	w := newOldWorker(t)
	w.make(nil, "--quick-generate-key", "alice", "ed25519", "sign", "never")
	keyring := writeFile(t, filepath.Join(t.TempDir(), "keyring.gpg"), w.make(nil, "--export"))
	const script = "echo a\n"
	list := fmt.Appendf(nil, "writ-manifest/v1\n%x 0644 a.sh\n", sha256.Sum256([]byte(script)))
	for _, c := range []struct {
		tag, value string
		want       int
	}{{"runbook-name", "writ.manifest", exitYes}, {"runbook-name", "deploy.sh", exitNo}, {"runbook-kind", "bash", exitNo}} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "a.sh"), []byte(script))
		writeFile(t, filepath.Join(dir, "writ.manifest.asc"), w.make(list, "--set-notation", fmt.Sprintf("%s@%s=%s", c.tag, "runwrit.github.io", c.value), "--clear-sign"))
		code, out, errs := call(t, "manifest", "verify", "--keyring", keyring, "-o", "json", dir)
		if code != c.want || !strings.Contains(out, fmt.Sprintf(`"as_signed": %t`, c.want == exitYes)) || c.want == exitNo && !strings.Contains(errs, "was signed as something else") {
			t.Errorf("%s %s: exit code %d: %s%s", c.tag, c.value, code, out, errs)
		}
	}
}
