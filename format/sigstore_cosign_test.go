//go:build !nosigstore

package format_test

import (
	"crypto/elliptic"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// TestCosignJudgesKeylessBundlesAlike: what is valid here, cosign verify-blob says
// yes to; and it says no where the reason is one that it knows.
func TestCosignJudgesKeylessBundlesAlike(t *testing.T) {
	t.Parallel()
	cosign := testenv.Tool(t, "cosign")
	w := newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	for name, c := range map[string]struct {
		bundle []byte
		yes    bool // of cosign, by its defaults
		stamps bool // cosign is told to look at timestamps
	}{
		"a good one":                  {w.sign(keyless{}), true, false},
		"with timestamps":             {w.sign(keyless{}), true, true},
		"Rekor 2":                     {w.sign(keyless{rekor2: true}), true, false},
		"version 0.1":                 {w.sign(keyless{version: "0.1", chain: true, without: "proof"}), true, false},
		"P-384":                       {w.sign(keyless{curve: elliptic.P384()}), true, false},
		"of another file":             {w.sign(keyless{content: []byte("x")}), false, false},
		"no log entry":                {w.sign(keyless{without: "log"}), false, false},
		"no time":                     {w.sign(keyless{rekor2: true, without: "stamp"}), false, false},
		"logged late":                 {w.sign(keyless{after: 11 * time.Minute}), false, false},
		"no proof of the certificate": {w.sign(keyless{without: "sct"}), false, false},
		"another identity":            {w.sign(keyless{issuer: gitHub, san: "https://github.com/mallory"}), false, false},
		"a chain in version 0.3":      {w.sign(keyless{chain: true}), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(c.bundle))
			dir := t.TempDir()
			for file, data := range map[string][]byte{"deploy.sh": sigstoreScript, "b.json": c.bundle, "trusted_root.json": w.trustedRoot()} {
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"verify-blob", "--bundle", "b.json", "--trusted-root", "trusted_root.json", "--certificate-identity", signingJob, "--certificate-oidc-issuer", gitHub}
			if c.stamps {
				args = append(args, "--use-signed-timestamps")
			}
			cmd := exec.CommandContext(t.Context(), cosign, append(args, "deploy.sh")...)
			cmd.Env, cmd.Dir = append(os.Environ(), "HOME="+dir), dir
			out, err := cmd.CombinedOutput()
			if (err == nil) != c.yes || (report.Verdict == verifier.Valid) != c.yes {
				t.Errorf("cosign: %v, here: %s; want %t of both\n%s", err, report.Verdict, c.yes, out)
			}
		})
	}
}
