//go:build !nosigstore

package format_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/verifier"
)

func bundleBeside(data []byte) runbook.Sidecar {
	return runbook.Sidecar{Name: "deploy.sh.sigstore.json", Data: data}
}

func TestABundleWithACertificateIsValid(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	for name, k := range map[string]keyless{
		"with a log entry and a timestamp":            {},
		"with a log entry alone":                      {without: "stamp"},
		"with an entry of Rekor 2":                    {rekor2: true},
		"without a promise":                           {without: "promise"},
		"of version 0.2, with a chain":                {version: "0.2", chain: true},
		"of version 0.1, with a chain and a promise":  {version: "0.1", chain: true, without: "proof"},
		"by a key on P-384":                           {curve: elliptic.P384()},
		"by a key on P-384, with an entry of Rekor 2": {curve: elliptic.P384(), rekor2: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, payload := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(w.sign(k)))
			if report.Verdict != verifier.Valid || !bytes.Equal(payload, sigstoreScript) {
				t.Fatalf("%s: %+v %+v", report.Verdict, report.Signatures, report.Findings)
			}
			s := report.Signatures[0]
			source := verifier.TimeTSA
			if k.without == "stamp" {
				source = verifier.TimeLog
			}
			if s.SignedAtSource != source || !s.SignedAt.Equal(w.now.Add(-59*time.Minute)) || s.TrustStore != "ops" {
				t.Errorf("signed at %s (%s), store %q", s.SignedAt, s.SignedAtSource, s.TrustStore)
			}
			ids := []string{"sigstore:" + gitHub + "|" + signingJob, "sigstore-identity:release"}
			if diff := cmp.Diff(ids, s.Signer.IDs); diff != "" {
				t.Error(diff)
			}
			want := &verifier.Sigstore{
				Issuer: gitHub, SAN: signingJob, SANKind: "uri", SourceRepository: "https://github.com/contoso/runbooks", SourceRef: "refs/heads/main",
				SourceDigest: "0123456789abcdef0123456789abcdef01234567", Workflow: signingJob, Trigger: "push",
			}
			if diff := cmp.Diff(want, s.Sigstore); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestASerialNumberIsWrittenInWholeBytes, as OpenSSL and all others write it, whatever
// the format: one of sixteen begins with a zero.
func TestASerialNumberIsWrittenInWholeBytes(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	keyless, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(w.sign(keyless{})))
	k := newKey(t, newkeys.X509Options{Edit: func(c *x509.Certificate) { c.SerialNumber = big.NewInt(1234) }})
	inPlace := inspect(t, newVerifier(t, testenv.VectorTime(), k.CAPEM), "job.ps1", sign(t, k, "job.ps1", []byte("1+1\r\n")))
	for _, report := range []*verifier.Report{keyless, inPlace} {
		if s := report.Signatures[0]; report.Verdict != verifier.Valid || s.Signer.KeyID != "04d2" {
			t.Errorf("%s, %s signature by the certificate %q, want 04d2", report.Verdict, s.Format, s.Signer.KeyID)
		}
	}
}

func TestAttacksOnKeylessBundles(t *testing.T) {
	t.Parallel()
	w, stranger := newSigstoreWorld(t, testenv.VectorTime()), newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	good, other := w.sign(keyless{}), w.sign(keyless{content: []byte("echo other\n")})
	take := func(from []byte, path ...string) func(map[string]any) {
		return func(b map[string]any) {
			last := len(path) - 1
			inside(b, path[:last]...)[path[last]] = inside(mustJSON(t, from), path[:last]...)[path[last]]
		}
	}
	message, material := "messageSignature", "verificationMaterial"
	for name, c := range map[string]struct {
		bundle  []byte
		verdict verifier.Verdict
		check   verifier.CheckID
	}{
		"nothing":                    {good, verifier.Valid, ""},
		"the bundle of another file": {other, verifier.Tampered, verifier.CheckContentDigest},
		"the message of another bundle of the same signer":  {edited(t, good, take(other, message)), verifier.Tampered, verifier.CheckContentDigest},
		"the material of another bundle of the same signer": {edited(t, good, take(other, material)), verifier.BadSignature, verifier.CheckSignature},
		"the log entry of another bundle":                   {edited(t, good, take(other, material, "tlogEntries")), verifier.Untrusted, verifier.CheckTransparency},
		"a log entry for another digest":                    {w.sign(keyless{entryOf: []byte("echo other\n")}), verifier.Malformed, ""},
		"an entry of Rekor 2 for another digest":            {w.sign(keyless{rekor2: true, entryOf: []byte("echo other\n")}), verifier.Untrusted, verifier.CheckTransparency},
		"the timestamp of another bundle, Rekor 2":          {edited(t, w.sign(keyless{rekor2: true}), take(other, material, "timestampVerificationData")), verifier.Expired, verifier.CheckValidity},
		"no log entry":        {w.sign(keyless{without: "log"}), verifier.Untrusted, verifier.CheckTransparency},
		"a promise by nobody": {w.sign(keyless{without: "set"}), verifier.Untrusted, verifier.CheckTransparency},
		"no time: an entry of Rekor 2 and no timestamp":   {w.sign(keyless{rekor2: true, without: "stamp"}), verifier.Expired, verifier.CheckValidity},
		"no time: an entry without promise or timestamp":  {edited(t, w.sign(keyless{without: "promise"}), func(b map[string]any) { delete(inside(b, material), "timestampVerificationData") }), verifier.Expired, verifier.CheckValidity},
		"signed after the certificate expired":            {w.sign(keyless{after: 11 * time.Minute}), verifier.Expired, verifier.CheckValidity},
		"signed before the certificate began":             {w.sign(keyless{after: -time.Minute}), verifier.Expired, verifier.CheckValidity},
		"logged late, stamped in time":                    {w.sign(keyless{logAfter: 11 * time.Minute}), verifier.Expired, verifier.CheckValidity},
		"stamped late, logged in time":                    {w.sign(keyless{after: 11 * time.Minute, logAfter: time.Minute}), verifier.Expired, verifier.CheckValidity},
		"signed in the future":                            {w.sign(keyless{edit: later(w.now, 2*time.Hour)}), verifier.Expired, verifier.CheckValidity},
		"no proof that the certificate was logged":        {w.sign(keyless{without: "sct"}), verifier.Untrusted, verifier.CheckTransparency},
		"another Sigstore":                                {stranger.sign(keyless{}), verifier.Untrusted, verifier.CheckTrust},
		"another Sigstore, with our log entry":            {edited(t, stranger.sign(keyless{}), take(good, material, "tlogEntries")), verifier.Untrusted, verifier.CheckTrust},
		"another identity":                                {w.sign(keyless{issuer: gitHub, san: "https://github.com/mallory/runbooks/.github/workflows/sign.yml@refs/heads/main"}), verifier.Untrusted, verifier.CheckTrust},
		"another issuer, the same identity":               {w.sign(keyless{issuer: "https://issuer.example", san: signingJob}), verifier.Untrusted, verifier.CheckTrust},
		"the identity in other letters":                   {w.sign(keyless{issuer: gitHub, san: "https://github.com/Contoso/runbooks/.github/workflows/sign.yml@refs/heads/main"}), verifier.Untrusted, verifier.CheckTrust},
		"a certificate for another purpose":               {w.sign(keyless{edit: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }}), verifier.WrongPurpose, verifier.CheckKeyUsage},
		"a certificate without an issuer":                 {w.sign(keyless{edit: func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[1:] }}), verifier.Unsupported, verifier.CheckSupported},
		"two issuers, new and old, the second is trusted": {w.sign(keyless{issuer: "https://issuer.example", san: signingJob, edit: func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, oldIssuer(gitHub)) }}), verifier.Unsupported, verifier.CheckSupported},
		"two issuers, new and old": {w.sign(keyless{edit: func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, oldIssuer("https://issuer.example"))
		}}), verifier.Unsupported, verifier.CheckSupported},
		"an issuer with a separator":               {w.sign(keyless{issuer: gitHub + "|" + signingJob, san: signingJob}), verifier.Unsupported, verifier.CheckSupported},
		"an identity with an escape for terminals": {w.sign(keyless{issuer: gitHub, kind: "other", san: "alice\x1b[2J"}), verifier.Unsupported, verifier.CheckSupported},
		"two names":                     {w.sign(keyless{edit: func(c *x509.Certificate) { c.EmailAddresses = []string{"alice@contoso.example"} }}), verifier.Unsupported, verifier.CheckSupported},
		"a name that is no identity":    {w.sign(keyless{kind: "dns", issuer: gitHub, san: "contoso.example"}), verifier.Unsupported, verifier.CheckSupported},
		"a certificate of an authority": {w.sign(keyless{edit: func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }}), verifier.Malformed, ""},
		"a chain in version 0.3":        {w.sign(keyless{chain: true}), verifier.Malformed, ""},
		"version 0.2 without a proof":   {w.sign(keyless{version: "0.2", without: "proof"}), verifier.Malformed, ""},
		"version 0.1 without a promise": {w.sign(keyless{version: "0.1", without: "promise"}), verifier.Malformed, ""},
		"P-521":                         {w.sign(keyless{curve: elliptic.P521()}), verifier.Unsupported, verifier.CheckSupported},
		"a log entry of another kind": {w.sign(keyless{change: func(b map[string]any) {
			entry := inside(b, material)["tlogEntries"].([]any)[0].(map[string]any)
			entry["kindVersion"] = map[string]any{"kind": "dsse", "version": "0.0.1"}
		}}), verifier.Malformed, ""},
		"a key's hint in the place of the certificate": {edited(t, good, func(b map[string]any) {
			delete(inside(b, material), "certificate")
			inside(b, material)["publicKey"] = map[string]any{"hint": ""}
		}), verifier.Untrusted, verifier.CheckTrust},
		"the same log entry twice": {w.sign(keyless{change: func(b map[string]any) {
			entries := inside(b, material)["tlogEntries"].([]any)
			inside(b, material)["tlogEntries"] = append(entries, entries[0])
		}}), verifier.Untrusted, verifier.CheckTransparency},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, payload := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(c.bundle))
			failed := failedChecks(report)
			if report.Verdict != c.verdict || c.check != "" && !slices.Contains(failed, c.check) || (c.check == "") != (len(failed) == 0) {
				t.Errorf("%s, failed %q; want %s, %q\n%+v\n%+v", report.Verdict, failed, c.verdict, c.check, report.Signatures, report.Findings)
			}
			if (payload != nil) != (c.verdict == verifier.Valid) {
				t.Errorf("payload %q", payload)
			}
		})
	}
}
