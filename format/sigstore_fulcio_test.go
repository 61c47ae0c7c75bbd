//go:build !nosigstore

package format_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/oidctoken"
	"github.com/runwrit/writ/internal/testenv/testsigstore"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

func atURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := endpoint.ParseURL("test", raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func once(context.Context, time.Duration) error { return nil }

// keylessOptions ask a Fulcio with a token.
func keylessOptions(t testing.TB, fulcio, token string) format.KeylessOptions {
	t.Helper()
	return format.KeylessOptions{
		Fulcio: atURL(t, fulcio), Endpoint: endpoint.Options{Wait: once},
		Token: func(ctx context.Context) (oidctoken.Token, error) { return (&oidctoken.Source{Value: token}).Get(ctx) },
	}
}

func loggingFormat(t testing.TB, rekor string) *format.Sigstore {
	t.Helper()
	f := format.NewSigstore()
	f.Log = &format.LogClient{URL: atURL(t, rekor), Version: 1, Endpoint: endpoint.Options{Wait: once}}
	return f
}

// sigstoreTrust trusts a Sigstore, and of its users the one with this name.
func sigstoreTrust(t testing.TB, s *testsigstore.Sigstore, issuer, san string) *verifier.TrustStore {
	t.Helper()
	return trustOf(t,
		inRoom(verifier.RoomSigstore, "trusted_root.json", s.TrustedRoot(t, nil)),
		inRoom(verifier.RoomSigstoreIdentities, "us", fmt.Appendf(nil, "sigstore-identity:us issuer=%q san=%q\n", issuer, san)))
}

// judgedBy is the verifier in the words of the signer.
func judgedBy(v *verifier.Verifier) signer.VerifyFunc {
	return func(ctx context.Context, rb *runbook.Runbook) (*signer.Verification, error) {
		verified, err := v.Verify(ctx, rb)
		if err != nil {
			return nil, err
		}
		found := &signer.Verification{Payload: verified.Payload()}
		for _, s := range verified.Report().Signatures {
			if s.Verdict == verifier.Valid {
				found.Signers, found.Formats = append(found.Signers, s.Signer.IDs...), append(found.Formats, s.Format)
			}
		}
		return found, nil
	}
}

const signWorkflow = "https://github.com/org/lib/.github/workflows/sign.yml@refs/heads/main"

// TestKeylessSignaturesVerifyWithoutANetwork: the certificate is by the real Fulcio.
func TestKeylessSignaturesVerifyWithoutANetwork(t *testing.T) {
	t.Parallel()
	s := testsigstore.Start(t)
	for name, tt := range map[string]struct{ token, issuer, san string }{
		"a person": {s.People.Email(t, "op@example.org"), s.People.URL, "op@example.org"},
		"a job":    {s.Jobs.Workflow(t, "org/lib", "sign.yml"), s.Jobs.URL, signWorkflow},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := format.OpenKeyless(t.Context(), keylessOptions(t, s.Fulcio, tt.token))
			if err != nil {
				t.Fatal(err)
			}
			if want := "sigstore:" + tt.issuer + "|" + tt.san; key.ID() != want || key.Kind() != signer.KindKeyless {
				t.Fatalf("the key is %q, want %q", key.ID(), want)
			}
			path := filepath.Join(t.TempDir(), "deploy.sh")
			if err := os.WriteFile(path, sigstoreScript, 0o755); err != nil {
				t.Fatal(err)
			}
			v := sigstoreVerifier(t, sigstoreTrust(t, s, tt.issuer, tt.san), time.Now())
			options := signer.Options{Format: loggingFormat(t, s.Rekor.URL), Key: key, Verify: judgedBy(v)}
			if _, err := signer.SignFile(t.Context(), path, options); err != nil {
				t.Fatal(err)
			}
			rb, err := runbook.ReadFileWithSidecars(path, false)
			if err != nil {
				t.Fatal(err)
			}
			report, err := v.Inspect(t.Context(), rb)
			if err != nil || report.Verdict != verifier.Valid {
				t.Fatalf("%+v, %v", report, err)
			}
			if got := report.Signatures[0]; got.SignedAtSource != verifier.TimeLog || !slices.Contains(got.Signer.IDs, key.ID()) || !slices.Contains(got.Signer.IDs, "sigstore-identity:us") {
				t.Errorf("%+v", got)
			}
			// Signed again by the same identity, with another key and certificate: there
			// is nothing to do.
			if options.Key, err = format.OpenKeyless(t.Context(), keylessOptions(t, s.Fulcio, tt.token)); err != nil {
				t.Fatal(err)
			}
			if outcome, err := signer.SignFile(t.Context(), path, options); err != nil || !outcome.Unchanged {
				t.Errorf("%+v, %v", outcome, err)
			}
			stranger := sigstoreVerifier(t, sigstoreTrust(t, s, tt.issuer, "somebody@else.example"), time.Now())
			if report, err := stranger.Inspect(t.Context(), rb); err != nil || report.Verdict != verifier.Untrusted {
				t.Errorf("who trusts somebody else says %v, %v", report, err)
			}
			later := sigstoreVerifier(t, sigstoreTrust(t, s, tt.issuer, tt.san), time.Now().AddDate(1, 0, 0))
			if report, err := later.Inspect(t.Context(), rb); err != nil || report.Verdict != verifier.Valid {
				t.Errorf("long after the certificate has expired: %v, %v", report, err)
			}
		})
	}
}

// liar is a Fulcio that gives the certificates a test wants.
type liar struct {
	url   string
	key   *ecdsa.PrivateKey
	asked atomic.Int32
}

const sigstoreIssuer = "https://issuer.example"

func newLiar(t testing.TB, change func(template *x509.Certificate, public *ecdsa.PublicKey) *ecdsa.PublicKey) *liar {
	t.Helper()
	l := &liar{key: newECKey(t, elliptic.P256())}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked.Add(1)
		var request struct {
			PublicKeyRequest struct {
				PublicKey struct{ Content string }
			}
		}
		data, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(data, &request); err != nil || r.URL.Path != "/api/v2/signingCert" {
			w.WriteHeader(400)
			return
		}
		block, _ := pem.Decode([]byte(request.PublicKeyRequest.PublicKey.Content))
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			w.WriteHeader(400)
			return
		}
		now := time.Now()
		issuer, _ := asn1.MarshalWithParams(sigstoreIssuer, "utf8")
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Second), NotAfter: now.Add(10 * time.Minute),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, EmailAddresses: []string{"op@example.org"},
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuer}},
		}
		certified := change(template, public.(*ecdsa.PublicKey))
		parent := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "liar"}}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, certified, l.key)
		if err != nil {
			w.WriteHeader(500)
			return
		}
		answer, _ := json.Marshal(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{
			"certificates": []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))},
		}}})
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// unsignedToken is a token that nobody here verifies.
func unsignedToken(t testing.TB, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": sigstoreIssuer, "sub": "1234", "aud": "sigstore", "exp": time.Now().Add(5 * time.Minute).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"ES256"}`)) + "." + part(payload) + "." + part([]byte("the signature of the token, a secret"))
}

func emailToken(t testing.TB) string {
	t.Helper()
	return unsignedToken(t, map[string]any{"email": "op@example.org", "email_verified": true})
}

// hides wants an error that holds no part of the token.
func hides(t testing.TB, err error, token string) {
	t.Helper()
	for _, part := range strings.Split(token, ".") {
		if err != nil && strings.Contains(err.Error(), part) {
			t.Errorf("the error holds a part of the token: %v", err)
		}
	}
}

func TestAttackAFulcioThatGivesAnotherCertificate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	same := func(change func(*x509.Certificate)) func(*x509.Certificate, *ecdsa.PublicKey) *ecdsa.PublicKey {
		return func(c *x509.Certificate, public *ecdsa.PublicKey) *ecdsa.PublicKey {
			change(c)
			return public
		}
	}
	others := newECKey(t, elliptic.P256())
	for name, tt := range map[string]struct {
		change func(*x509.Certificate, *ecdsa.PublicKey) *ecdsa.PublicKey
		want   string
	}{
		"for another key":       {func(*x509.Certificate, *ecdsa.PublicKey) *ecdsa.PublicKey { return &others.PublicKey }, "for another key"},
		"for another person":    {same(func(c *x509.Certificate) { c.EmailAddresses = []string{"boss@example.org"} }), "somebody else"},
		"for two people":        {same(func(c *x509.Certificate) { c.EmailAddresses = append(c.EmailAddresses, "boss@example.org") }), "exactly one"},
		"for nobody":            {same(func(c *x509.Certificate) { c.EmailAddresses = nil }), "exactly one"},
		"by another issuer":     {same(func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte("\x0c\x11https://a.example") }), "the token is by"},
		"by no issuer":          {same(func(c *x509.Certificate) { c.ExtraExtensions = nil }), "no issuer"},
		"that has expired":      {same(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(-time.Minute) }), "has expired"},
		"that is not valid yet": {same(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour) }), "not valid before"},
		"that is for servers":   {same(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "not one for signing code"},
		"that is for certificates": {same(func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		}), "not one for signing code"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token := emailToken(t)
			_, err := format.OpenKeyless(t.Context(), keylessOptions(t, newLiar(t, tt.change).url, token))
			var known *endpoint.Error
			if !errors.As(err, &known) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want an error that says %q", err, tt.want)
			}
			hides(t, err, token)
		})
	}
}

func TestAttackAFulcioThatAnswersAmiss(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	t.Cleanup(thief.Close)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"redirects to another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusPermanentRedirect)
		}, "redirect"},
		"says the token back": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusBadRequest)
		}, "does not take this identity token"},
		"says the token back for long": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusServiceUnavailable)
		}, "HTTP status 503"},
		"sends text":           {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) }, "not what such a service says"},
		"sends no certificate": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, "not what such a service says"},
		"sends junk as certificate": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"signedCertificateEmbeddedSct":{"chain":{"certificates":["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]}}}`)
		}, "no certificate"},
		"never ends":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2*endpoint.MaxAnswer)) }, "more than"},
		"is no Fulcio": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "no such service"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			token := emailToken(t)
			_, err := format.OpenKeyless(t.Context(), keylessOptions(t, server.URL, token))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want an error that says %q", err, tt.want)
			}
			hides(t, err, token)
		})
	}
	if stolen.Load() != 0 {
		t.Error("the token went to another host")
	}
}

func TestASlowFulcioIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	o := keylessOptions(t, server.URL, emailToken(t))
	o.Endpoint.Timeout = 20 * time.Millisecond
	_, err := format.OpenKeyless(t.Context(), o)
	var silent *endpoint.Error
	if !errors.As(err, &silent) || !silent.Silent {
		t.Fatal(err)
	}
}

// TestACertificateServesFilesUntilItEnds: then there is a new key, a new token and a
// new certificate, and it must be for the same signer.
func TestACertificateServesFilesUntilItEnds(t *testing.T) {
	t.Parallel()
	who := "op@example.org"
	l := newLiar(t, func(c *x509.Certificate, public *ecdsa.PublicKey) *ecdsa.PublicKey {
		c.EmailAddresses = []string{who}
		return public
	})
	o := keylessOptions(t, l.url, unsignedToken(t, nil))
	now := time.Now()
	o.Now = func() time.Time { return now }
	key, err := format.OpenKeyless(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	first, leaf, err := key.Certified(t.Context())
	if err != nil || l.asked.Load() != 1 {
		t.Fatal(err, l.asked.Load())
	}
	now = leaf.NotAfter.Add(-time.Minute)
	second, later, err := key.Certified(t.Context())
	if err != nil || l.asked.Load() != 2 || first == second || leaf.Equal(later) {
		t.Fatal(err, l.asked.Load())
	}
	who = "boss@example.org"
	if _, _, err := key.Certified(t.Context()); err == nil || !strings.Contains(err.Error(), "the first one was for") {
		t.Errorf("a certificate for another signer: %v", err)
	}
}

// TestAttackALogThatAnswersAmiss: nothing is written that does not verify.
func TestAttackALogThatAnswersAmiss(t *testing.T) {
	t.Parallel()
	s := testsigstore.Start(t)
	key, err := format.OpenKeyless(t.Context(), keylessOptions(t, s.Fulcio, s.People.Email(t, "op@example.org")))
	if err != nil {
		t.Fatal(err)
	}
	v := sigstoreVerifier(t, sigstoreTrust(t, s, s.People.URL, "op@example.org"), time.Now())
	another := newECKey(t, elliptic.P256())
	other := s.Rekor.Entry(t, another, publicPEM(t, bareKey(t, another)), []byte("another artifact"))
	stranger := testsigstore.NewRekor(t)
	for name, tt := range map[string]struct {
		url    string
		change func(map[string]any)
		answer http.HandlerFunc
		want   string
	}{
		"an entry of another artifact": {change: func(e map[string]any) {
			for name, value := range other {
				e[name] = value
			}
		}},
		"an entry with another time":     {change: func(e map[string]any) { e["integratedTime"] = time.Now().Add(-time.Hour).Unix() }},
		"an entry at another place":      {change: func(e map[string]any) { e["logIndex"] = 12 }},
		"an entry without a promise":     {change: func(e map[string]any) { e["verification"].(map[string]any)["signedEntryTimestamp"] = "" }},
		"an entry without a proof":       {change: func(e map[string]any) { delete(e["verification"].(map[string]any), "inclusionProof") }, want: "no entry of a log"},
		"an entry without its parts":     {change: func(e map[string]any) { clear(e) }, want: "no entry of a log"},
		"an entry with a body of junk":   {change: func(e map[string]any) { e["body"] = "AAAA" }, want: "no entry of a log"},
		"an entry of a log nobody knows": {url: stranger.URL},
		"text":                           {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); _, _ = io.WriteString(w, "hello") }, want: "no entry of a log"},
		"an entry that is there already": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://thief.example/../x")
			w.WriteHeader(409)
		}, want: "no entry of a log"},
		"a refusal": {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, want: "HTTP status 400"},
		"silence":   {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, want: "HTTP status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			address := s.Rekor.URL
			if tt.url != "" {
				address = tt.url
			}
			if tt.answer != nil {
				server := httptest.NewServer(tt.answer)
				defer server.Close()
				address = server.URL
			}
			s.Rekor.Change = tt.change
			path := filepath.Join(t.TempDir(), "deploy.sh")
			if err := os.WriteFile(path, sigstoreScript, 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := signer.SignFile(t.Context(), path, signer.Options{Format: loggingFormat(t, address), Key: key, Verify: judgedBy(v)})
			var self *signer.SelfCheckError
			var known *endpoint.Error
			switch {
			case tt.want == "" && !errors.As(err, &self):
				t.Errorf("%v; want that it does not verify", err)
			case tt.want != "" && (!errors.As(err, &known) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v; want an error that says %q", err, tt.want)
			}
			if _, err := os.Lstat(path + ".sigstore.json"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a bundle was left: %v", err)
			}
		})
	}
}

// TestAnEntryThatTheLogHasAlreadyIsFetched: the answer to the first question may
// have been lost.
func TestAnEntryThatTheLogHasAlreadyIsFetched(t *testing.T) {
	t.Parallel()
	other := testsigstore.NewRekor(t)
	const id = "/api/v1/log/entries/"
	name := strings.Repeat("ab", 40)
	var kept []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			res, err := http.Post(other.URL+r.URL.Path, "application/json", bytes.NewReader(body))
			if err == nil {
				kept, _ = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			w.Header().Set("Location", id+name)
			w.WriteHeader(409)
			return
		}
		if r.URL.Path != id+name {
			w.WriteHeader(404)
		}
		_, _ = w.Write(kept)
	}))
	t.Cleanup(server.Close)
	rb, err := runbook.Parse("a.sh", sigstoreScript)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := loggingFormat(t, server.URL).Sign(t.Context(), rb, bareKey(t, newECKey(t, elliptic.P256())))
	if err != nil {
		t.Fatal(err)
	}
	if stamped, logged := format.HasEvidence(bundle); stamped || !logged {
		t.Errorf("stamped %v, logged %v", stamped, logged)
	}
}
