//go:build !nosigstore

package format_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/internal/testenv/testsigstore"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// keylessPeers judge bundles by certificates of one Sigstore: we and cosign, both by
// the same trusted root and the same identity.
type keylessPeers struct {
	*testsigstore.Sigstore
	san          string
	cosign, root string
	ours         *verifier.Verifier
}

func newKeylessPeers(t *testing.T, san string) *keylessPeers {
	t.Helper()
	p := &keylessPeers{Sigstore: testsigstore.Start(t), san: san, cosign: testenv.Tool(t, "cosign"), root: filepath.Join(t.TempDir(), "trusted_root.json")}
	if err := os.WriteFile(p.root, p.TrustedRoot(t, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	p.ours = sigstoreVerifier(t, sigstoreTrust(t, p.Sigstore, p.Jobs.URL, san), time.Now())
	return p
}

// job is a key for the job that both trust, or for another one.
func (p *keylessPeers) job(t *testing.T, file string) *signer.Key {
	t.Helper()
	key, err := format.OpenKeyless(t.Context(), keylessOptions(t, p.Fulcio, p.Jobs.Workflow(t, "org/lib", file)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *keylessPeers) bundle(t *testing.T, key *signer.Key, content []byte) []byte {
	t.Helper()
	rb, err := runbook.Parse("deploy.sh", content)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := loggingFormat(t, p.Rekor.URL).Sign(t.Context(), rb, key)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// run runs cosign in an empty home, with no way out.
func (p *keylessPeers) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.cosign, args...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "TUF_ROOT=" + dir, "PATH=/nowhere", "HTTPS_PROXY=http://127.0.0.1:1", "COSIGN_PASSWORD="}
	return cmd.CombinedOutput()
}

// judge returns what both say of a file with a bundle.
func (p *keylessPeers) judge(t *testing.T, content, bundle []byte) (verifier.Verdict, error) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{"deploy.sh": content, "bundle": bundle} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said, err := p.run(t.Context(), dir, "verify-blob", "--bundle", "bundle", "--trusted-root", p.root,
		"--certificate-identity", p.san, "--certificate-oidc-issuer", p.Jobs.URL, "deploy.sh")
	t.Logf("cosign: %.300s", bytes.TrimSpace(said))
	rb, e := runbook.ParseWithSidecars("deploy.sh", content, runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: bundle})
	if e != nil {
		t.Fatal(e)
	}
	report, e := p.ours.Inspect(t.Context(), rb)
	if e != nil {
		t.Fatal(e)
	}
	t.Logf("writ: %s %v", report.Verdict, report.Findings)
	return report.Verdict, err
}

// TestCosignAndWritAgreeOnKeylessBundles: on good ones by either, and on changed
// ones, each change alone.
func TestCosignAndWritAgreeOnKeylessBundles(t *testing.T) {
	t.Parallel()
	p := newKeylessPeers(t, signWorkflow)
	key := p.job(t, "sign.yml")
	good := p.bundle(t, key, sigstoreScript)
	again := p.bundle(t, key, sigstoreScript)
	other := p.bundle(t, key, []byte("something else\n"))
	others := p.bundle(t, p.job(t, "other.yml"), sigstoreScript)
	if verdict, err := p.judge(t, sigstoreScript, good); verdict != verifier.Valid || err != nil {
		t.Fatalf("the bundle as it was made: %s, %v", verdict, err)
	}
	flip := func(fields map[string]any, name string) {
		data, err := base64.StdEncoding.DecodeString(fields[name].(string))
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		fields[name] = base64.StdEncoding.EncodeToString(data)
	}
	material := func(b map[string]any) map[string]any { return inside(b, "verificationMaterial") }
	entry := func(b map[string]any) map[string]any {
		return material(b)["tlogEntries"].([]any)[0].(map[string]any)
	}
	decoded := func(data []byte) (b map[string]any) {
		if err := json.Unmarshal(data, &b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	changes := map[string]func(b map[string]any){
		"the signature is another one":       func(b map[string]any) { flip(inside(b, "messageSignature"), "signature") },
		"the signature is of another file":   func(b map[string]any) { b["messageSignature"] = decoded(other)["messageSignature"] },
		"the signature is an earlier one":    func(b map[string]any) { b["messageSignature"] = decoded(again)["messageSignature"] },
		"the digest is another one":          func(b map[string]any) { flip(inside(b, "messageSignature", "messageDigest"), "digest") },
		"the digest has another name":        func(b map[string]any) { inside(b, "messageSignature", "messageDigest")["algorithm"] = "SHA2_512" },
		"the certificate is somebody else's": func(b map[string]any) { material(b)["certificate"] = material(decoded(others))["certificate"] },
		"the certificate is changed":         func(b map[string]any) { flip(inside(b, "verificationMaterial", "certificate"), "rawBytes") },
		"there is no certificate":            func(b map[string]any) { delete(material(b), "certificate") },
		"a key stands in for the certificate": func(b map[string]any) {
			delete(material(b), "certificate")
			material(b)["publicKey"] = map[string]any{"hint": "x"}
		},
		"there is no log entry":                  func(b map[string]any) { delete(material(b), "tlogEntries") },
		"the log entry is of another file":       func(b map[string]any) { material(b)["tlogEntries"] = material(decoded(other))["tlogEntries"] },
		"the log entry is of another signature":  func(b map[string]any) { material(b)["tlogEntries"] = material(decoded(again))["tlogEntries"] },
		"the log entry is by a log nobody knows": func(b map[string]any) { flip(inside(entry(b), "logId"), "keyId") },
		"the log entry has another time":         func(b map[string]any) { entry(b)["integratedTime"] = "1700000000" },
		"the log entry has another place":        func(b map[string]any) { entry(b)["logIndex"] = "12" },
		"the log entry has no proof":             func(b map[string]any) { delete(entry(b), "inclusionProof") },
		"the log entry's proof is for another":   func(b map[string]any) { entry(b)["inclusionProof"] = entry(decoded(other))["inclusionProof"] },
		"the log entry's root is another":        func(b map[string]any) { flip(inside(entry(b), "inclusionProof"), "rootHash") },
		"the log entry's checkpoint is unsigned": func(b map[string]any) {
			inside(entry(b), "inclusionProof", "checkpoint")["envelope"] = "rekor.localhost - 123\n1\nAAAA\n"
		},
		"the log entry's promise is another":      func(b map[string]any) { flip(inside(entry(b), "inclusionPromise"), "signedEntryTimestamp") },
		"the log entry's body is changed":         func(b map[string]any) { flip(entry(b), "canonicalizedBody") },
		"the bundle is of a type that nobody has": func(b map[string]any) { b["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.9+json" },
		"the bundle has two signatures": func(b map[string]any) {
			b["dsseEnvelope"] = map[string]any{"payload": "", "payloadType": "x", "signatures": []any{map[string]any{"sig": "AAAA"}}}
		},
		"the bundle has a field that nobody knows": func(b map[string]any) { b["x"] = 1 },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			if verdict, err := p.judge(t, sigstoreScript, edited(t, good, change)); verdict == verifier.Valid || err == nil {
				t.Errorf("writ says %s, cosign %v", verdict, err)
			}
		})
	}
	for name, tt := range map[string]struct{ content, bundle []byte }{
		"the file is changed":                {append([]byte("#"), sigstoreScript...), good},
		"the file is empty":                  {nil, good},
		"the bundle is somebody else's":      {sigstoreScript, others},
		"the bundle is cut":                  {sigstoreScript, good[:len(good)-1]},
		"the bundle is empty":                {sigstoreScript, nil},
		"something stands behind the bundle": {sigstoreScript, append(bytes.Clone(good), "{}"...)},
		"a field is there twice":             {sigstoreScript, bytes.Replace(good, []byte(`{"mediaType"`), []byte(`{"mediaType":"x","mediaType"`), 1)},
	} {
		t.Run(name, func(t *testing.T) {
			if verdict, err := p.judge(t, tt.content, tt.bundle); verdict == verifier.Valid || err == nil {
				t.Errorf("writ says %s, cosign %v", verdict, err)
			}
		})
	}
}

// byCosign is a bundle that cosign makes for whom the token names: it asks the same
// services.
func (p *keylessPeers) byCosign(t *testing.T, token string) []byte {
	t.Helper()
	dir := t.TempDir()
	since := map[string]any{"start": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}
	service := func(url string) []any {
		return []any{map[string]any{"url": url, "majorApiVersion": 1, "operator": "test", "validFor": since}}
	}
	config, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": service(p.Fulcio), "oidcUrls": []any{},
		"rekorTlogUrls": service(p.Rekor.URL), "rekorTlogConfig": map[string]any{"selector": "ANY"}, "tsaUrls": []any{}, "tsaConfig": map[string]any{"selector": "ANY"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"config.json": config, "token": []byte(token), "deploy.sh": sigstoreScript} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said, err := p.run(t.Context(), dir, "sign-blob", "-y", "--signing-config", "config.json", "--trusted-root", p.root, "--identity-token", "token", "--bundle", "bundle", "deploy.sh")
	if err != nil {
		t.Fatalf("cosign: %v\n%s", err, said)
	}
	bundle, err := os.ReadFile(filepath.Join(dir, "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func TestKeylessBundlesByCosignAreValid(t *testing.T) {
	t.Parallel()
	p := newKeylessPeers(t, signWorkflow)
	bundle := p.byCosign(t, p.Jobs.Workflow(t, "org/lib", "sign.yml"))
	if verdict, err := p.judge(t, sigstoreScript, bundle); verdict != verifier.Valid || err != nil {
		t.Errorf("writ says %s, cosign %v", verdict, err)
	}
}

// A branch "größe" stands in certificates as bytes, since names of jobs are URIs.
const encodedBranch = "gr%C3%B6%C3%9Fe"

func TestAJobOnABranchWithOtherLettersSigns(t *testing.T) {
	t.Parallel()
	p := newKeylessPeers(t, strings.TrimSuffix(signWorkflow, "main")+encodedBranch)
	token := p.Jobs.OnBranch(t, "org/lib", "sign.yml", "größe")
	key, err := format.OpenKeyless(t.Context(), keylessOptions(t, p.Fulcio, token))
	if err != nil {
		t.Fatal(err)
	}
	for name, bundle := range map[string][]byte{"writ": p.bundle(t, key, sigstoreScript), "cosign": p.byCosign(t, token)} {
		if verdict, err := p.judge(t, sigstoreScript, bundle); verdict != verifier.Valid || err != nil {
			t.Errorf("by %s: writ says %s, cosign %v", name, verdict, err)
		}
	}
}

// TestAttackABranchNamedAsTheBytesOfAnother: Fulcio gives a job on the branch
// "gr%C3%B6%C3%9Fe", which nobody protects, the name of one on "größe", and cosign
// takes it. A Fulcio that writes all addresses as URIs does not let anybody tell.
func TestAttackABranchNamedAsTheBytesOfAnother(t *testing.T) {
	t.Parallel()
	p := newKeylessPeers(t, strings.TrimSuffix(signWorkflow, "main")+encodedBranch)
	for _, branch := range []string{encodedBranch, "gr%C3%B6ße"} {
		bundle := p.byCosign(t, p.Jobs.OnBranch(t, "org/lib", "sign.yml", branch))
		if verdict, err := p.judge(t, sigstoreScript, bundle); verdict != verifier.Unsupported || err != nil {
			t.Errorf("%s: writ says %s, cosign %v", branch, verdict, err)
		}
	}
	for name, token := range map[string]string{
		"the branch itself":        p.Jobs.OnBranch(t, "org/lib", "sign.yml", encodedBranch),
		"a Fulcio of another kind": p.OldJobs.OnBranch(t, "org/lib", "sign.yml", "größe"),
	} {
		if _, err := format.OpenKeyless(t.Context(), keylessOptions(t, p.Fulcio, token)); err == nil || !strings.Contains(err.Error(), "that of another job") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
