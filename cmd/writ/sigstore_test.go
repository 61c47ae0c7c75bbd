//go:build !nosigstore

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/testenv/testsigstore"
)

// TestKeylessSigning signs with certificates of the real Fulcio, timestamps of the
// real authority and entries of a stand-in for Rekor, and has peers look at it.
func TestKeylessSigning(t *testing.T) {
	t.Parallel()
	s := testsigstore.Start(t)
	url, chain := testenv.TimestampServer(t)
	root := s.TrustedRoot(t, chain)
	pipeline := s.Pipeline(t, "org/lib", "sign.yml")
	p := params(t)
	p.Dir = "testdata/sigstore"
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		if err := setup(env); err != nil {
			return err
		}
		env.Setenv("FULCIO", s.Fulcio)
		env.Setenv("REKOR", s.Rekor.URL)
		env.Setenv("TSA", url)
		env.Setenv("PEOPLE", s.People.URL)
		env.Setenv("JOBS", s.Jobs.URL)
		env.Setenv("RUNNER", pipeline)
		env.Setenv("COSIGN", testenv.Tool(t, "cosign"))
		env.Setenv("COSIGN_PASSWORD", "")
		identities := fmt.Sprintf("sigstore-identity:op issuer=%q san=\"op@example.org\"\nsigstore-identity:pipeline issuer=%q san-regex=\"^https://github.com/org/lib/.github/workflows/.*@refs/heads/main$\"\n", s.People.URL, s.Jobs.URL)
		for name, data := range map[string]string{
			"trusted_root.json": string(root), "no_tsa.json": string(s.TrustedRoot(t, nil)), "trust/ops/sigstore/trusted_root.json": string(root), "trust/ops/sigstore-identities/us": identities,
			"op.jwt": s.People.Email(t, "op@example.org"), "mallory.jwt": s.People.Email(t, "mallory@example.org"), "job.jwt": s.Jobs.Workflow(t, "org/lib", "sign.yml"),
			"unverified.jwt": s.People.Token(t, map[string]any{"sub": "1", "email": "op@example.org"}), "stale.jwt": s.People.Token(t, map[string]any{"sub": "1", "exp": 1000}), "other.jwt": s.People.Token(t, map[string]any{"sub": "1", "aud": "vault"}),
		} {
			path := filepath.Join(env.WorkDir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	t.Run("scripts", func(t *testing.T) { testscript.Run(t, p) })
}
