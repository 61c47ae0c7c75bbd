//go:build !nosigstore

package format_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

func TestABundleByATrustedKeyIsValid(t *testing.T) {
	t.Parallel()
	x509, err := newkeys.X509(newkeys.X509Options{Subject: "Ops", NotBefore: testenv.VectorTime().AddDate(-3, 0, 0), NotAfter: testenv.VectorTime().AddDate(-2, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	withCertificate, err := signer.NewX509Key("test key", x509.Key, x509.Chain())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key               *signer.Key
		digest, algorithm string
	}{
		"P-256":    {bareKey(t, newECKey(t, elliptic.P256())), "sha256", "ecdsa-p256"},
		"P-384":    {bareKey(t, newECKey(t, elliptic.P384())), "sha384", "ecdsa-p384"},
		"RSA-2048": {bareKey(t, newRSAKey(t, 2048)), "sha256", "rsa2048"},
		"a key with a certificate that has expired, which plays no part": {withCertificate, "sha256", "ecdsa-p256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := bundleBy(t, c.key, "deploy.sh", sigstoreScript)
			v := sigstoreVerifier(t, keyTrust(t, c.key), testenv.VectorTime())
			report, payload := besideVerdict(t, v, "deploy.sh", sigstoreScript, runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: bundle})
			if report.Verdict != verifier.Valid || !bytes.Equal(payload, sigstoreScript) || report.Format != "sigstore" {
				t.Fatalf("%s, format %q: %+v", report.Verdict, report.Format, report.Signatures)
			}
			s := report.Signatures[0]
			if s.Digest != c.digest || s.Signer.Algorithm != c.algorithm || s.TrustStore != "ops" || s.Signer.Display != "a.pub" || s.Sidecar != "deploy.sh.sigstore.json" {
				t.Errorf("%+v", s)
			}
			if len(s.Signer.IDs) != 1 || !slices.Contains(c.key.IDs(), s.Signer.IDs[0]) || !strings.HasPrefix(s.Signer.IDs[0], "sigstore-key:") {
				t.Errorf("IDs %q, the key's are %q", s.Signer.IDs, c.key.IDs())
			}
		})
	}
}

func TestAttacksOnBundlesByKeys(t *testing.T) {
	t.Parallel()
	ours := newECKey(t, elliptic.P256())
	key, second, stranger := bareKey(t, ours), bareKey(t, newECKey(t, elliptic.P256())), bareKey(t, newECKey(t, elliptic.P256()))
	v := sigstoreVerifier(t, keyTrust(t, key, second), testenv.VectorTime())
	good := bundleBy(t, key, "deploy.sh", sigstoreScript)
	other := bundleBy(t, key, "other.sh", []byte("echo other\n"))
	change := func(path []string, field string, value any) []byte {
		return edited(t, good, func(b map[string]any) { inside(b, path...)[field] = value })
	}
	message, digest, material := []string{"messageSignature"}, []string{"messageSignature", "messageDigest"}, []string{"verificationMaterial"}
	publicKey := []string{"verificationMaterial", "publicKey"}
	sum := sha256.Sum256(sigstoreScript)
	right := base64.StdEncoding.EncodeToString(sum[:])
	flipped := edited(t, good, func(b map[string]any) {
		m := inside(b, message...)
		value, _ := base64.StdEncoding.DecodeString(m["signature"].(string))
		value[len(value)-1] ^= 1
		m["signature"] = value
	})
	envelope := `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`
	for name, c := range map[string]struct {
		bundle  []byte
		verdict verifier.Verdict
		says    string // the failed checks or the findings
	}{
		"nothing changed":                     {good, verifier.Valid, ""},
		"blanks around it":                    {slices.Concat([]byte("\n "), good, []byte("\n")), verifier.Valid, ""},
		"the bundle of another file":          {other, verifier.Tampered, "content-digest"},
		"that bundle with this file's digest": {edited(t, other, func(b map[string]any) { inside(b, digest...)["digest"] = right }), verifier.BadSignature, "signature"},
		"a value with a flipped bit":          {flipped, verifier.BadSignature, "signature"},
		"a stranger's bundle":                 {bundleBy(t, stranger, "deploy.sh", sigstoreScript), verifier.Untrusted, "trust"},
		"a stranger's bundle with the hint of a trusted key": {
			edited(t, bundleBy(t, stranger, "deploy.sh", sigstoreScript), func(b map[string]any) {
				inside(b, publicKey...)["hint"] = inside(mustJSON(t, good), publicKey...)["hint"]
			}), verifier.BadSignature, "signature",
		},
		"the hint of another trusted key": {edited(t, good, func(b map[string]any) {
			inside(b, publicKey...)["hint"] = inside(mustJSON(t, bundleBy(t, second, "a.sh", nil)), publicKey...)["hint"]
		}), verifier.BadSignature, "signature"},
		"the hint of a key that nobody has":          {change(publicKey, "hint", right), verifier.Untrusted, "trust"},
		"no hint":                                    {change(publicKey, "hint", ""), verifier.Valid, ""},
		"a hint of another form":                     {change(publicKey, "hint", "the key of ops"), verifier.Valid, ""},
		"a hint with an escape for terminals":        {change(publicKey, "hint", "\x1b[2J"), verifier.Malformed, "bundle-malformed"},
		"a hint without an end":                      {change(publicKey, "hint", strings.Repeat("x", 300)), verifier.Malformed, "bundle-malformed"},
		"another digest algorithm than was signed":   {change(digest, "algorithm", "SHA2_384"), verifier.Malformed, "bundle-malformed"},
		"a digest algorithm that does not count":     {change(digest, "algorithm", "SHA3_256"), verifier.Unsupported, "bundle-unsupported"},
		"no digest algorithm":                        {change(message, "messageDigest", map[string]any{}), verifier.Unsupported, "bundle-unsupported"},
		"a digest that is cut off":                   {change(digest, "digest", right[:40]), verifier.Malformed, "bundle-malformed"},
		"no signature":                               {change(message, "signature", ""), verifier.Malformed, "bundle-malformed"},
		"a signature without an end":                 {change(message, "signature", bytes.Repeat([]byte{1}, 2000)), verifier.Malformed, "bundle-malformed"},
		"no message":                                 {edited(t, good, func(b map[string]any) { delete(b, "messageSignature") }), verifier.Malformed, "bundle-malformed"},
		"no verification material":                   {edited(t, good, func(b map[string]any) { delete(b, "verificationMaterial") }), verifier.Malformed, "bundle-malformed"},
		"neither key nor certificate":                {change(nil, "verificationMaterial", map[string]any{}), verifier.Malformed, "bundle-malformed"},
		"an attestation in the place of the message": {[]byte(envelope), verifier.Unsupported, "bundle-unsupported"},
		"a message and an attestation":               {change(nil, "dsseEnvelope", map[string]any{"payload": "e30="}), verifier.Unsupported, "bundle-unsupported"},
		"the form of cosign 2":                       {[]byte(`{"base64Signature":"AAAA","cert":"","rekorBundle":{}}`), verifier.Unsupported, "bundle-unsupported"},
		"a version to come":                          {change(nil, "mediaType", "application/vnd.dev.sigstore.bundle.v0.4+json"), verifier.Unsupported, "bundle-unsupported"},
		"a version before the first":                 {change(nil, "mediaType", "application/vnd.dev.sigstore.bundle.v0.0+json"), verifier.Unsupported, "bundle-unsupported"},
		"another media type":                         {change(nil, "mediaType", "application/json"), verifier.Unsupported, "bundle-unsupported"},
		"no media type":                              {edited(t, good, func(b map[string]any) { delete(b, "mediaType") }), verifier.Unsupported, "bundle-unsupported"},
		"a field that nobody knows":                  {change(nil, "comment", "trust me"), verifier.Malformed, "bundle-malformed"},
		"a field that nobody knows, deep inside":     {change(publicKey, "comment", "trust me"), verifier.Malformed, "bundle-malformed"},
		"a null":                                     {change(material, "timestampVerificationData", nil), verifier.Malformed, "bundle-malformed"},
		"a key twice":                                {bytes.Replace(good, []byte(`{"mediaType"`), []byte(`{"mediaType":"x","mediaType"`), 1), verifier.Malformed, "bundle-malformed"},
		"a key twice, once in its other spelling":    {bytes.Replace(good, []byte(`{"mediaType"`), []byte(`{"media_type":"application/vnd.dev.sigstore.bundle.v0.3+json","mediaType"`), 1), verifier.Malformed, "bundle-malformed"},
		"a key twice, once escaped":                  {bytes.Replace(good, []byte(`"signature"`), []byte(`"signature":"AAAA","\u0073ignature"`), 1), verifier.Malformed, "bundle-malformed"},
		"two documents":                              {slices.Concat(good, good), verifier.Malformed, "bundle-malformed"},
		"a byte-order mark":                          {slices.Concat([]byte("\xEF\xBB\xBF"), good), verifier.Malformed, "bundle-malformed"},
		"a list":                                     {slices.Concat([]byte("["), good, []byte("]")), verifier.Malformed, "bundle-malformed"},
		"nesting without an end":                     {[]byte(strings.Repeat(`{"a":`, 100_000)), verifier.Malformed, "bundle-malformed"},
		"a million bytes":                            {slices.Concat(good, bytes.Repeat([]byte(" "), 1<<20)), verifier.Malformed, "sidecar-refused"},
		"no JSON":                                    {[]byte("-----BEGIN PGP SIGNATURE-----\n"), verifier.Malformed, "bundle-malformed"},
		"an empty file":                              {nil, verifier.Malformed, "bundle-malformed"},
		"nine timestamps":                            {change(material, "timestampVerificationData", map[string]any{"rfc3161Timestamps": slices.Repeat([]any{map[string]any{"signedTimestamp": "AAAA"}}, 9)}), verifier.Malformed, "bundle-malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, payload := besideVerdict(t, v, "deploy.sh", sigstoreScript, runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: c.bundle})
			said := failedChecks(report)
			for _, f := range report.Findings {
				said = append(said, verifier.CheckID(f.Code))
			}
			if report.Verdict != c.verdict || c.says == "" && len(said) > 0 || c.says != "" && !slices.Contains(said, verifier.CheckID(c.says)) {
				t.Errorf("%s, %q; want %s, %q\n%+v\n%+v", report.Verdict, said, c.verdict, c.says, report.Signatures, report.Findings)
			}
			if (payload != nil) != (c.verdict == verifier.Valid) {
				t.Errorf("payload %q", payload)
			}
		})
	}
}

func mustJSON(t testing.TB, document []byte) (fields map[string]any) {
	t.Helper()
	edited(t, document, func(f map[string]any) { fields = f })
	return fields
}

func TestABundleThatCouldNotBeReadIsMalformed(t *testing.T) {
	t.Parallel()
	key := bareKey(t, newECKey(t, elliptic.P256()))
	v := sigstoreVerifier(t, keyTrust(t, key), testenv.VectorTime())
	report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, runbook.Sidecar{Name: "deploy.sh.sigstore.json", Refused: "it is not a regular file"})
	if report.Verdict != verifier.Malformed || report.Findings[0].Code != "sidecar-refused" {
		t.Errorf("%s, %+v", report.Verdict, report.Findings)
	}
}

func TestABundleCountsBesideWhatIsInside(t *testing.T) {
	t.Parallel()
	key := bareKey(t, newECKey(t, elliptic.P256()))
	alice := newForger(clearsignTime.Add(-1))
	ring := inRoom(verifier.RoomOpenPGP, "ring.pgp", alice.certificate())
	v := sigstoreVerifier(t, trustOf(t, ring, inRoom(verifier.RoomSigstore, "k.pub", publicPEM(t, key))), clearsignTime)
	sig := runbook.Sidecar{Name: "deploy.sh.sig", Data: alice.over(0x00, sigstoreScript)}
	bundle := runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: bundleBy(t, key, "deploy.sh", sigstoreScript)}
	report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, sig, bundle)
	if report.Verdict != verifier.Valid || len(report.Signatures) != 2 {
		t.Fatalf("%s: %+v", report.Verdict, report.Signatures)
	}
	stale := runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: bundleBy(t, key, "deploy.sh", []byte("an older text"))}
	if report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, sig, stale); report.Verdict != verifier.Tampered {
		t.Errorf("with a stale bundle: %s", report.Verdict)
	}
}

func TestWeakAndForeignKeysMakeNoBundles(t *testing.T) {
	t.Parallel()
	rb, err := runbook.Parse("deploy.sh", sigstoreScript)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := runbook.Parse("deploy.sh.sigstore.json", sigstoreScript)
	if err != nil {
		t.Fatal(err)
	}
	entity, err := newkeys.OpenPGP(newkeys.OpenPGPOptions{Name: "Alice", Created: testenv.VectorTime()})
	if err != nil {
		t.Fatal(err)
	}
	openpgp, err := signer.NewOpenPGPKey("test key", entity)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  *signer.Key
		rb   *runbook.Runbook
		want string
	}{
		"P-521":              {bareKey(t, newECKey(t, elliptic.P521())), rb, "P-521"},
		"OpenPGP":            {openpgp, rb, "OpenPGP"},
		"no key":             {nil, rb, "key"},
		"a bundle to sign":   {bareKey(t, newECKey(t, elliptic.P256())), bundle, "by its name it is a signature"},
		"a keeper's failure": {bareKey(t, refusingSigner{newECKey(t, elliptic.P256())}), rb, "the keeper refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := format.NewSigstore().Sign(t.Context(), c.rb, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v; want an error with %q", out, err, c.want)
			}
		})
	}
	weak := bareKey(t, newRSAKey(t, 1024))
	v := sigstoreVerifier(t, keyTrust(t, weak), testenv.VectorTime())
	report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: bundleBy(t, weak, "deploy.sh", sigstoreScript)})
	if report.Verdict != verifier.Weak {
		t.Errorf("RSA-1024: %s", report.Verdict)
	}
}

// refusingSigner does not sign.
type refusingSigner struct{ crypto.Signer }

func (refusingSigner) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return nil, errKeeper
}

var errKeeper = &signer.KeyError{Source: "test key", Msg: "the keeper refuses"}

func TestADeniedKeyIsRevoked(t *testing.T) {
	t.Parallel()
	key := bareKey(t, newECKey(t, elliptic.P256()))
	hex := strings.TrimPrefix(key.ID(), "sigstore-key:")
	sum := sha256.Sum256(sigstoreScript)
	bundle := runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: bundleBy(t, key, "deploy.sh", sigstoreScript)}
	for _, entry := range []string{"sigstore-key:" + strings.ToUpper(hex), "x509-spki:" + hex, "sha256:" + runbook.Digest(sum).String()} {
		trust := trustOf(t, inRoom(verifier.RoomSigstore, "k.pub", publicPEM(t, key)), inRoom(verifier.RoomDeny, "list", []byte(entry+" # leaked\n")))
		if report, _ := besideVerdict(t, sigstoreVerifier(t, trust, testenv.VectorTime()), "deploy.sh", sigstoreScript, bundle); report.Verdict != verifier.Revoked {
			t.Errorf("%s: %s", entry, report.Verdict)
		}
	}
}

func TestABundleIsWrittenAsCosignWritesIt(t *testing.T) {
	t.Parallel()
	key := bareKey(t, newECKey(t, elliptic.P256()))
	got := mustJSON(t, bundleBy(t, key, "deploy.sh", sigstoreScript))
	inside(got, "messageSignature")["signature"] = "..."
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Split(string(publicPEM(t, key)), "\n")[1:3], ""))
	if err != nil {
		t.Fatal(err)
	}
	hint, sum := sha256.Sum256(der), sha256.Sum256(sigstoreScript)
	want := map[string]any{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": base64.StdEncoding.EncodeToString(hint[:])}},
		"messageSignature": map[string]any{
			"messageDigest": map[string]any{"algorithm": "SHA2_256", "digest": base64.StdEncoding.EncodeToString(sum[:])},
			"signature":     "...",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCosignAndWritReadEachOthersBundles holds for keys, where no network is needed.
func TestCosignAndWritReadEachOthersBundles(t *testing.T) {
	t.Parallel()
	cosign := testenv.Tool(t, "cosign")
	for name, private := range map[string]crypto.Signer{"P-256": newECKey(t, elliptic.P256()), "P-384": newECKey(t, elliptic.P384()), "RSA-2048": newRSAKey(t, 2048)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, key := t.TempDir(), bareKey(t, private)
			put := func(name string, data []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			run := func(args ...string) {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), cosign, args...)
				cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=", "HOME="+dir)
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("cosign %q: %v\n%s", args, err, out)
				}
			}
			script := put("deploy.sh", sigstoreScript)
			public := put("key.pub", publicPEM(t, key))
			ours := put("ours.json", bundleBy(t, key, "deploy.sh", sigstoreScript))
			if name != "P-384" { // cosign does not verify its own bundles by such keys without being told the digest
				run("verify-blob", "--key", public, "--bundle", ours, "--insecure-ignore-tlog", script)
			}
			put("key.pem", pkcs8PEM(t, private))
			run("import-key-pair", "--key", "key.pem", "--output-key-prefix", "imported", "-y")
			run("sign-blob", "--key", "imported.key", "--tlog-upload=false", "--use-signing-config=false", "--bundle", "theirs.json", "-y", script)
			theirs, err := os.ReadFile(filepath.Join(dir, "theirs.json"))
			if err != nil {
				t.Fatal(err)
			}
			v := sigstoreVerifier(t, keyTrust(t, key), testenv.VectorTime())
			report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: theirs})
			if report.Verdict != verifier.Valid {
				t.Errorf("cosign's bundle: %s, %+v", report.Verdict, report.Signatures)
			}
		})
	}
}
