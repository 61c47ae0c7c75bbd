package oidctoken_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/oidctoken"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// claims are those of a good token, with changes; nil takes one away.
func claims(changes map[string]any) map[string]any {
	all := map[string]any{"iss": "https://issuer.example", "sub": "repo:org/lib:ref:refs/heads/main", "aud": "sigstore", "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

const signature = "c2lnbmF0dXJlLXRoYXQtbm9ib2R5LXZlcmlmaWVzLWhlcmU"

func token(t testing.TB, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return encode(`{"alg":"RS256","kid":"1"}`) + "." + encode(string(payload)) + "." + signature
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestATokenIsRead(t *testing.T) {
	t.Parallel()
	got, err := oidctoken.Parse("test", []byte("\n"+token(t, claims(map[string]any{
		"email": "a@example.org", "email_verified": true, "federated_claims": map[string]any{"connector_id": "https://accounts.example"},
		"job_workflow_ref": "org/lib/.github/workflows/sign.yml@refs/heads/main",
	}))+"\r\n"), oidctoken.Sigstore, now)
	if err != nil {
		t.Fatal(err)
	}
	if got.Issuer != "https://issuer.example" || got.Email != "a@example.org" || got.Connector != "https://accounts.example" ||
		got.Workflow != "org/lib/.github/workflows/sign.yml@refs/heads/main" || !got.Expires.Equal(now.Add(5*time.Minute)) {
		t.Errorf("%#v", struct{ A, B, C, D string }{got.Issuer, got.Email, got.Connector, got.Workflow})
	}
}

func TestATokenThatIsNotFitToBeSentIsRefused(t *testing.T) {
	t.Parallel()
	good := token(t, claims(nil))
	part := strings.Split(good, ".")
	for name, tt := range map[string]struct{ raw, want string }{
		"nothing":                    {" \n", "there is none"},
		"a text":                     {"hello", "no signed JSON Web Token"},
		"two parts":                  {part[0] + "." + part[1], "no signed JSON Web Token"},
		"no signature":               {part[0] + "." + part[1] + ".", "no signed JSON Web Token"},
		"four parts":                 {good + ".x", "no signed JSON Web Token"},
		"not base64url":              {part[0] + "." + part[1] + "=." + part[2], "that can be read"},
		"not JSON":                   {part[0] + "." + encode("nothing") + "." + part[2], "that can be read"},
		"two values":                 {part[0] + "." + encode(`{}{}`) + "." + part[2], "that can be read"},
		"no algorithm":               {encode("{}") + "." + part[1] + "." + part[2], "not signed"},
		"the algorithm none":         {encode(`{"alg":"None"}`) + "." + part[1] + "." + part[2], "not signed"},
		"more than a token may have": {good + strings.Repeat("a", oidctoken.MaxSize), "more than"},
		"no issuer":                  {token(t, claims(map[string]any{"iss": nil})), "who has issued it"},
		"no subject":                 {token(t, claims(map[string]any{"sub": ""})), "who has issued it"},
		"a long subject":             {token(t, claims(map[string]any{"sub": strings.Repeat("a", 4<<10)})), "too long"},
		"control characters":         {token(t, claims(map[string]any{"iss": "https://a\x1b[2J"})), "not printable"},
		"no audience":                {token(t, claims(map[string]any{"aud": nil})), "for whom it is"},
		"another audience":           {token(t, claims(map[string]any{"aud": "vault"})), `for the audience "vault", not for "sigstore"`},
		"an audience in other words": {token(t, claims(map[string]any{"aud": nil, "Aud": "sigstore"})), "for whom it is"},
		"an audience that is none":   {token(t, claims(map[string]any{"aud": 7})), "that can be read"},
		"no end":                     {token(t, claims(map[string]any{"exp": nil})), "when it expires"},
		"an end that is none":        {token(t, claims(map[string]any{"exp": 1e30})), "when it expires"},
		"expired":                    {token(t, claims(map[string]any{"exp": now.Add(-time.Second).Unix()})), "has expired"},
		"expires just now":           {token(t, claims(map[string]any{"exp": now.Add(2 * time.Second).Unix()})), "has expired"},
		"not valid yet":              {token(t, claims(map[string]any{"nbf": now.Add(time.Hour).Unix()})), "not valid yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := oidctoken.Parse("test", []byte(tt.raw), oidctoken.Sigstore, now)
			var known *oidctoken.Error
			if !errors.As(err, &known) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want an error that says %q", err, tt.want)
			}
		})
	}
}

// TestAttackATokenForSeveralAudiencesIsNotSent: the certificate authority could use
// it with the other one.
func TestAttackATokenForSeveralAudiencesIsNotSent(t *testing.T) {
	t.Parallel()
	raw := token(t, claims(map[string]any{"aud": []string{"sigstore", "https://vault.example"}}))
	if _, err := oidctoken.Parse("test", []byte(raw), oidctoken.Sigstore, now); err == nil || !strings.Contains(err.Error(), "alone") {
		t.Fatal(err)
	}
	raw = token(t, claims(map[string]any{"aud": []string{"sigstore"}}))
	if _, err := oidctoken.Parse("test", []byte(raw), oidctoken.Sigstore, now); err != nil {
		t.Errorf("a list of one: %v", err)
	}
}

func TestAnEmailThatNobodyHasVerifiedIsRefused(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]string{true: "a@example.org", "true": "a@example.org", false: "", "no": "", 7: "", nil: ""} {
		got, err := oidctoken.Parse("test", []byte(token(t, claims(map[string]any{"email": "a@example.org", "email_verified": value}))), oidctoken.Sigstore, now)
		if got.Email != want || (err == nil) != (want != "") || err != nil && !strings.Contains(err.Error(), "email_verified") {
			t.Errorf("%v: %q, %v", value, got.Email, err)
		}
	}
	got, err := oidctoken.Parse("test", []byte(token(t, claims(nil))), oidctoken.Sigstore, now)
	if err != nil || got.Email != "" {
		t.Errorf("without one: %q, %v", got.Email, err)
	}
}

func TestATokenIsToldFromAPlace(t *testing.T) {
	t.Parallel()
	for _, s := range []string{token(t, claims(nil)), " " + token(t, nil) + "\n", encode(`{"alg":"none"}`) + ".."} {
		if !oidctoken.Is(s) {
			t.Errorf("%q is none", s)
		}
	}
	for _, s := range []string{"", "-", "github", "TOKEN", "token.jwt", "/run/secrets/token.jwt", "api://AzureADTokenExchange", "01234567-0123-0123-0123-0123456789ab"} {
		if oidctoken.Is(s) {
			t.Errorf("%q is one", s)
		}
	}
}

func TestAttackATokenIsNeverPrinted(t *testing.T) {
	t.Parallel()
	raw := token(t, claims(nil))
	got, err := oidctoken.Parse("test", []byte(raw), oidctoken.Sigstore, now)
	if err != nil || got.Raw() != raw {
		t.Fatal(err)
	}
	document, err := json.Marshal(map[string]any{"token": got, "at": &got})
	if err != nil {
		t.Fatal(err)
	}
	said := string(document)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		said += fmt.Sprintf(verb, got) + fmt.Sprintf(verb, &got) + fmt.Sprintf(verb, struct{ T oidctoken.Token }{got})
	}
	for _, part := range strings.Split(raw, ".") {
		if strings.Contains(said, part[:20]) || strings.Contains(said, fmt.Sprintf("%x", part)) {
			t.Errorf("it is printed: %s", said)
		}
	}
}

// FuzzParse: no token makes it panic, and no error holds a part of one.
func FuzzParse(f *testing.F) {
	f.Add(token(f, claims(nil)))
	f.Add(token(f, claims(map[string]any{"aud": []string{"sigstore", "b"}})))
	f.Add(token(f, claims(map[string]any{"exp": "soon", "email_verified": "true"})))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := oidctoken.Parse("test", []byte(raw), oidctoken.Sigstore, now)
		if err == nil && (got.Issuer == "" || got.Subject == "" || got.Expires.Before(now) || got.Raw() != strings.TrimSpace(raw) && !strings.ContainsAny(raw, "\u0085\u00a0")) {
			t.Errorf("a token that is not fit: %q", raw)
		}
		if err != nil {
			for _, part := range strings.Split(raw, ".") {
				if len(part) > 40 && strings.Contains(err.Error(), part) {
					t.Errorf("the error holds a part of the token: %v", err)
				}
			}
		}
	})
}
