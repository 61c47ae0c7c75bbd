package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/newkeys"
)

// keyPair is a signer for tests, and the file with its certificate.
type keyPair struct {
	entity  *openpgp.Entity
	keyring string
}

func newKeyPair(t *testing.T, dir, name string) keyPair {
	t.Helper()
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: name, Created: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	public, err := newkeys.ArmoredPublic(entity)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{entity, writeFile(t, filepath.Join(dir, name+".asc"), public)}
}

// detach makes a detached signature.
func (k keyPair) detach(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := openpgp.DetachSign(&b, []*openpgp.Entity{k.entity}, bytes.NewReader(data), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writeFile(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Detached signatures at the command line: each command that takes the path of a
// runbook takes its sidecars.
func TestDetachedSignaturesAtTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, _, errs := call(t, "init", filepath.Join(dir, "lab")); code != exitYes {
		t.Fatal(errs)
	}
	signer := newKeyPair(t, dir, "signer")
	script := []byte("#!/bin/bash\necho \"ran $1\"  \nexit 7")
	job := writeFile(t, filepath.Join(dir, "lib", "job.sh"), script)
	writeFile(t, job+".sig", signer.detach(t, script))
	other := writeFile(t, filepath.Join(dir, "other", "job.sh"), append([]byte("evil\n"), script...))
	writeFile(t, other+".sig", signer.detach(t, script))
	empty := writeFile(t, filepath.Join(dir, "empty", "job.sh"), script)
	writeFile(t, empty+".asc", nil)
	payload := filepath.Join(dir, "payload.sh")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"verify":                       {[]string{"verify", "--keyring", signer.keyring, job}, exitYes, "valid"},
		"verify a folder":              {[]string{"verify", "--keyring", signer.keyring, filepath.Dir(job)}, exitYes, "valid"},
		"verify with the payload":      {[]string{"verify", "--keyring", signer.keyring, "--payload", payload, job}, exitYes, "valid"},
		"verify, as json":              {[]string{"verify", "--keyring", signer.keyring, "-o", "json", job}, exitYes, `"sidecar": "job.sh.sig"`},
		"inspect":                      {[]string{"inspect", "--keyring", signer.keyring, job}, exitYes, "valid detached signature in job.sh.sig"},
		"inspect without trust":        {[]string{"inspect", job}, exitNo, "untrusted"},
		"audit":                        {[]string{"audit", "--keyring", signer.keyring, filepath.Dir(job)}, exitYes, "valid     1"},
		"verify a changed file":        {[]string{"verify", "--keyring", signer.keyring, other}, exitNo, "tampered"},
		"verify with an empty sidecar": {[]string{"verify", "--keyring", signer.keyring, empty}, exitNo, "empty-file"},
		"verify the sidecar":           {[]string{"verify", "--keyring", signer.keyring, job + ".sig"}, exitNo, "detached-signature"},
		"verify under another keyring": {[]string{"verify", "--keyring", filepath.Join(dir, "lab", "trust", "demo", "openpgp", "signer.asc"), job}, exitNo, "untrusted"},
	} {
		code, out, errs := call(t, c.args...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, want %d\n%s%s", name, code, c.code, out, errs)
		}
	}
	if got, err := os.ReadFile(payload); err != nil || !bytes.Equal(got, script) {
		t.Errorf("payload %q, %v", got, err)
	}
	_, out, _ := call(t, "audit", "--keyring", signer.keyring, "-o", "json", filepath.Join(dir, "lib"))
	if n := strings.Count(out, `"path"`); n != 1 {
		t.Errorf("audit has %d entries:\n%s", n, out)
	}
}

// TestARunbookRunsByItsDetachedSignature: exactly its bytes, under its name.
func TestARunbookRunsByItsDetachedSignature(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: run works on Linux only")
	}
	lab := filepath.Join(t.TempDir(), "lab")
	if code, _, errs := call(t, "init", lab); code != exitYes {
		t.Fatal(errs)
	}
	signer := newKeyPair(t, t.TempDir(), "colleague")
	job := filepath.Join(lab, "runbooks", "disk-report.sh")
	script, err := os.ReadFile(job)
	if err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(lab, "policy", "grants.yaml")
	grants, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	identity := fmt.Sprintf("openpgp:%X", signer.entity.PrimaryKey.Fingerprint)
	writeFile(t, policy, regexp.MustCompile("openpgp:[0-9A-F]+").ReplaceAll(grants, []byte(identity)))
	ledger := filepath.Join(lab, "ledger.jsonl")
	gate := []string{"--keyring", signer.keyring, "--policy", filepath.Dir(policy), "--worker-group", "demo-workers"}
	run := append([]string{"run", "--ledger", ledger}, gate...)
	run = append(run, job, "--", "/")
	if code, _, errs := call(t, run...); code != 126 || !strings.Contains(errs, "unsigned") {
		t.Errorf("without a signature: exit code %d\n%s", code, errs)
	}
	writeFile(t, job+".asc", signer.detach(t, script))
	if code, out, errs := call(t, append(append([]string{"policy", "explain"}, gate...), job, "--", "/")...); code != exitYes {
		t.Errorf("explain: exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := call(t, run...); code != exitYes || out == "" {
		t.Errorf("with one: exit code %d\n%s%s", code, out, errs)
	}
	writeFile(t, job, append(script, "echo evil\n"...))
	if code, out, errs := call(t, run...); code != 126 || !strings.Contains(errs, "tampered") || out != "" {
		t.Errorf("of a changed file: exit code %d\n%s%s", code, out, errs)
	}
}
