package signer_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/signer"
)

// Sigstore's client for Vault has no option for redirects, and takes none of
// Vault's VAULT_DISABLE_REDIRECTS. This is what docs/keys.md says of it; a change
// is to be noticed.
func TestVaultsClientFollowsOneRedirectWithItsToken(t *testing.T) {
	e := transit(t)
	t.Setenv("VAULT_DISABLE_REDIRECTS", "true")
	k := newX509(t, "p256")
	e.AddKey("signing", k.Key)
	cert := newFiles(t).write("cert.pem", k.ChainPEM())
	other := strings.Replace(e.URL, "127.0.0.1", "localhost", 1)
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to+r.URL.Path, http.StatusTemporaryRedirect)
		}
	}
	plain := httptest.NewServer(redirect(other))
	t.Cleanup(plain.Close)
	twice := httptest.NewServer(redirect(plain.URL))
	t.Cleanup(twice.Close)
	encrypted := httptest.NewTLSServer(redirect(other))
	t.Cleanup(encrypted.Close)
	t.Setenv("VAULT_CACERT", newFiles(t).write("server.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encrypted.Certificate().Raw})))
	for name, c := range map[string]struct{ address, want string }{
		"to another host":    {plain.URL, ""},
		"twice":              {twice.URL, "invalid character"},
		"from https to http": {encrypted.URL, "redirect would cause protocol downgrade"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("VAULT_ADDR", c.address)
			asked := e.Calls("signing", "read")
			key, err := signer.OpenKey(t.Context(), "hashivault://signing", signer.KeyOptions{Cert: cert, Pause: func(context.Context, time.Duration) error { return nil }})
			if c.want != "" {
				wantKeyError(t, err, c.want)
				if e.Calls("signing", "read") != asked {
					t.Error("the other host was asked")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := newShop(t, key)
			if _, err := signer.SignFile(t.Context(), s.path, s.Options); err != nil { // the emulator wants the token
				t.Error(err)
			}
		})
	}
}
