package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws/jwsbb"
	"github.com/rogpeppe/go-internal/testscript"
)

// tokenIssuer signs tokens for scripts.
type tokenIssuer struct{ key *ecdsa.PrivateKey }

// issue FILE [NAME=VALUE...] writes a token that is good for five minutes; VALUE
// is JSON, a text, or +N and -N for seconds from now. "alg" is of the header.
func (i *tokenIssuer) issue(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: issue FILE [NAME=VALUE...]")
	}
	now := time.Now().Unix()
	claims := map[string]any{"iss": "https://id.example.org", "aud": "writ", "sub": "eva", "iat": now - 60, "exp": now + 300}
	header := map[string]any{"alg": "ES256", "kid": "k", "typ": "JWT"}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		var v any = value
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && (value[0] == '+' || value[0] == '-') {
			v = now + n
		} else if json.Valid([]byte(value)) {
			v = json.RawMessage(value)
		}
		if name == "alg" {
			header[name] = v
		} else {
			claims[name] = v
		}
	}
	h, err := json.Marshal(header)
	ts.Check(err)
	p, err := json.Marshal(claims)
	ts.Check(err)
	input := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(p)
	signature, err := jwsbb.Sign(i.key, "ES256", []byte(input), rand.Reader)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(input+"."+base64.RawURLEncoding.EncodeToString(signature)+"\n"), 0o600))
}

// jwks FILE writes the issuer's keys.
func (i *tokenIssuer) jwks(ts *testscript.TestScript, _ bool, args []string) {
	xy, err := i.key.PublicKey.Bytes()
	ts.Check(err)
	b64 := base64.RawURLEncoding.EncodeToString
	set := fmt.Sprintf(`{"keys":[{"kty":"EC","kid":"k","crv":"P-256","x":%q,"y":%q}]}`, b64(xy[1:33]), b64(xy[33:]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(set), 0o600))
}

// appservice TOKEN starts an emulator of App Service, which gives this token to
// who shows the header "the-header", and sets ENDPOINT to its address.
func appservice(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := os.ReadFile(file)
		if err != nil || r.Header.Get("X-IDENTITY-HEADER") != "the-header" || r.URL.Query().Get("resource") != "api://writ" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"expires_on":"%d","token_type":"Bearer"}`, bytes.TrimSpace(token), time.Now().Add(time.Hour).Unix())
	}))
	ts.Defer(server.Close)
	ts.Setenv("ENDPOINT", server.URL+"/msi/token")
}

// traceless TOKEN FILE... fails if a file has the token, or one of its segments.
func traceless(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		data := ts.ReadFile(file)
		for _, part := range strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), ".") {
			if strings.Contains(data, part) {
				ts.Fatalf("%s holds a part of the token", file)
			}
		}
	}
}

// TestTokens runs the scripts about tokens.
func TestTokens(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &tokenIssuer{key}
	p := params(t)
	p.Dir = "testdata/token"
	p.Cmds["issue"], p.Cmds["jwks"], p.Cmds["traceless"], p.Cmds["appservice"] = i.issue, i.jwks, traceless, appservice
	testscript.Run(t, p)
}
