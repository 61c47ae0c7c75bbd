package testenv

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// VaultServer is the variable with the path of internal/testenv/vaultserver, built.
// It takes ten minutes of CPU to build and 2 GB of disk, so that "make test-vault"
// does it, and no other run of the tests.
const VaultServer = "WRIT_VAULT_SERVER"

// Vault is a real server of HashiCorp Vault, with its transit engine mounted.
type Vault struct {
	URL   string `json:"url"`
	Token string `json:"token"` // that may do everything
	Key   []byte `json:"key"`   // that unseals it
}

// StartVault starts one that ends with the test. Without the variable the test is
// skipped, in CI too.
func StartVault(t testing.TB) *Vault {
	t.Helper()
	program := os.Getenv(VaultServer)
	if program == "" {
		t.Skip("skipped: make test-vault builds a real Vault and runs this; other runs have an emulator that is held to its recorded answers")
	}
	server := StartServer(t, program)
	t.Cleanup(func() { _ = server.End() })
	v := new(Vault)
	if err := json.Unmarshal([]byte(server.FirstLine()), v); err != nil {
		t.Fatalf("Vault does not start: %v\n%.2000s", err, server.End())
	}
	v.Must(t, "POST", "sys/mounts/transit", `{"type":"transit"}`)
	return v
}

// Do asks Vault for something with a token, and returns the status and the answer.
func (v *Vault) Do(t testing.TB, token, method, path, body string) (status int, answer []byte) {
	t.Helper()
	return AskVault(t, v.URL, token, method, path, body)
}

// Must asks with the token that may do everything, and wants that it is done.
func (v *Vault) Must(t testing.TB, method, path, body string) (data map[string]any) {
	t.Helper()
	status, answer := v.Do(t, v.Token, method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: Vault answers %d: %s", method, path, status, answer)
	}
	var said struct{ Data, Auth map[string]any }
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &said); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, answer)
		}
	}
	if said.Data == nil {
		return said.Auth
	}
	return said.Data
}

// PublicKey is that of the newest version of a key.
func (v *Vault) PublicKey(t testing.TB, key string) crypto.PublicKey {
	t.Helper()
	data := v.Must(t, "GET", "transit/keys/"+key, "")
	versions, _ := data["keys"].(map[string]any)
	newest, _ := versions[fmt.Sprint(data["latest_version"])].(map[string]any)
	text, _ := newest["public_key"].(string)
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("Vault has no public key of %s: %v", key, data)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// AskVault asks a Vault, or who stands in for one.
func AskVault(t testing.TB, url, token, method, path, body string) (status int, answer []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+"/v1/"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("X-Vault-Request", "true")
	client := &http.Client{Timeout: time.Minute}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}
