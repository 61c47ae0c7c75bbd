package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws/jwsbb"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/policy"
	"github.com/runwrit/writ/worker/identity"
)

const (
	tenant      = "11111111-2222-3333-4444-555555555555"
	object      = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	entraIssuer = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	audience    = "api://writ-gate"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// signers are keys of an issuer, made once.
type signers struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

// edKey is the same in each process: a fuzz target has several.
var edKey = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, fixed"[:32]))

var keys = sync.OnceValue(func() *signers {
	k := &signers{}
	var err [2]error
	k.rsa, err[0] = rsa.GenerateKey(rand.Reader, 2048)
	k.ec, err[1] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.ed = edKey
	if err := errors.Join(err[:]...); err != nil {
		panic(err)
	}
	return k
})

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// set is the JWKS of the keys: kid r, e and d.
func set() string {
	k := keys()
	xy, err := k.ec.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return `{"keys":[` +
		`{"kty":"RSA","kid":"r","use":"sig","n":"` + b64(k.rsa.N.Bytes()) + `","e":"AQAB"},` +
		`{"kty":"EC","kid":"e","crv":"P-256","x":"` + b64(xy[1:33]) + `","y":"` + b64(xy[33:]) + `"},` +
		`{"kty":"OKP","kid":"d","use":"jwt-svid","crv":"Ed25519","x":"` + b64(k.ed.Public().(ed25519.PublicKey)) + `"}]}`
}

// sign makes a token of a header and a payload as they are.
func sign(header, payload, algorithm string, key any) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	signature, err := jwsbb.Sign(key, algorithm, []byte(input), rand.Reader)
	if err != nil {
		panic(err)
	}
	return input + "." + b64(signature)
}

type claims map[string]any

// with is a copy with other claims; nil takes one away.
func (c claims) with(more claims) claims {
	all := maps.Clone(c)
	for name, v := range more {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	return all
}

func (c claims) String() string {
	data, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// rs256 signs claims with the RSA key.
func rs256(c claims) string {
	return sign(`{"alg":"RS256","typ":"JWT","kid":"r"}`, c.String(), "RS256", keys().rsa)
}

func entraClaims() claims {
	return claims{
		"iss": entraIssuer, "aud": audience, "tid": tenant, "oid": object, "sub": "pairwise", "ver": "2.0", "idtyp": "user",
		"iat": noon.Unix() - 60, "nbf": noon.Unix() - 60, "exp": noon.Unix() + 3600, "name": "Eva", "preferred_username": "eva@example.org",
		"groups": []string{"99999999-0000-0000-0000-000000000001"}, "roles": []string{"Runbook.Run"}, "amr": []string{"pwd", "mfa"},
	}
}

func githubClaims() claims {
	return claims{
		"iss": "https://token.actions.githubusercontent.com", "aud": audience, "sub": "repo:octo/web:environment:production",
		"repository": "octo/web", "repository_id": "42", "repository_owner": "octo", "repository_owner_id": "7", "environment": "production",
		"ref": "refs/heads/main", "job_workflow_ref": "octo/web/.github/workflows/deploy.yml@refs/heads/main",
		"iat": noon.Unix() - 60, "nbf": noon.Unix() - 660, "exp": noon.Unix() + 300,
	}
}

func oidcClaims() claims {
	return claims{"iss": "https://id.example.org/realm", "aud": audience, "sub": "4711", "iat": noon.Unix() - 60, "exp": noon.Unix() + 300, "teams": []string{"/ops"}, "may": []string{"run"}}
}

func spiffeClaims() claims {
	return claims{"aud": []string{audience}, "sub": "spiffe://prod.example.org/web/1", "iat": noon.Unix() - 60, "exp": noon.Unix() + 300}
}

// table is that of all four kinds of issuers, with the keys in a file.
func table(t testing.TB, jwks string) *identity.Issuers {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, []byte(jwks), 0o600); err != nil {
		t.Fatal(err)
	}
	is, err := identity.NewIssuers(issuers(path), identity.IssuersOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func issuers(jwks string) []identity.Issuer {
	common := identity.Issuer{JWKS: jwks, Audiences: []string{audience, "22222222-2222-2222-2222-222222222222"}, Algorithms: []string{"RS256", "ES256", "EdDSA"}, Skew: time.Minute}
	entra, v1, github, oidc, spiffe := common, common, common, common, common
	entra.Mapping, entra.Issuer = identity.MappingEntra, entraIssuer
	v1.Mapping, v1.Issuer, v1.Algorithms = identity.MappingEntra, "https://sts.windows.net/"+tenant+"/", []string{"RS256"}
	github.Mapping, github.Issuer = identity.MappingGitHub, "https://token.actions.githubusercontent.com"
	github.Pins = map[string][]string{"repository_owner_id": {"7"}, "ref": {"refs/heads/main", "refs/heads/stable"}}
	oidc.Mapping, oidc.Issuer, oidc.GroupsClaim, oidc.RolesClaim = identity.MappingOIDC, "https://id.example.org/realm", "teams", "may"
	oidc.MaxAge, oidc.MaxLifetime = 10*time.Minute, time.Hour
	spiffe.Mapping, spiffe.TrustDomain = identity.MappingSPIFFE, "prod.example.org"
	return []identity.Issuer{entra, v1, github, oidc, spiffe}
}

func TestGoodTokensNameTheirCaller(t *testing.T) {
	t.Parallel()
	is := table(t, set())
	ec := func(c claims) string { return sign(`{"alg":"ES256","kid":"e"}`, c.String(), "ES256", keys().ec) }
	ed := func(c claims) string {
		return sign(`{"alg":"EdDSA","typ":"JOSE","kid":"d"}`, c.String(), "EdDSA", keys().ed)
	}
	tests := []struct {
		name, token string
		want        policy.Caller
	}{
		{"Entra, a user", rs256(entraClaims()), policy.Caller{
			Kind: "entra-user", ID: "entra:" + tenant + ":" + object, Issuer: entraIssuer, Display: "Eva",
			Groups: []string{"entra:" + tenant + ":99999999-0000-0000-0000-000000000001"}, GroupsComplete: true, Roles: []string{"Runbook.Run"},
		}},
		{"Entra, an application", ec(entraClaims().with(claims{"idtyp": "app", "name": nil, "preferred_username": nil, "app_displayname": "deployer", "groups": nil})), policy.Caller{
			Kind: "entra-app", ID: "entra:" + tenant + ":" + object, Issuer: entraIssuer, Display: "deployer", Groups: []string{}, Roles: []string{"Runbook.Run"},
		}},
		{"Entra, version 1, an application that does not say so", rs256(entraClaims().with(claims{"iss": "https://sts.windows.net/" + tenant + "/", "ver": "1.0", "sub": object, "idtyp": nil, "name": nil, "preferred_username": nil})), policy.Caller{
			Kind: "entra-app", ID: "entra:" + tenant + ":" + object, Issuer: "https://sts.windows.net/" + tenant + "/",
			Groups: []string{"entra:" + tenant + ":99999999-0000-0000-0000-000000000001"}, GroupsComplete: true, Roles: []string{"Runbook.Run"},
		}},
		{"GitHub Actions", ed(githubClaims()), policy.Caller{
			Kind: "github", ID: "github:42", Issuer: "https://token.actions.githubusercontent.com", Display: "octo/web", Roles: []string{}, GroupsComplete: true,
			Groups: []string{"github:owner:7", "github:ref:42:refs/heads/main", "github:environment:42:production", "github:workflow:octo/web/.github/workflows/deploy.yml@refs/heads/main"},
		}},
		{"OpenID Connect", rs256(oidcClaims()), policy.Caller{
			Kind: "oidc", ID: "oidc:https://id.example.org/realm#4711", Issuer: "https://id.example.org/realm", Groups: []string{"oidc:https://id.example.org/realm#/ops"}, GroupsComplete: true, Roles: []string{"run"},
		}},
		{"OpenID Connect without the groups", rs256(oidcClaims().with(claims{"teams": nil, "may": nil, "aud": []string{audience}})), policy.Caller{
			Kind: "oidc", ID: "oidc:https://id.example.org/realm#4711", Issuer: "https://id.example.org/realm", Groups: []string{}, Roles: []string{},
		}},
		{"SPIFFE", ec(spiffeClaims()), policy.Caller{
			Kind: "spiffe", ID: "spiffe://prod.example.org/web/1", Issuer: "spiffe://prod.example.org", Groups: []string{"spiffe://prod.example.org"}, GroupsComplete: true, Roles: []string{},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := is.Verify(t.Context(), []byte(tt.token), noon)
			if err != nil {
				t.Fatal(err)
			}
			if got.Token == nil || got.Token.SHA256.IsZero() || got.Token.ExpiresAtNS <= noon.UnixNano() || got.Assurance != "token" {
				t.Errorf("odd token %+v", got.Token)
			}
			got.Token, got.Assurance = nil, ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			// What was made can be decided on.
			if strings.Contains(fmt.Sprint(got), tt.token[len(tt.token)-20:]) {
				t.Error("the caller holds a part of the token")
			}
		})
	}
}

// hs256 signs with a shared secret.
func hs256(c claims, secret []byte) string {
	input := b64([]byte(`{"alg":"HS256","kid":"r"}`)) + "." + b64([]byte(c.String()))
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + b64(h.Sum(nil))
}

func TestAttacksWithTokens(t *testing.T) {
	t.Parallel()
	is := table(t, set())
	good := entraClaims()
	withHeader := func(h string) string { return sign(h, good.String(), "RS256", keys().rsa) }
	unsigned := func(alg string) string {
		return b64([]byte(`{"alg":"`+alg+`","kid":"r"}`)) + "." + b64([]byte(good.String())) + "."
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token := rs256(good)
	parts := strings.Split(token, ".")
	duplicate := strings.Replace(good.String(), `"aud":`, `"oid":"`+tenant+`","aud":`, 1)
	tests := []struct{ name, token, code string }{
		{"the algorithm none", unsigned("none"), "token-algorithm"},
		{"the algorithm None", unsigned("nOnE"), "token-algorithm"},
		{"no algorithm", withHeader(`{"kid":"r"}`), "token-algorithm"},
		{"an algorithm that is no text", withHeader(`{"alg":["RS256"],"kid":"r"}`), "token-algorithm"},
		{"HS256 with the public key as the secret", hs256(good, keys().rsa.N.Bytes()), "token-algorithm"},
		{"HS256 with the set of keys as the secret", hs256(good, []byte(set())), "token-algorithm"},
		{"RS512", sign(`{"alg":"RS512","kid":"r"}`, good.String(), "RS512", keys().rsa), "token-algorithm"},
		{"PS256, which the table does not list", sign(`{"alg":"PS256","kid":"r"}`, good.String(), "PS256", keys().rsa), "token-algorithm"},
		{"an algorithm that is not of the key", sign(`{"alg":"ES256","kid":"r"}`, good.String(), "ES256", keys().ec), "token-key"},
		{"the signature of another algorithm than is said", sign(`{"alg":"RS256","kid":"r"}`, good.String(), "PS256", keys().rsa), "token-signature"},
		{"no signature", unsigned("RS256"), "token-format"},
		{"a signature of another key", sign(`{"alg":"RS256","kid":"r"}`, good.String(), "RS256", other), "token-signature"},
		{"a claim that was changed", parts[0] + "." + b64([]byte(good.with(claims{"oid": tenant}).String())) + "." + parts[2], "token-signature"},
		{"no key", withHeader(`{"alg":"RS256"}`), "token-key"},
		{"a key that is not there", withHeader(`{"alg":"RS256","kid":"x"}`), "token-key"},
		{"a key that is a path", withHeader(`{"alg":"RS256","kid":"../../../../dev/null"}`), "token-key"},
		{"a key that is a query", withHeader(`{"alg":"RS256","kid":"x' UNION SELECT 'r"}`), "token-key"},
		{"a key that is no text", withHeader(`{"alg":"RS256","kid":0}`), "token-key"},
		{"a key with a long name", withHeader(`{"alg":"RS256","kid":"` + strings.Repeat("r", 300) + `"}`), "token-key"},
		{"a key in the header", withHeader(`{"alg":"RS256","kid":"r","jwk":{"kty":"RSA"}}`), "token-header"},
		{"the address of a key in the header", withHeader(`{"alg":"RS256","kid":"r","jku":"https://evil.example.org/jwks"}`), "token-header"},
		{"a certificate in the header", withHeader(`{"alg":"RS256","kid":"r","x5c":["AA"]}`), "token-header"},
		{"the address of a certificate in the header", withHeader(`{"alg":"RS256","kid":"r","x5u":"https://evil.example.org"}`), "token-header"},
		{"a critical extension", withHeader(`{"alg":"RS256","kid":"r","crit":["exp"]}`), "token-header"},
		{"a payload that is not encoded", withHeader(`{"alg":"RS256","kid":"r","b64":false}`), "token-header"},
		{"an encrypted token inside", withHeader(`{"alg":"RS256","kid":"r","typ":"JWE"}`), "token-header"},
		{"a header name twice", withHeader(`{"alg":"RS256","kid":"r","alg":"none"}`), "token-format"},
		{"a claim twice", sign(`{"alg":"RS256","kid":"r"}`, duplicate, "RS256", keys().rsa), "token-format"},
		{"a claim twice, deep inside", rs256(good)[:len(parts[0])+1] + b64([]byte(`{"a":{"b":[{"c":1,"c":2}]}}`)) + "." + parts[2], "token-format"},
		{"a payload that is no object", sign(`{"alg":"RS256","kid":"r"}`, `["a"]`, "RS256", keys().rsa), "token-format"},
		{"two payloads", sign(`{"alg":"RS256","kid":"r"}`, good.String()+good.String(), "RS256", keys().rsa), "token-format"},
		{"a payload that is no text", sign(`{"alg":"RS256","kid":"r"}`, "{\"a\":\"\xff\"}", "RS256", keys().rsa), "token-format"},
		{"nested without end", sign(`{"alg":"RS256","kid":"r"}`, strings.Repeat(`{"a":`, 3000)+"1"+strings.Repeat("}", 3000), "RS256", keys().rsa), "token-size"},
		{"nested too deep", sign(`{"alg":"RS256","kid":"r"}`, strings.Repeat(`{"a":`, 50)+"1"+strings.Repeat("}", 50), "RS256", keys().rsa), "token-format"},
		{"huge", rs256(good.with(claims{"x": strings.Repeat("a", 20_000)})), "token-size"},
		{"nothing", "", "token-format"},
		{"two segments", parts[0] + "." + parts[1], "token-format"},
		{"four segments", token + ".AA", "token-format"},
		{"five segments, an encrypted token", token + ".AA.AA", "token-format"},
		{"very many segments", strings.Repeat(".", 16_000), "token-format"},
		{"the JSON form", `{"payload":"` + parts[1] + `"}`, "token-format"},
		{"padding", parts[0] + "=." + parts[1] + "." + parts[2], "token-format"},
		{"a line end inside", parts[0] + "." + parts[1] + ".\n" + parts[2], "token-format"},
		{"a blank behind", token + " ", "token-format"},
		{"the other alphabet of base64", parts[0] + "." + parts[1] + ".+/+/", "token-format"},
		{"another way to write the signature", token[:len(token)-1] + map[bool]string{true: "R", false: "x"}[strings.HasSuffix(token, "Q")], "token-format"},
		{"another issuer", rs256(good.with(claims{"iss": "https://login.microsoftonline.com/" + object + "/v2.0"})), "token-issuer"},
		{"an issuer that looks alike", rs256(good.with(claims{"iss": strings.Replace(entraIssuer, "login", "lo\u0261in", 1)})), "token-issuer"},
		{"an issuer with a slash more", rs256(good.with(claims{"iss": entraIssuer + "/"})), "token-issuer"},
		{"an issuer in capitals", rs256(good.with(claims{"iss": strings.ToUpper(entraIssuer)})), "token-issuer"},
		{"an issuer that begins alike", rs256(good.with(claims{"iss": entraIssuer + ".evil.example.org"})), "token-issuer"},
		{"no issuer", rs256(good.with(claims{"iss": nil})), "token-issuer"},
		{"an issuer that is a list", rs256(good.with(claims{"iss": []string{entraIssuer}})), "token-issuer"},
		{"no issuer and an empty subject", rs256(good.with(claims{"iss": "", "sub": ""})), "token-issuer"},
		{"another audience", rs256(good.with(claims{"aud": "api://other"})), "token-audience"},
		{"no audience", rs256(good.with(claims{"aud": nil})), "token-audience"},
		{"an empty audience", rs256(good.with(claims{"aud": ""})), "token-audience"},
		{"an audience that begins alike", rs256(good.with(claims{"aud": audience + "/"})), "token-audience"},
		{"a list of audiences with another one", rs256(good.with(claims{"aud": []string{audience, "api://other"}})), "token-audience"},
		{"an empty list of audiences", rs256(good.with(claims{"aud": []string{}})), "token-audience"},
		{"an audience inside a list inside a list", rs256(good.with(claims{"aud": [][]string{{audience}}})), "token-audience"},
		{"expired", rs256(good.with(claims{"iat": noon.Unix() - 3600, "nbf": nil, "exp": noon.Unix() - 60})), "token-expired"},
		{"no expiry", rs256(good.with(claims{"exp": nil})), "token-claims"},
		{"an expiry that is a text", rs256(good.with(claims{"exp": "9999999999"})), "token-claims"},
		{"an expiry beyond all times", rs256(good.with(claims{"exp": 1e300})), "token-claims"},
		{"an expiry before it was issued", rs256(good.with(claims{"exp": noon.Unix() - 100})), "token-claims"},
		{"issued in the future", rs256(good.with(claims{"iat": noon.Unix() + 62})), "token-not-yet"},
		{"not yet good", rs256(good.with(claims{"nbf": noon.Unix() + 62})), "token-not-yet"},
		{"a time to begin that is a text", rs256(good.with(claims{"nbf": "0"})), "token-claims"},
		{"never issued", rs256(good.with(claims{"iat": nil})), "token-claims"},
		{"good for a year", rs256(good.with(claims{"exp": noon.Unix() + 365*24*3600})), "token-too-old"},
		{"issued long ago", rs256(oidcClaims().with(claims{"iat": noon.Unix() - 700})), "token-too-old"},
		{"good for longer than the row says", rs256(oidcClaims().with(claims{"exp": noon.Unix() + 3700})), "token-too-old"},
		{"another tenant", rs256(good.with(claims{"tid": object})), "token-claims"},
		{"no tenant", rs256(good.with(claims{"tid": nil})), "token-claims"},
		{"another version", rs256(good.with(claims{"ver": "1.0"})), "token-claims"},
		{"no object", rs256(good.with(claims{"oid": nil, "upn": "eva@example.org", "email": "eva@example.org"})), "token-claims"},
		{"an object that is a name", rs256(good.with(claims{"oid": "eva@example.org"})), "token-claims"},
		{"a device", rs256(good.with(claims{"idtyp": "device"})), "token-claims"},
		{"roles that are no list", rs256(good.with(claims{"roles": "Runbook.Run"})), "token-claims"},
		{"roles that are no texts", rs256(good.with(claims{"roles": []int{1}})), "token-claims"},
		{"a role that deceives", rs256(good.with(claims{"roles": []string{"a\u202eb"}})), "token-claims"},
		{"groups that are no list", rs256(good.with(claims{"groups": "src1"})), "token-claims"},
		{"another owner at GitHub", rs256(githubClaims().with(claims{"repository_owner_id": "8"})), "token-pins"},
		{"no owner at GitHub", rs256(githubClaims().with(claims{"repository_owner_id": nil})), "token-pins"},
		{"another branch at GitHub", rs256(githubClaims().with(claims{"ref": "refs/heads/evil"})), "token-pins"},
		{"no repository at GitHub", rs256(githubClaims().with(claims{"repository_id": nil})), "token-claims"},
		{"a repository at GitHub that is a name", rs256(githubClaims().with(claims{"repository_id": "octo/web"})), "token-claims"},
		{"another trust domain", rs256(spiffeClaims().with(claims{"sub": "spiffe://prod.example.org.evil/web"})), "token-issuer"},
		{"a SPIFFE ID that climbs", rs256(spiffeClaims().with(claims{"sub": "spiffe://prod.example.org/a/../b"})), "token-claims"},
		{"a SPIFFE ID without a path", rs256(spiffeClaims().with(claims{"sub": "spiffe://prod.example.org/"})), "token-claims"},
		{"a SPIFFE ID that is too long", rs256(spiffeClaims().with(claims{"sub": "spiffe://prod.example.org/" + strings.Repeat("a", 2048)})), "token-claims"},
		{"no subject", rs256(oidcClaims().with(claims{"sub": nil})), "token-claims"},
		{"a subject with a blank", rs256(oidcClaims().with(claims{"sub": "a b"})), "token-claims"},
		{"a subject that looks like another", rs256(oidcClaims().with(claims{"sub": "\u0430"})), "token-claims"},
		{"a group with a line end", rs256(oidcClaims().with(claims{"teams": []string{"a\nb"}})), "token-claims"},
		{"very many groups", rs256(oidcClaims().with(claims{"teams": strings.Split(strings.Repeat("a ", 1001)+"a", " ")})), "token-claims"},
		{"odd roles", rs256(oidcClaims().with(claims{"may": "run"})), "token-claims"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := is.Verify(t.Context(), []byte(tt.token), noon)
			var bad *identity.TokenError
			if !errors.As(err, &bad) || bad.Code != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
			if c.ID != "" || c.Kind != "" || c.Token != nil {
				t.Errorf("a refused token names %+v", c)
			}
			for _, part := range strings.Split(tt.token, ".") {
				if err != nil && len(part) > 20 && strings.Contains(err.Error(), part) {
					t.Errorf("the error holds a part of the token: %v", err)
				}
			}
			if err != nil && (len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\n\u202e")) {
				t.Errorf("the error is too long, or deceives: %q", err)
			}
		})
	}
}

func TestNoFlippedBitOfATokenStaysGood(t *testing.T) {
	t.Parallel()
	is := table(t, set())
	token := []byte(sign(`{"alg":"ES256","kid":"e"}`, spiffeClaims().String(), "ES256", keys().ec))
	for n := range len(token) * 8 {
		flipped := []byte(string(token))
		flipped[n/8] ^= 1 << (n % 8)
		if c, err := is.Verify(t.Context(), flipped, noon); err == nil {
			t.Fatalf("bit %d of byte %d: %+v", n%8, n/8, c)
		}
	}
}

// Clocks may be apart as far as the row says, and no further.
func TestSkewBoundsAllTimes(t *testing.T) {
	t.Parallel()
	is := table(t, set())
	token := []byte(rs256(oidcClaims())) // from noon - 60 s to noon + 300 s
	for offset, code := range map[time.Duration]string{
		-2*time.Minute - time.Second: "token-not-yet", -2 * time.Minute: "", 6*time.Minute - time.Second: "", 6 * time.Minute: "token-expired",
	} {
		_, err := is.Verify(t.Context(), token, noon.Add(offset))
		var bad *identity.TokenError
		if (err == nil) != (code == "") || err != nil && (!errors.As(err, &bad) || bad.Code != code) {
			t.Errorf("at noon %v: %v, want %q", offset, err, code)
		}
	}
}

func TestOverageOfGroupsIsSaid(t *testing.T) {
	t.Parallel()
	is := table(t, set())
	for name, more := range map[string]claims{
		"claim names":                  {"groups": nil, "_claim_names": claims{"groups": "src1"}, "_claim_sources": claims{"src1": claims{"endpoint": "https://graph.example.org"}}},
		"claim names beside groups":    {"_claim_names": claims{"groups": "src1"}},
		"claim names that are no list": {"_claim_names": "groups"},
		"hasgroups":                    {"groups": nil, "hasgroups": true},
		"hasgroups as a text":          {"hasgroups": "true"},
		"no groups at all":             {"groups": nil},
		"a group that is a name":       {"groups": []string{"Admins"}},
	} {
		c, err := is.Verify(t.Context(), []byte(rs256(entraClaims().with(more))), noon)
		if err != nil || c.GroupsComplete {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	for name, more := range map[string]claims{
		"hasgroups false": {"hasgroups": false}, "an empty list": {"groups": []string{}}, "claim names without groups": {"_claim_names": claims{"wids": "src1"}},
	} {
		c, err := is.Verify(t.Context(), []byte(rs256(entraClaims().with(more))), noon)
		if err != nil || !c.GroupsComplete {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestWhatPeopleReadOfATokenDeceivesNobody(t *testing.T) {
	t.Parallel()
	is := table(t, set())
	c, err := is.Verify(t.Context(), []byte(rs256(entraClaims().with(claims{"name": "E\u202ev\x1b[2Ja\n" + strings.Repeat("x", 500), "amr": []string{"a b"}}))), noon)
	if err != nil || !strings.HasPrefix(c.Display, "Ev[2Jaxxx") || len(c.Display) > 200 || len(c.Token.AMR) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = is.Verify(t.Context(), []byte(rs256(githubClaims().with(claims{"environment": "the production"}))), noon)
	if err != nil || c.GroupsComplete || strings.Contains(fmt.Sprint(c.Groups), "environment") {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTheZeroTableRefusesEveryToken(t *testing.T) {
	t.Parallel()
	for _, is := range []*identity.Issuers{nil, {}} {
		_, err := is.Verify(context.Background(), []byte(rs256(entraClaims())), noon)
		var bad *identity.TokenError
		if !errors.As(err, &bad) || bad.Code != "token-issuer" {
			t.Errorf("got %v", err)
		}
	}
}

const edHeader = `{"alg":"EdDSA","kid":"d"}`

// edSet is the set with that key alone.
func edSet() string {
	return `{"keys":[{"kty":"OKP","kid":"d","crv":"Ed25519","x":"` + b64(edKey.Public().(ed25519.PublicKey)) + `"}]}`
}

func FuzzToken(f *testing.F) {
	is := table(f, edSet())
	for _, c := range []claims{entraClaims(), githubClaims(), oidcClaims(), spiffeClaims()} {
		f.Add(sign(edHeader, c.String(), "EdDSA", edKey))
		f.Add(hs256(c, nil))
	}
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := is.Verify(t.Context(), []byte(token), noon)
		var bad *identity.TokenError
		if err != nil && (!errors.As(err, &bad) || bad.Code == "" || c.ID != "") {
			t.Fatalf("%+v, %v", c, err)
		}
		if err == nil && (c.ID == "" || c.Token == nil || c.Token.SHA256.IsZero()) {
			t.Fatalf("%+v", c)
		}
	})
}

// FuzzClaims signs whatever claims there are: what is made of them can be
// recorded and decided on.
func FuzzClaims(f *testing.F) {
	is := table(f, edSet())
	for _, c := range []claims{entraClaims(), githubClaims(), oidcClaims(), spiffeClaims()} {
		f.Add(c.String())
	}
	f.Fuzz(func(t *testing.T, payload string) {
		c, err := is.Verify(t.Context(), []byte(sign(edHeader, payload, "EdDSA", edKey)), noon)
		if err != nil {
			return
		}
		scheme, _, _ := strings.Cut(c.ID, ":")
		if !strings.Contains(" entra github oidc spiffe ", " "+scheme+" ") || c.Groups == nil || c.Roles == nil || c.Kind == "" || c.Issuer == "" || c.Token.AMR == nil {
			t.Errorf("%+v", c)
		}
		for _, s := range append(append([]string{c.ID, c.Display}, c.Groups...), c.Roles...) {
			if strings.ContainsAny(s, "\x00\n\r\x1b\u202e\u2028") {
				t.Errorf("%q goes on to the policy", s)
			}
		}
	})
}
