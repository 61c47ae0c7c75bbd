package signer_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/internal/testenv"
	"github.com/runwrit/writ/signer"
)

// realVault is a real Vault that the environment leads to.
type realVault struct {
	*testenv.Vault
	t      *testing.T
	issuer *newkeys.X509Key
}

func newRealVault(t *testing.T) realVault {
	t.Helper()
	v := realVault{testenv.StartVault(t), t, newX509(t, "p256")}
	leadToVault(t, v.URL, v.Token)
	return v
}

// with is the same Vault for another test.
func (v realVault) with(t *testing.T) realVault { v.t = t; return v }

func (v realVault) must(method, path, body string) map[string]any {
	v.t.Helper()
	return v.Must(v.t, method, path, body)
}

// newKey has the engine make a key.
func (v realVault) newKey(name, kind string) {
	v.t.Helper()
	v.must("POST", "transit/keys/"+name, `{"type":"`+kind+`"}`)
}

// certificate is a file with a certificate of a key's newest version.
func (v realVault) certificate(name string) string {
	v.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "writ test"}, NotBefore: created(), NotAfter: created().AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, v.issuer.CA, v.PublicKey(v.t, name), v.issuer.CAKey))
	return newFiles(v.t).write("cert.pem", append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), v.issuer.CAPEM...))
}

// open opens a key as the token in the environment may.
func (v realVault) open(name, cert string) (*signer.Key, error) {
	v.t.Helper()
	return signer.OpenKey(v.t.Context(), "hashivault://"+name, signer.KeyOptions{Cert: cert, Pause: func(context.Context, time.Duration) error { return nil }})
}

// signs holds that a key signs a script in place.
func (v realVault) signs(name string) {
	v.t.Helper()
	key, err := v.open(name, v.certificate(name))
	if err != nil {
		v.t.Error(err)
		return
	}
	s := newShop(v.t, key)
	if _, err := signer.SignFile(v.t.Context(), s.path, s.Options); err != nil {
		v.t.Error(err)
	}
}

// ready unseals the server and mounts the engine, where a test has undone it.
func (v realVault) ready() {
	v.t.Helper()
	v.must("PUT", "sys/unseal", fmt.Sprintf(`{"key":"%x"}`, v.Key))
	if status, _ := v.Do(v.t, v.Token, "GET", "sys/mounts/transit", ""); status != http.StatusOK {
		v.must("POST", "sys/mounts/transit", `{"type":"transit"}`)
	}
}

// use has a new token used, which may do what the rules say, and has these properties.
func (v realVault) use(rules, properties string) {
	v.t.Helper()
	policy := strings.ToLower(strings.NewReplacer("/", "-", " ", "-").Replace(v.t.Name()))
	rule, err := json.Marshal(map[string]string{"policy": rules})
	if err != nil {
		v.t.Fatal(err)
	}
	v.must("PUT", "sys/policies/acl/"+policy, string(rule))
	made := v.must("POST", "auth/token/create", fmt.Sprintf(`{"policies":[%q],"no_default_policy":true%s}`, policy, properties))
	v.t.Setenv("VAULT_TOKEN", made["client_token"].(string))
}

const (
	mayRead = `path "transit/keys/*" { capabilities = ["read"] }`
	maySign = `path "transit/sign/*" { capabilities = ["update"] }`
)

func TestKeysInARealVaultSignInPlace(t *testing.T) {
	v := newRealVault(t)
	v.use(mayRead+"\n"+maySign, "") // which is all that docs/keys.md wants
	for _, kind := range []string{"rsa-2048", "rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384"} {
		t.Run(kind, func(t *testing.T) {
			v := v.with(t)
			v.newKey(kind, kind)
			v.signs(kind)
		})
	}
	t.Run("a rotated key, whose old versions are put out of use and then away", func(t *testing.T) {
		v := v.with(t)
		v.newKey("old", "ecdsa-p256")
		for _, step := range []struct{ path, body string }{
			{"rotate", ""}, {"rotate", ""}, {"config", `{"min_encryption_version":2}`}, {"config", `{"min_decryption_version":3,"min_encryption_version":3}`}, {"trim", `{"min_available_version":3}`},
		} {
			v.must("POST", "transit/keys/old/"+step.path, step.body)
			v.signs("old")
		}
	})
	t.Run("a key in an engine at another path", func(t *testing.T) {
		v := v.with(t)
		v.must("POST", "sys/mounts/team/signing", `{"type":"transit"}`)
		v.must("POST", "team/signing/keys/elsewhere", `{"type":"ecdsa-p256"}`)
		_, err := signer.OpenKey(t.Context(), "hashivault://elsewhere", signer.KeyOptions{})
		wantKeyError(t, err, "could not read data from transit key path")
		t.Setenv("TRANSIT_SECRET_ENGINE_PATH", "team/signing")
		t.Setenv("VAULT_TOKEN", v.Token)
		if _, err = signer.OpenKey(t.Context(), "hashivault://elsewhere", signer.KeyOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a namespace, which this edition of Vault does not look at", func(t *testing.T) {
		t.Setenv("VAULT_NAMESPACE", "team")
		v := v.with(t)
		v.newKey("namespaced", "ecdsa-p256")
		v.signs("namespaced")
	})
	for key, c := range map[string]struct{ kind, want string }{
		"symmetric": {"aes256-gcm96", "could not parse transit key keys data"},
		"ed25519":   {"ed25519", "an Ed25519 key in a KMS"},
		"p521":      {"ecdsa-p521", "the curve P-521"},
		"nothing":   {"", "could not read data from transit key path"},
	} {
		t.Run(key+" is refused at opening", func(t *testing.T) {
			if c.kind != "" {
				v.with(t).newKey(key, c.kind)
			}
			_, err := signer.OpenKey(t.Context(), "hashivault://"+key, signer.KeyOptions{})
			wantKeyError(t, err, c.want)
			t.Log(err)
		})
	}
}

// Before is done before the key is opened, between before it signs. Either may fail.
func TestARealVaultRefuses(t *testing.T) {
	v := newRealVault(t)
	const both = mayRead + "\n" + maySign
	for name, c := range map[string]struct {
		before, between func(v realVault, key string)
		want            string
		mayPass         bool
	}{
		"a token of nobody":              {func(v realVault, _ string) { v.t.Setenv("VAULT_TOKEN", "hvs.another-secret-token") }, nil, "permission denied", false},
		"a token that may not read":      {func(v realVault, _ string) { v.use(maySign, "") }, nil, "get the public key: its keeper said", false},
		"a token that may not sign":      {func(v realVault, _ string) { v.use(mayRead, "") }, nil, "cannot sign: its keeper said", false},
		"a token used up by the reading": {func(v realVault, _ string) { v.use(both, `,"num_uses":1`) }, nil, "cannot sign: its keeper said", false},
		"a token for signing with another key": {func(v realVault, _ string) {
			v.use(mayRead+"\n"+`path "transit/sign/another/*" { capabilities = ["update"] }`, "")
		}, nil, "cannot sign: its keeper said", false},
		"a token revoked meanwhile": {func(v realVault, _ string) { v.use(both, "") }, func(v realVault, _ string) {
			v.must("POST", "auth/token/revoke", fmt.Sprintf(`{"token":%q}`, os.Getenv("VAULT_TOKEN")))
		}, "permission denied", false},
		"a token expired meanwhile": {func(v realVault, _ string) { v.use(both, `,"explicit_max_ttl":"1s"`) }, func(v realVault, key string) {
			for status := http.StatusOK; status == http.StatusOK; { // for a second
				status, _ = v.Do(v.t, os.Getenv("VAULT_TOKEN"), "GET", "transit/keys/"+key, "")
			}
		}, "permission denied", false},
		"a key deleted meanwhile": {nil, func(v realVault, key string) {
			v.must("POST", "transit/keys/"+key+"/config", `{"deletion_allowed":true}`)
			v.must("DELETE", "transit/keys/"+key, "")
		}, "cannot sign: its keeper said", false},
		"a key rotated meanwhile":   {nil, func(v realVault, key string) { v.must("POST", "transit/keys/"+key+"/rotate", "") }, "another key, or a rotated one", false},
		"an engine taken away":      {nil, func(v realVault, _ string) { v.must("DELETE", "sys/mounts/transit", "") }, "cannot sign: its keeper said", false},
		"a server sealed meanwhile": {nil, func(v realVault, _ string) { v.must("PUT", "sys/seal", "") }, "Code: 503. Errors: * Vault is sealed", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("VAULT_TOKEN", v.Token)
			v, key := v.with(t), strings.ReplaceAll(name, " ", "-")
			v.ready()
			v.newKey(key, "ecdsa-p256")
			cert := v.certificate(key)
			if c.before != nil {
				c.before(v, key)
			}
			s := shop{files: newFiles(t)}
			opened, err := v.open(key, cert)
			if err == nil {
				s = newShop(t, opened)
				if c.between != nil {
					c.between(v, key)
				}
				_, err = signer.SignFile(t.Context(), s.path, s.Options)
				s.wantUntouched()
			}
			wantKeyError(t, err, c.want)
			var unavailable *signer.UnavailableError
			if err == nil {
				return
			}
			if errors.As(err, &unavailable) != c.mayPass || strings.Contains(err.Error(), os.Getenv("VAULT_TOKEN")) {
				t.Errorf("whether it may pass: want %v, got %v", c.mayPass, err)
			}
			t.Log(err)
		})
	}
}
