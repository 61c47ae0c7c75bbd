package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runwrit/writ/worker/identity"
)

// verify asks about a token of OpenID Connect whose keys are this set.
func verify(t *testing.T, jwks, token string) error {
	t.Helper()
	_, err := table(t, jwks).Verify(t.Context(), []byte(token), noon)
	return err
}

func mustKeysError(t *testing.T, err error, want string) {
	t.Helper()
	var bad *identity.KeysError
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a *KeysError with %q", err, want)
	}
}

func TestSetsOfKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ set, want string }{
		"a secret key":              {strings.Replace(set(), `{"keys":[`, `{"keys":[{"kty":"oct","kid":"s","k":"c2VjcmV0"},`, 1), "key 1 of the set is not a public key"},
		"a private key":             {strings.Replace(set(), `"e":"AQAB"`, `"e":"AQAB","d":"AQAB"`, 1), "key 1 of the set is not a public key"},
		"no JSON":                   {"keys", "is not JSON"},
		"no keys":                   {`{"keys":[]}`, "none that could verify"},
		"keys that are no list":     {`{"keys":{}}`, "no list"},
		"keys in capitals":          {strings.Replace(set(), `"keys"`, `"Keys"`, 1), "no list"},
		"a key that is no object":   {`{"keys":["a"]}`, "is not an object"},
		"a name twice":              {strings.Replace(set(), `"kid":"r"`, `"kid":"r","kid":"e"`, 1), "holds a name twice"},
		"too many keys":             {`{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`, "at most 100"},
		"too large":                 {set() + strings.Repeat(" ", 300_000), "more than"},
		"keys for something else":   {`{"keys":[{"kty":"RSA","kid":"r","use":"enc","n":"AQAB","e":"AQAB"}]}`, "none that could verify"},
		"keys for other operations": {`{"keys":[{"kty":"RSA","kid":"r","key_ops":["encrypt"],"n":"AQAB","e":"AQAB"}]}`, "none that could verify"},
		"a key of 17 bits":          {`{"keys":[{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"}]}`, "none that could verify"},
		"a point that is no point":  {`{"keys":[{"kty":"EC","kid":"e","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}]}`, "none that could verify"},
		"numbers that are no text":  {`{"keys":[{"kty":"RSA","kid":"r","n":1,"e":[2]}]}`, "none that could verify"},
	} {
		mustKeysErrorNamed(t, name, verify(t, c.set, rs256(oidcClaims())), c.want)
	}
}

func mustKeysErrorNamed(t *testing.T, name string, err error, want string) {
	t.Helper()
	t.Run(name, func(t *testing.T) { mustKeysError(t, err, want) })
}

func TestAKeyMustBeTheOnlyOneOfItsName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ set, want string }{
		"two keys of one name":   {strings.Replace(set(), `"kid":"e"`, `"kid":"r"`, 1), "several"},
		"a key for encryption":   {strings.Replace(set(), `"use":"sig"`, `"use":"enc"`, 1), "does not have"},
		"a key without a name":   {strings.Replace(set(), `"kid":"r",`, "", 1), "does not have"},
		"another name":           {strings.Replace(set(), `"kid":"r"`, `"kid":"R"`, 1), "does not have"},
		"a key for PS256":        {strings.Replace(set(), `"kid":"r"`, `"kid":"r","alg":"PS256"`, 1), "not for its algorithm"},
		"a key that is too weak": {strings.Replace(set(), `"e":"AQAB"`, `"e":"AQ"`, 1), "does not have"},
	} {
		err := verify(t, c.set, rs256(oidcClaims()))
		var bad *identity.TokenError
		if !errors.As(err, &bad) || bad.Code != "token-key" || !strings.Contains(bad.Msg, c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := verify(t, strings.Replace(set(), `"kid":"r"`, `"kid":"r","alg":"RS256","key_ops":["verify"],"x5c":["junk"],"x5u":"https://evil.example.org"`, 1), rs256(oidcClaims())); err != nil {
		t.Error(err)
	}
}

func TestAKeyOfAnotherCurveOrAShortOneIsNotUsed(t *testing.T) {
	t.Parallel()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	xy, err := p384.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	more := `{"kty":"RSA","kid":"short","n":"` + b64(short.N.Bytes()) + `","e":"AQAB"},{"kty":"EC","kid":"p384","crv":"P-384","x":"` + b64(xy[1:49]) + `","y":"` + b64(xy[49:]) + `"},`
	jwks := strings.Replace(set(), `{"keys":[`, `{"keys":[`+more, 1)
	for _, token := range []string{
		sign(`{"alg":"RS256","kid":"short"}`, oidcClaims().String(), "RS256", short),
		sign(`{"alg":"ES256","kid":"p384"}`, oidcClaims().String(), "ES256", keys().ec),
	} {
		var bad *identity.TokenError
		if err := verify(t, jwks, token); !errors.As(err, &bad) || bad.Code != "token-key" {
			t.Errorf("got %v", err)
		}
	}
	if err := verify(t, jwks, rs256(oidcClaims())); err != nil {
		t.Error(err)
	}
}

func TestAKeyThatIsForSomethingElseIsNotUsed(t *testing.T) {
	t.Parallel()
	for more, good := range map[string]bool{
		`"use":"sig"`: true, `"key_ops":["verify"]`: true, `"use":"enc"`: false, `"key_ops":["encrypt","wrapKey"]`: false, `"key_ops":[]`: false, `"key_ops":"verify"`: false,
	} {
		jwks := strings.Replace(set(), `"use":"sig"`, more, 1)
		if err := verify(t, jwks, rs256(oidcClaims())); (err == nil) != good {
			t.Errorf("%s: %v", more, err)
		}
	}
}

func TestAKeyFileThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "jwks.json")
	if err := os.WriteFile(path, []byte(set()), 0o600); err != nil {
		t.Fatal(err)
	}
	is, err := identity.NewIssuers(issuers(path), identity.IssuersOptions{Guarded: true})
	if err != nil {
		t.Fatal(err)
	}
	token := []byte(rs256(oidcClaims()))
	if _, err := is.Verify(t.Context(), token, noon); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = is.Verify(t.Context(), token, noon)
	mustKeysError(t, err, "others may write it")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = is.Verify(t.Context(), token, noon)
	mustKeysError(t, err, "no such file")
	if err := os.Symlink("/dev/zero", path); err != nil {
		t.Fatal(err)
	}
	_, err = is.Verify(t.Context(), token, noon)
	mustKeysError(t, err, "not a regular file")
}

// keyServer is an issuer that gives keys, and counts how often it was asked.
type keyServer struct {
	*httptest.Server
	asked atomic.Int32
	serve atomic.Value // http.HandlerFunc
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.respond(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, set()) })
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.serve.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) respond(f http.HandlerFunc) { s.serve.Store(f) }

// fetching is a table whose keys come from an address.
func fetching(t *testing.T, url, cache string) *identity.Issuers {
	t.Helper()
	list := issuers("")
	for i := range list {
		list[i].JWKSURL = url
	}
	list[3].MaxAge, list[3].MaxLifetime = 0, 0
	is, err := identity.NewIssuers(list[3:4], identity.IssuersOptions{Guarded: true, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// longToken is good for a day.
func longToken(kid string) []byte {
	c := oidcClaims().with(claims{"iat": noon.Unix(), "exp": noon.Unix() + 24*3600})
	return []byte(sign(`{"alg":"RS256","kid":"`+kid+`"}`, c.String(), "RS256", keys().rsa))
}

func swap(t *testing.T, a, b string) {
	t.Helper()
	if err := errors.Join(os.Rename(a, a+".x"), os.Rename(b, a), os.Rename(a+".x", b)); err != nil {
		t.Fatal(err)
	}
}

func TestFetchedKeysAreKeptAndRenewed(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	cache := t.TempDir()
	if err := os.Chmod(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	is := fetching(t, s.URL, cache)
	steps := []struct {
		name  string
		after time.Duration
		kid   string
		good  bool
		asked int32 // in all
	}{
		{"the first time", 0, "r", true, 1},
		{"again", time.Second, "r", true, 1},
		{"a key that is not there, at once", 2 * time.Second, "x", false, 1},
		{"a key that is not there, later", 2 * time.Minute, "x", false, 2},
		{"and again and again", 2*time.Minute + time.Second, "y", false, 2},
		{"while they are fresh", 61 * time.Minute, "r", true, 2},
		{"when they are not", 63 * time.Minute, "r", true, 3},
	}
	for _, step := range steps {
		if _, err := is.Verify(t.Context(), longToken(step.kid), noon.Add(step.after)); (err == nil) != step.good || s.asked.Load() != step.asked {
			t.Errorf("%s: %v, asked %d times", step.name, err, s.asked.Load())
		}
	}
	// Another process finds them in the file.
	if _, err := fetching(t, s.URL, cache).Verify(t.Context(), longToken("r"), noon.Add(64*time.Minute)); err != nil || s.asked.Load() != 3 {
		t.Errorf("%v, asked %d times", err, s.asked.Load())
	}
	// But not those of another address, nor those that somebody else may write.
	other := newKeyServer(t)
	if _, err := fetching(t, other.URL, cache).Verify(t.Context(), longToken("r"), noon.Add(64*time.Minute)); err != nil || other.asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, other.asked.Load())
	}
	files, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	// Nor those of another address that were put in the place of its own.
	swap(t, files[0], files[1])
	for n, moved := range []*keyServer{s, other} {
		asked := moved.asked.Load()
		if _, err := fetching(t, moved.URL, cache).Verify(t.Context(), longToken("r"), noon.Add(64*time.Minute)); err != nil || moved.asked.Load() != asked+1 {
			t.Errorf("%d: %v, asked %d times, not %d", n, err, moved.asked.Load(), asked+1)
		}
	}
	for _, f := range files {
		if err := os.Chmod(f, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := fetching(t, s.URL, cache).Verify(t.Context(), longToken("r"), noon.Add(64*time.Minute)); err != nil || s.asked.Load() != 5 {
		t.Errorf("%v, asked %d times", err, s.asked.Load())
	}
	// With the issuer gone they are good for a day, and no longer.
	s.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if _, err := is.Verify(t.Context(), longToken("r"), noon.Add(20*time.Hour)); err != nil {
		t.Error(err)
	}
	_, err = is.Verify(t.Context(), longToken("r"), noon.Add(26*time.Hour))
	mustKeysError(t, err, "status 500")
	asked := s.asked.Load()
	_, err = is.Verify(t.Context(), longToken("r"), noon.Add(26*time.Hour+time.Second))
	mustKeysError(t, err, "status 500")
	if s.asked.Load() != asked {
		t.Error("an address that failed just now is asked again")
	}
	// A clock that was put back says nothing of their age.
	_, err = is.Verify(t.Context(), longToken("r"), noon.Add(-time.Hour))
	mustKeysError(t, err, "status 500")
}

func TestFetchingKeysIsBounded(t *testing.T) {
	t.Parallel()
	target := newKeyServer(t)
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"a redirection":  {http.RedirectHandler(target.URL, http.StatusFound).ServeHTTP, "redirection"},
		"too much":       {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, strings.Repeat(" ", 1<<20)) }, "more than"},
		"not found":      {http.NotFound, "status 404"},
		"something else": {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, "is not JSON"},
		"a key to forge": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"keys":[{"kty":"oct","kid":"r","k":"AA"}]}`)
		}, "not a public key"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			_, _ = fmt.Fprint(w, "{")
		}, "EOF"},
		"no end":          {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "context canceled"},
		"very much ahead": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("a", 100<<10)) }, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.respond(func(w http.ResponseWriter, r *http.Request) {
				if name == "no end" {
					cancel()
				}
				c.serve(w, r)
			})
			_, err := fetching(t, s.URL, "").Verify(ctx, longToken("r"), noon)
			mustKeysError(t, err, c.want)
		})
	}
	t.Cleanup(func() {
		if target.asked.Load() != 0 {
			t.Error("a redirection was followed")
		}
	})
}

// A proxy that the caller's environment names is not asked.
func TestKeysAreFetchedWithoutAProxy(t *testing.T) {
	proxy := newKeyServer(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	s := newKeyServer(t)
	if _, err := fetching(t, s.URL, "").Verify(t.Context(), longToken("r"), noon); err != nil || proxy.asked.Load() != 0 {
		t.Errorf("%v, the proxy was asked %d times", err, proxy.asked.Load())
	}
}

func TestIssuersThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	good := issuers("/etc/jwks.json")
	entra, github, oidc, spiffe := good[0], good[2], good[3], good[4]
	for name, c := range map[string]struct {
		of     identity.Issuer
		change func(*identity.Issuer)
		field  string
	}{
		"no mapping":                       {oidc, func(i *identity.Issuer) { i.Mapping = "" }, "mapping"},
		"no audience":                      {oidc, func(i *identity.Issuer) { i.Audiences = nil }, "audiences"},
		"an empty audience":                {oidc, func(i *identity.Issuer) { i.Audiences = []string{""} }, "audiences"},
		"no algorithm":                     {oidc, func(i *identity.Issuer) { i.Algorithms = nil }, "algorithms"},
		"HS256":                            {oidc, func(i *identity.Issuer) { i.Algorithms = []string{"RS256", "HS256"} }, "algorithms"},
		"none":                             {oidc, func(i *identity.Issuer) { i.Algorithms = []string{"none"} }, "algorithms"},
		"no keys":                          {oidc, func(i *identity.Issuer) { i.JWKS = "" }, "jwks"},
		"keys twice":                       {oidc, func(i *identity.Issuer) { i.JWKSURL = "https://id.example.org/keys" }, "jwks"},
		"a relative path":                  {oidc, func(i *identity.Issuer) { i.JWKS = "jwks.json" }, "jwks"},
		"keys in the clear":                {oidc, func(i *identity.Issuer) { i.JWKS, i.JWKSURL = "", "http://id.example.org/keys" }, "jwks_url"},
		"keys of a name of ourselves":      {oidc, func(i *identity.Issuer) { i.JWKS, i.JWKSURL = "", "http://localhost/keys" }, "jwks_url"},
		"keys of a neighbour in the clear": {oidc, func(i *identity.Issuer) { i.JWKS, i.JWKSURL = "", "http://10.0.0.1/keys" }, "jwks_url"},
		"keys of the link in the clear":    {oidc, func(i *identity.Issuer) { i.JWKS, i.JWKSURL = "", "http://169.254.169.254/keys" }, "jwks_url"},
		"keys of an odd scheme":            {oidc, func(i *identity.Issuer) { i.JWKS, i.JWKSURL = "", "file:///etc/keys" }, "jwks_url"},
		"a password":                       {oidc, func(i *identity.Issuer) { i.JWKS, i.JWKSURL = "", "https://a:b@id.example.org/keys" }, "jwks_url"},
		"much skew":                        {oidc, func(i *identity.Issuer) { i.Skew = time.Hour }, "skew"},
		"negative skew":                    {oidc, func(i *identity.Issuer) { i.Skew = -1 }, "skew"},
		"a long age":                       {oidc, func(i *identity.Issuer) { i.MaxAge = 48 * time.Hour }, "max_age"},
		"a long life":                      {oidc, func(i *identity.Issuer) { i.MaxLifetime = 48 * time.Hour }, "max_lifetime"},
		"an issuer in the clear":           {oidc, func(i *identity.Issuer) { i.Issuer = "http://id.example.org" }, "issuer"},
		"an issuer with a fragment":        {oidc, func(i *identity.Issuer) { i.Issuer = "https://id.example.org#a" }, "issuer"},
		"an issuer that looks alike":       {oidc, func(i *identity.Issuer) { i.Issuer = "https://\u0456d.example.org" }, "issuer"},
		"any tenant":                       {entra, func(i *identity.Issuer) { i.Issuer = "https://login.microsoftonline.com/common/v2.0" }, "issuer"},
		"no tenant":                        {entra, func(i *identity.Issuer) { i.Issuer = "https://login.microsoftonline.com//v2.0" }, "issuer"},
		"another host":                     {entra, func(i *identity.Issuer) { i.Issuer = "https://login.example.org/" + tenant + "/v2.0" }, "issuer"},
		"pins at Entra":                    {entra, func(i *identity.Issuer) { i.Pins = github.Pins }, "pins"},
		"a trust domain at Entra":          {entra, func(i *identity.Issuer) { i.TrustDomain = "a" }, "trust_domain"},
		"a groups claim at Entra":          {entra, func(i *identity.Issuer) { i.GroupsClaim = "a" }, "groups_claim"},
		"a roles claim at Entra":           {entra, func(i *identity.Issuer) { i.RolesClaim = "a" }, "roles_claim"},
		"all of GitHub":                    {github, func(i *identity.Issuer) { i.Pins = nil }, "pins"},
		"a branch of all of GitHub":        {github, func(i *identity.Issuer) { i.Pins = map[string][]string{"ref": {"refs/heads/main"}} }, "pins"},
		"a repository by its name": {github, func(i *identity.Issuer) {
			i.Pins = map[string][]string{"repository_id": {"1"}, "repository": {"octo/web"}}
		}, "pins"},
		"a pin without a value":         {github, func(i *identity.Issuer) { i.Pins = map[string][]string{"repository_id": {"1"}, "ref": {}} }, "pins"},
		"another host than GitHub's":    {github, func(i *identity.Issuer) { i.Issuer = "https://git.example.org/_services/token" }, "issuer"},
		"a host that begins alike":      {github, func(i *identity.Issuer) { i.Issuer += ".evil.example.org" }, "issuer"},
		"no trust domain":               {spiffe, func(i *identity.Issuer) { i.TrustDomain = "" }, "trust_domain"},
		"a trust domain in capitals":    {spiffe, func(i *identity.Issuer) { i.TrustDomain = "Prod" }, "trust_domain"},
		"an odd issuer of SPIFFE":       {spiffe, func(i *identity.Issuer) { i.Issuer = "a b" }, "issuer"},
		"an address that is no address": {oidc, func(i *identity.Issuer) { i.JWKS, i.JWKSURL = "", "https://[::1" }, "jwks_url"},
	} {
		i := c.of
		c.change(&i)
		if field, problem := i.Problem(); field != c.field || problem == "" {
			t.Errorf("%s: %q %q", name, field, problem)
		}
		if _, err := identity.NewIssuers([]identity.Issuer{i}, identity.IssuersOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := identity.NewIssuers([]identity.Issuer{oidc, oidc}, identity.IssuersOptions{}); err == nil {
		t.Error("the same issuer twice")
	}
	if _, err := identity.NewIssuers(nil, identity.IssuersOptions{}); err == nil {
		t.Error("no issuers")
	}
	enterprise := github
	enterprise.Issuer += "/octo-corp"
	local := oidc
	local.JWKS, local.JWKSURL = "", "http://[::1]:8080/keys"
	for _, i := range []identity.Issuer{enterprise, local} {
		if field, problem := i.Problem(); problem != "" {
			t.Errorf("%s %s", field, problem)
		}
	}
}
