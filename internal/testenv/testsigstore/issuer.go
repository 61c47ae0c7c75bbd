// Package testsigstore runs a Sigstore of a test's own on loopback: the real
// Fulcio, an issuer of identity tokens, and stand-ins for what Fulcio and signers
// talk to, a log of certificates and Rekor. It is for tests: what the stand-ins
// log, they forget.
package testsigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Issuer is an OpenID provider.
type Issuer struct {
	URL string
	key *ecdsa.PrivateKey
}

// NewIssuer starts one. It ends with the test.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{key: newKey(t)}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.URL = server.URL
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"ES256"},
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"}, "authorization_endpoint": i.URL + "/auth",
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		point, err := i.key.PublicKey.Bytes() // 4, then X and Y
		if err != nil {
			panic(err) // a key of a known curve
		}
		writeJSON(w, 200, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": encode(point[1:33]), "y": encode(point[33:])}}})
	})
	return i
}

// Token issues a token for the audience sigstore that is valid for five minutes,
// with these claims over the usual ones.
func (i *Issuer) Token(t testing.TB, claims map[string]any) string {
	t.Helper()
	now := time.Now()
	all := map[string]any{"iss": i.URL, "aud": "sigstore", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(all, claims)
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	signed := encode([]byte(`{"alg":"ES256","typ":"JWT","kid":"1"}`)) + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature)
}

// Email issues a token of a person.
func (i *Issuer) Email(t testing.TB, address string) string {
	t.Helper()
	return i.Token(t, map[string]any{"sub": "1234", "email": address, "email_verified": true})
}

// Workflow issues a token as that of a job of GitHub Actions, in the repository
// ORG/NAME, by the workflow file FILE on the branch main.
func (i *Issuer) Workflow(t testing.TB, repository, file string) string {
	t.Helper()
	return i.OnBranch(t, repository, file, "main")
}

// OnBranch is Workflow on another branch.
func (i *Issuer) OnBranch(t testing.TB, repository, file, branch string) string {
	t.Helper()
	const sha = "0123456789abcdef0123456789abcdef01234567"
	branch = "refs/heads/" + branch
	ref := repository + "/.github/workflows/" + file + "@" + branch
	return i.Token(t, map[string]any{
		"sub": "repo:" + repository + ":ref:" + branch, "job_workflow_ref": ref, "job_workflow_sha": sha, "workflow": "Sign", "workflow_ref": ref, "workflow_sha": sha,
		"repository": repository, "repository_id": "1", "repository_owner": "org", "repository_owner_id": "2", "repository_visibility": "private",
		"event_name": "push", "ref": branch, "sha": sha, "runner_environment": "github-hosted", "run_id": "3", "run_attempt": "1",
	})
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // who asks sees if it breaks off
}

// sign signs SHA-256 of the data.
func sign(key crypto.Signer, data []byte) ([]byte, error) {
	digest := sha256.Sum256(data)
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return signature, nil
}

// RequestToken is what a job has to send to it.
const RequestToken = "the-secret-of-the-job"

// pipeline starts a service that gives tokens as the runner of GitHub Actions does,
// and returns its address.
func (i *Issuer) pipeline(t testing.TB, token func() string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+RequestToken || r.URL.Query().Get("audience") != "sigstore" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"value": token()})
	}))
	t.Cleanup(server.Close)
	return server.URL + "/idtoken?api-version=2.0"
}
