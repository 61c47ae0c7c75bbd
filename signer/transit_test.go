package signer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms"

	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
)

// transit is an emulator of Vault's transit engine that the environment leads to,
// by Sigstore's client in this program (go test -tags cloudkms), or in a plugin.
func transit(t *testing.T) *testenv.TransitEmulator {
	t.Helper()
	e := testenv.NewTransitEmulator(t)
	leadToVault(t, e.URL, e.Token)
	return e
}

func leadToVault(t *testing.T, url, token string) {
	t.Helper()
	t.Setenv("VAULT_ADDR", url)
	t.Setenv("VAULT_TOKEN", token)
	if slices.Contains(kms.SupportedProviders(), "hashivault://") {
		t.Log("by the client in the program")
		return
	}
	t.Log("by a plugin")
	program, err := vaultPlugin()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	testenv.WriteProgram(t, filepath.Join(dir, exeName("sigstore-kms-hashivault")), program)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// vaultPlugin is the program of the plugin, which is built once.
var vaultPlugin = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "plugin")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, exeName("plugin"))
	if out, err := exec.Command("go", "build", "-o", program, "../internal/testenv/kmsplugin").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the plugin: %w\n%s", err, out)
	}
	return os.ReadFile(program)
})

func exeName(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

func TestKeysInVaultsTransitEngine(t *testing.T) {
	e := transit(t)
	noPause := func(context.Context, time.Duration) error { return nil }
	for _, algorithm := range []string{"rsa2048", "rsa3072", "p256", "p384"} {
		t.Run(algorithm+" signs a script in place", func(t *testing.T) {
			k := newX509(t, algorithm)
			e.AddKey(algorithm, k.Key)
			key, err := signer.OpenKey(t.Context(), "hashivault://"+algorithm, signer.KeyOptions{Cert: newFiles(t).write("cert.pem", k.ChainPEM())})
			if err != nil {
				t.Fatal(err)
			}
			shop := newShop(t, key)
			if _, err := signer.SignFile(t.Context(), shop.path, shop.Options); err != nil {
				t.Fatal(err)
			}
			if n := e.Calls(algorithm, "sign"); n != 1 {
				t.Errorf("%d calls to sign, want 1", n)
			}
		})
	}
	e.AddKey("ed25519", newEd25519(t))
	e.AddKey("p521", newX509(t, "p521").Key)
	for key, want := range map[string]string{
		"ed25519": "an Ed25519 key in a KMS", "p521": "the curve P-521", "nothing": "could not read data from transit key path",
	} {
		t.Run(key+" is refused at opening", func(t *testing.T) {
			_, err := signer.OpenKey(t.Context(), "hashivault://"+key, signer.KeyOptions{Pause: noPause})
			wantKeyError(t, err, want)
		})
	}
	t.Run("a wrong token is denied once", func(t *testing.T) {
		t.Setenv("VAULT_TOKEN", "hvs.another-secret-token")
		before := e.Calls("p256", "read")
		_, err := signer.OpenKey(t.Context(), "hashivault://p256", signer.KeyOptions{Pause: noPause})
		wantKeyError(t, err, "permission denied")
		if n := e.Calls("p256", "read") - before; n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		if strings.Contains(err.Error(), "another-secret") {
			t.Error("the error has the token")
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
		var unavailable *signer.UnavailableError
		_, err := signer.OpenKey(t.Context(), "hashivault://p256", signer.KeyOptions{Pause: noPause})
		wantKeyError(t, err, "connection refused")
		if !errors.As(err, &unavailable) {
			t.Errorf("want that it may pass, got %v", err)
		}
	})
}

func newEd25519(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// spoil returns a fault that answers with body, which may hold what is good.
func spoil(status int, body func(good []byte) []byte) func(http.ResponseWriter, *http.Request, int, []byte) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int, good []byte) bool {
		w.WriteHeader(status)
		_, _ = w.Write(body(good))
		return true
	}
}

func text(s string) func([]byte) []byte { return func([]byte) []byte { return []byte(s) } }

func TestFailuresOfVaultLeaveTheFileAsItWas(t *testing.T) {
	e := transit(t)
	k, other := newX509(t, "p256"), newX509(t, "p256")
	cert := newFiles(t).write("cert.pem", k.ChainPEM())
	faults := map[string]struct {
		fault   func(w http.ResponseWriter, r *http.Request, n int, good []byte) bool
		want    string // "" if it signs in the end
		calls   int
		mayPass bool
	}{
		"outage": {spoil(503, text(string(recordedVault(t, "signing with a sealed server")))), "Code: 503. Errors: * Vault is sealed", 4, true},
		"back-after-two": {func(w http.ResponseWriter, _ *http.Request, n int, _ []byte) bool {
			if n < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n < 3
		}, "", 3, false},
		"throttled":      {spoil(429, text(`{"errors":["request rate limit exceeded"]}`)), "Code: 429", 4, true},
		"denied":         {spoil(403, text(string(recordedVault(t, "signing with a token that may only read")))), "* permission denied", 1, false},
		"hangs":          {func(_ http.ResponseWriter, r *http.Request, _ int, _ []byte) bool { <-r.Context().Done(); return true }, "no answer within", 1, true},
		"half-json":      {spoil(200, func(good []byte) []byte { return good[:len(good)/2] }), "unexpected EOF", 1, false},
		"half-base64":    {spoil(200, func(good []byte) []byte { return bytes.Replace(good, []byte("vault:v1:"), []byte("vault:v1:A"), 1) }), "illegal base64", 1, false},
		"half-signature": {spoil(200, text(`{"data":{"signature":"vault:v1:MEUC"}}`)), "no signature by the public key", 1, false},
		"empty":          {spoil(200, text("")), "", 1, false},
		"no-data":        {spoil(200, text(`{"data":{}}`)), "", 1, false},
		"nulls":          {spoil(200, text(`{"data":{"signature":null}}`)), "non-string", 1, false},
		"not-json":       {spoil(200, text("<html>login</html>")), "invalid character", 1, false},
		"huge":           {spoil(200, func([]byte) []byte { return bytes.Repeat([]byte(" "), 16<<20) }), "EOF", 1, false},
		"long-signature": {spoil(200, text(`{"data":{"signature":"vault:v1:`+strings.Repeat("AAAA", 1<<18)+`"}}`)), "which are no signature", 1, false},
		"another-key": {func(w http.ResponseWriter, _ *http.Request, _ int, _ []byte) bool {
			signature, err := other.Key.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
			body, _ := json.Marshal(map[string]any{"data": map[string]any{"signature": fmt.Sprintf("vault:v1:%s", b64(signature))}})
			_, _ = w.Write(body)
			return err == nil
		}, "another key, or a rotated one", 1, false},
	}
	e.Fault = func(w http.ResponseWriter, r *http.Request, key, op string, n int, good []byte) bool {
		return op == "sign" && faults[key].fault(w, r, n, good)
	}
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			e.AddKey(name, k.Key)
			o := signer.KeyOptions{Cert: cert, Pause: func(context.Context, time.Duration) error { return nil }}
			if name == "hangs" {
				// Enough for the public key, on a busy machine too, and waited for once.
				o.CallTime = 3 * time.Second
				o.Pause = func(context.Context, time.Duration) error { return errInterrupt }
			}
			key, err := signer.OpenKey(t.Context(), "hashivault://"+name, o)
			if err != nil {
				t.Fatal(err)
			}
			shop := newShop(t, key)
			_, err = signer.SignFile(t.Context(), shop.path, shop.Options)
			if n := e.Calls(name, "sign"); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			if name == "back-after-two" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantKeyError(t, err, c.want)
			var unavailable *signer.UnavailableError
			if errors.As(err, &unavailable) != c.mayPass || !strings.Contains(err.Error(), "hashivault://"+name) || strings.Contains(err.Error(), e.Token) {
				t.Errorf("whether it may pass: want %v, got %v", c.mayPass, err)
			}
			t.Log(err)
			shop.wantUntouched()
		})
	}
}
