//go:build !nosigstore

package format_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/verifier"
)

// TestCosignJudgesKeylessBundlesAlike: what is valid here, cosign verify-blob says
// yes to; and it says no where the reason is one that it knows.
func TestCosignJudgesKeylessBundlesAlike(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	good := w.sign(keyless{})
	material := func(change func(material map[string]any)) []byte {
		return edited(t, good, func(b map[string]any) { change(inside(b, "verificationMaterial")) })
	}
	entries := func(change func(list []any) []any) []byte {
		return material(func(m map[string]any) { m["tlogEntries"] = change(m["tlogEntries"].([]any)) })
	}
	replaced := func(old, text string) []byte { return bytes.ReplaceAll(good, []byte(old), []byte(text)) }
	for name, c := range map[string]struct {
		bundle []byte
		yes    bool // of cosign, by its defaults
		stamps bool // cosign is told to look at timestamps
	}{
		"P-384 with SHA-256":             {w.sign(keyless{curve: elliptic.P384(), oldDigest: true}), true, false},
		"version 0.1 in the new writing": {replaced("bundle.v0.3+json", "bundle.v0.1+json"), true, false},
		"version 0.2":                    {w.sign(keyless{version: "0.2", chain: true}), true, false},
		"version 0.3 in the old writing": {w.sign(keyless{version: "0.3"}), true, false},
		"version 0.3.1":                  {replaced("bundle.v0.3+json", "bundle.v0.3.1+json"), true, false},
		"names with underscores":         {replaced(`"verificationMaterial"`, `"verification_material"`), true, false},
		"a word as its number":           {replaced(`"SHA2_256"`, `1`), true, false},
		"line ends of Windows":           {replaced(`,"`, ",\r\n\""), true, false},
		"a timestamp of something else": {material(func(m map[string]any) {
			m["timestampVerificationData"] = map[string]any{"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": w.stamp([]byte("else"), w.now)}}}
		}), true, false},
		"a timestamp alone gives the time": {w.sign(keyless{without: "promise"}), true, true},
		"an entry of an unknown log, too": {entries(func(list []any) []any {
			entry := maps.Clone(list[0].(map[string]any))
			entry["logId"] = map[string]any{"keyId": make([]byte, 32)}
			return append(list, entry)
		}), true, false},
		"the same entry twice":        {entries(func(list []any) []any { return append(list, list[0]) }), false, false},
		"a byte-order mark":           {slices.Concat([]byte("\ufeff"), good), false, false},
		"no type":                     {replaced(`"mediaType"`, `"media"`), false, false},
		"version 0.1 without promise": {w.sign(keyless{version: "0.1", chain: true, without: "promise"}), false, true},
		"a good one":                  {good, true, false},
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
			var more []string
			if c.stamps {
				more = []string{"--use-signed-timestamps"}
			}
			if said, err := w.cosign(t, c.bundle, more...); (err == nil) != c.yes || (report.Verdict == verifier.Valid) != c.yes {
				t.Errorf("cosign: %v, here: %s; want %t of both\n%s", err, report.Verdict, c.yes, said)
			}
		})
	}
}

// cosign is its answer by the world's trusted root.
func (w *sigstoreWorld) cosign(t *testing.T, bundle []byte, more ...string) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	for file, data := range map[string][]byte{"deploy.sh": sigstoreScript, "b.json": bundle, "trusted_root.json": w.trustedRoot()} {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"verify-blob", "--bundle", "b.json", "--trusted-root", "trusted_root.json", "--certificate-identity", signingJob, "--certificate-oidc-issuer", gitHub}
	cmd := exec.CommandContext(t.Context(), testenv.Tool(t, "cosign"), append(append(args, more...), "deploy.sh")...)
	cmd.Env, cmd.Dir = append(os.Environ(), "HOME="+dir), dir
	return cmd.CombinedOutput()
}

// TestWhatWritRefusesOfWhatCosignTakes is the list of docs/formats/sigstore.md.
func TestWhatWritRefusesOfWhatCosignTakes(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	certificate := func(edit func(*x509.Certificate)) []byte { return w.sign(keyless{edit: edit}) }
	for name, c := range map[string]struct {
		bundle []byte
		want   verifier.Verdict
	}{
		"null in the place of nothing": {bytes.Replace(w.sign(keyless{}), []byte(`{"mediaType"`), []byte(`{"dsseEnvelope":null,"mediaType"`), 1), verifier.Malformed},
		"a log entry that is called one of an attestation": {edited(t, w.sign(keyless{}), func(b map[string]any) {
			inside(inside(b, "verificationMaterial")["tlogEntries"].([]any)[0].(map[string]any), "kindVersion")["kind"] = "dsse"
		}), verifier.Malformed},
		"two names":                       {certificate(func(c *x509.Certificate) { c.EmailAddresses = []string{"mallory@example.org"} }), verifier.Unsupported},
		"a certificate for anything":      {certificate(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), verifier.WrongPurpose},
		"P-521":                           {w.sign(keyless{curve: elliptic.P521()}), verifier.Unsupported},
		"a timestamp outside of its time": {w.sign(keyless{after: 20 * time.Minute, logAfter: time.Minute}), verifier.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(c.bundle))
			if said, err := w.cosign(t, c.bundle); err != nil || report.Verdict != c.want {
				t.Errorf("cosign: %v, here: %s; want %s\n%s", err, report.Verdict, c.want, said)
			}
		})
	}
}
