//go:build !nosigstore

package format_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

// TestAttackAStolenAuthorityGivesCertificatesThatBeganBeforeIt: it is denied, and
// says of its certificates that they began at a time when nobody vouched for it.
func TestAttackAStolenAuthorityGivesCertificatesThatBeganBeforeIt(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	began := w.intermediate.NotBefore.Add(-time.Hour)
	bundle := bundleBeside(w.sign(keyless{after: w.now.Sub(began) - time.Minute, edit: func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = began, w.now.Add(time.Hour)
	}}))
	files := append(w.files(jobEntry), inRoom(verifier.RoomSettings, "settings", []byte("sigstore-certificate-log:off\n")))
	report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundle)
	if report.Verdict != verifier.Valid { // the authority itself was there when it was signed
		t.Fatalf("nobody is denied: %s %+v", report.Verdict, report.Signatures)
	}
	authority := w.keyID(w.ca.Public())
	files = append(files, inRoom(verifier.RoomDeny, "list", []byte("x509-spki:"+hex.EncodeToString(authority[:])+" # stolen\n")))
	report, _ = besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundle)
	if report.Verdict != verifier.Revoked {
		t.Errorf("%s: %+v", report.Verdict, report.Signatures)
	}
}

// TestAttackABranchNamedLikeAProtectedOneAndANumberSign: Fulcio's names are URIs, and
// those of the branches "main#" and "main" are the same.
func TestAttackABranchNamedLikeAProtectedOneAndANumberSign(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	says := func(last int, text string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			added := w.fulcioText(last, text)
			for i, e := range c.ExtraExtensions {
				if e.Id.Equal(added.Id) {
					c.ExtraExtensions[i] = added
					return
				}
			}
			c.ExtraExtensions = append(c.ExtraExtensions, added)
		}
	}
	for name, c := range map[string]struct {
		edit func(*x509.Certificate)
		want verifier.Verdict
	}{
		"the branch itself":                 {says(9, signingJob), verifier.Valid},
		"another workflow of an odd branch": {says(14, "refs/heads/feature#"), verifier.Valid},
		"the signer's workflow":             {says(9, signingJob+"#"), verifier.Unsupported},
		"the workflow":                      {says(18, signingJob+"#"), verifier.Unsupported},
		"the branch":                        {says(14, "refs/heads/main#"), verifier.Unsupported},
		"the branch, in an old certificate": {func(c *x509.Certificate) {
			e := oldIssuer("refs/heads/main#")
			e.Id[len(e.Id)-1] = 6
			c.ExtraExtensions = append(c.ExtraExtensions, e)
		}, verifier.Unsupported},
		"a name that is not written as usual":  {func(c *x509.Certificate) { c.URIs[0] = &url.URL{Opaque: signingJob + "#"} }, verifier.Unsupported},
		"a name in capitals, and one in small": {func(c *x509.Certificate) { c.URIs[0] = &url.URL{Opaque: "HTTPS" + signingJob[len("https"):]} }, verifier.Unsupported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(w.sign(keyless{edit: c.edit})))
			if report.Verdict != c.want {
				t.Errorf("%s, want %s: %+v", report.Verdict, c.want, report.Signatures)
			}
		})
	}
}

// TestAttackADeniedCertificateWithAnotherDigest: anybody can write a certificate with
// an ECDSA signature in a second way, which is as good.
func TestAttackADeniedCertificateWithAnotherDigest(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	bundle := w.sign(keyless{without: "log"})
	var denied string
	mirrored := edited(t, bundle, func(b map[string]any) {
		certificate := inside(b, "verificationMaterial", "certificate")
		der, err := base64.StdEncoding.DecodeString(certificate["rawBytes"].(string))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(der)
		denied = hex.EncodeToString(sum[:])
		certificate["rawBytes"] = mirroredCertificate(t, der)
	})
	files := append(w.files(jobEntry), inRoom(verifier.RoomSettings, "settings", []byte("sigstore-transparency-log:none\n")))
	report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundleBeside(mirrored))
	if report.Verdict != verifier.Valid { // else there is nothing to attack with
		t.Fatalf("nobody is denied: %s %+v", report.Verdict, report.Signatures)
	}
	files = append(files, inRoom(verifier.RoomDeny, "list", []byte("x509-sha256:"+denied+" # stolen\n")))
	for name, data := range map[string][]byte{"as it was": bundle, "mirrored": mirrored} {
		report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundleBeside(data))
		if report.Verdict != verifier.Revoked {
			t.Errorf("%s: %s %+v", name, report.Verdict, report.Signatures)
		}
	}
}

// mirroredCertificate has n-s in the place of s in the signature of the certificate.
func mirroredCertificate(t *testing.T, der []byte) []byte {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Value          asn1.BitString
	}
	var value struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(outer.Value.Bytes, &value); err != nil {
		t.Fatal(err)
	}
	value.S.Sub(elliptic.P256().Params().N, value.S)
	signature, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	outer.Value = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	if der, err = asn1.Marshal(outer); err != nil {
		t.Fatal(err)
	}
	return der
}

// TestAttackADeniedKeyOfBundlesHasACertificate: the key that is denied under its name
// in bundles is the key of a certificate, too.
func TestAttackADeniedKeyOfBundlesHasACertificate(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	authority := w.keyID(w.ca.Public())
	files := append(w.files(jobEntry), inRoom(verifier.RoomDeny, "list", []byte("sigstore-key:"+hex.EncodeToString(authority[:])+" # stolen\n")))
	report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundleBeside(w.sign(keyless{})))
	if report.Verdict != verifier.Revoked {
		t.Errorf("%s: %+v", report.Verdict, report.Signatures)
	}
}

// TestAttackADeniedWitness: a log or a timestamp authority whose key was stolen stands
// in the trusted root until somebody changes that.
func TestAttackADeniedWitness(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	sum := sha256.Sum256(w.tsa.Raw)
	stamper, log, certificates := w.keyID(w.tsaKey.Public()), w.keyID(w.log.Public()), w.keyID(w.ctKey.Public())
	for name, c := range map[string]struct {
		entry  string
		bundle keyless
		want   verifier.Verdict
	}{
		"the authority's key":                   {"x509-spki:" + hex.EncodeToString(stamper[:]), keyless{rekor2: true}, verifier.Expired},
		"the authority's certificate":           {"x509-sha256:" + hex.EncodeToString(sum[:]), keyless{rekor2: true}, verifier.Expired},
		"the authority, and the log has a time": {"x509-spki:" + hex.EncodeToString(stamper[:]), keyless{}, verifier.Valid},
		"the log of signatures":                 {"x509-spki:" + hex.EncodeToString(log[:]), keyless{}, verifier.Untrusted},
		"the log of certificates":               {"x509-spki:" + hex.EncodeToString(certificates[:]), keyless{}, verifier.Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := append(w.files(jobEntry), inRoom(verifier.RoomDeny, "list", []byte(c.entry+" # stolen\n")))
			report, _ := besideVerdict(t, sigstoreVerifier(t, trustOf(t, files...), w.now), "deploy.sh", sigstoreScript, bundleBeside(w.sign(c.bundle)))
			if report.Verdict != c.want {
				t.Errorf("%s, want %s: %+v", report.Verdict, c.want, report.Signatures)
			}
		})
	}
}

// TestAttackAProofThatTakesLongToRead: anybody can repeat the line with which a log
// signs its head, and each is verified.
func TestAttackAProofThatTakesLongToRead(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	v := sigstoreVerifier(t, trustOf(t, w.files(jobEntry)...), w.now)
	for name, c := range map[string]struct {
		change func(proof, checkpoint map[string]any)
		want   verifier.Verdict
	}{
		"a line a hundred times": {func(_, checkpoint map[string]any) {
			envelope := checkpoint["envelope"].(string)
			last := envelope[strings.LastIndex(strings.TrimSpace(envelope), "\n")+1:]
			checkpoint["envelope"] = envelope + strings.Repeat(last, 100)
		}, verifier.Valid},
		"a line a thousand times": {func(_, checkpoint map[string]any) {
			envelope := checkpoint["envelope"].(string)
			last := envelope[strings.LastIndex(strings.TrimSpace(envelope), "\n")+1:]
			checkpoint["envelope"] = envelope + strings.Repeat(last, 1000)
		}, verifier.Malformed},
		"a way of 65 steps": {func(proof, _ map[string]any) {
			proof["hashes"] = slices.Repeat([]any{proof["rootHash"]}, 65)
		}, verifier.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := w.sign(keyless{change: func(b map[string]any) {
				proof := inside(inside(b, "verificationMaterial")["tlogEntries"].([]any)[0].(map[string]any), "inclusionProof")
				c.change(proof, inside(proof, "checkpoint"))
			}})
			if report, _ := besideVerdict(t, v, "deploy.sh", sigstoreScript, bundleBeside(bundle)); report.Verdict != c.want {
				t.Errorf("%s, want %s: %+v %+v", report.Verdict, c.want, report.Signatures, report.Findings)
			}
		})
	}
}

// TestAttackAFileThatIsSignedForAnotherPurpose: the value of a bundle's signature is
// one over the file's bytes and nothing else, so it is good wherever these are signed.
func TestAttackAFileThatIsSignedForAnotherPurpose(t *testing.T) {
	t.Parallel()
	w := newSigstoreWorld(t, testenv.VectorTime())
	attributes, err := asn1.MarshalWithParams([]asn1.RawValue{{FullBytes: w.root.RawSubject}}, "set")
	if err != nil {
		t.Fatal(err)
	}
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"files":[]}`))
	key := bareKey(t, newECKey(t, elliptic.P256()))
	for name, c := range map[string]struct {
		content []byte
		refused bool
	}{
		"the attributes of a signature":          {attributes, true},
		"a certificate without its signature":    {w.root.RawTBSCertificate, true},
		"a JSON Web Token without its signature": {[]byte(token), true},
		"the same with a line end":               {[]byte(token + "\n"), false},
		"text behind a value":                    {append(slices.Clone(attributes), '\n'), false},
		"a script that begins with a digit":      {[]byte("1 + 1\n"), false},
		"a script with a dot":                    {[]byte("eyes.open\n"), false},
		"nothing":                                {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rb, err := runbook.Parse("a.sh", c.content)
			if err != nil {
				t.Fatal(err)
			}
			var input *signer.InputError
			if _, err := format.NewSigstore().Sign(t.Context(), rb, key); errors.As(err, &input) != c.refused || !c.refused && err != nil {
				t.Error(err)
			}
		})
	}
}
