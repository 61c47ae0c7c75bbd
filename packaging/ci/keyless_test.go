//go:build !nosigstore

package ci_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/testenv/testsigstore"
)

// No key anywhere: the job's own identity gets a certificate for the run. The
// token service of GitHub is a stand-in, Fulcio is the real one.
func TestGitHubSignsWithoutAKey(t *testing.T) {
	t.Parallel()
	s := testsigstore.Start(t)
	service := s.Pipeline(t, "org/lib", "sign.yml")
	r := newRepository(t)
	r.write("trust/demo/sigstore/trusted_root.json", string(s.TrustedRoot(t, nil)))
	r.write("trust/demo/sigstore-identities/pipeline", fmt.Sprintf(
		"sigstore-identity:pipeline issuer=%q san=%q\n", s.Jobs.URL, "https://github.com/org/lib/.github/workflows/sign.yml@refs/heads/main"))
	r.commit("trust the pipeline")
	g := newGitHubRun(r)
	g.env = []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + service, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=the-secret-of-the-job"}
	sign := map[string]string{
		"mode": "sign", "format": "sigstore",
		"arguments": fmt.Sprintf("--fulcio=%s\n--rekor=%s\n--identity-token-from=github\n--trust=trust\n", s.Fulcio, s.Rekor.URL),
	}
	log, code := g.action(sign)
	if code != 0 || !strings.Contains(log, "signed 4") || len(testenv.GitHubCommands(log)) != 0 {
		t.Fatalf("exit code %d:\n%s", code, log)
	}
	if said := g.called() + log; strings.Contains(said, "the-secret-of-the-job") || strings.Contains(said, "eyJ") {
		t.Errorf("a token stands on a command line or in the log:\n%s", said)
	}
	r.commit("sign")
	if log, code := newGitHubRun(r).action(map[string]string{"trust-ref": "HEAD"}); code != 0 {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	// A second run finds everything signed, although its key would be another one.
	if log, code := g.action(sign); code != 0 || !strings.Contains(log, "unchanged 4") || r.git("status", "--porcelain") != "" {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	// The same file in another pipeline is of nobody.
	if err := os.Remove(g.output); err != nil {
		t.Fatal(err)
	}
	other := newGitHubRun(r)
	other.env = []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + s.Pipeline(t, "org/lib", "other.yml"), "ACTIONS_ID_TOKEN_REQUEST_TOKEN=the-secret-of-the-job"}
	r.write("runbooks/disk-report.sh", r.read("runbooks/disk-report.sh")+"# more\n")
	before := r.git("status", "--porcelain")
	if log, code := other.action(sign); code != 1 || r.git("status", "--porcelain") != before {
		t.Errorf("exit code %d:\n%s", code, log)
	}
}
