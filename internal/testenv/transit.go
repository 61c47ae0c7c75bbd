package testenv

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TransitEmulator is an emulator of the transit engine of HashiCorp Vault, on
// loopback. It is not Vault: it was written for tests from Vault's documentation
// and from what Sigstore's client asks, and knows only what signing takes: to
// read a key, to sign a digest, and to check the token. A real Vault cannot be
// had as a package that builds here.
type TransitEmulator struct {
	URL, Token string
	// Fault, if given, may answer the n-th call of an operation, "read" or "sign", of
	// a key, from 1, in place of the emulator: it returns true if it did. Good is what
	// the emulator would answer. It is set before the first call.
	Fault func(w http.ResponseWriter, r *http.Request, key, op string, n int, good []byte) bool

	mu    sync.Mutex
	keys  map[string]crypto.Signer
	calls map[string]int // by key and operation
}

// NewTransitEmulator starts one that ends with the test.
func NewTransitEmulator(t testing.TB) *TransitEmulator {
	t.Helper()
	e := &TransitEmulator{Token: "hvs.test-" + rand.Text(), keys: map[string]crypto.Signer{}, calls: map[string]int{}}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // first: a call that hangs would be waited for
	e.URL = server.URL
	return e
}

// AddKey gives it a key by that name.
func (e *TransitEmulator) AddKey(name string, key crypto.Signer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys[name] = key
}

// Calls says how often an operation was asked for with a key.
func (e *TransitEmulator) Calls(key, op string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls[key+" "+op]
}

// transitError is a refusal in the form of Vault.
type transitError struct {
	status  int
	message string
}

// ServeHTTP implements http.Handler.
func (e *TransitEmulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/transit/"), "/")
	if len(parts) < 2 {
		writeTransit(w, http.StatusNotFound, []byte(`{"errors":["no handler for route"]}`))
		return
	}
	op := map[string]string{"GET keys": "read", "PUT sign": "sign", "POST sign": "sign"}[r.Method+" "+parts[0]]
	e.mu.Lock()
	e.calls[parts[1]+" "+op]++
	n, key := e.calls[parts[1]+" "+op], e.keys[parts[1]]
	e.mu.Unlock()
	good, refused := e.answer(r, op, key, parts[2:])
	if e.Fault != nil && e.Fault(w, r, parts[1], op, n, good) {
		return
	}
	if refused != nil {
		body, _ := json.Marshal(map[string][]string{"errors": {refused.message}}) // strings always marshal
		writeTransit(w, refused.status, body)
		return
	}
	writeTransit(w, http.StatusOK, good)
}

func writeTransit(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

func (e *TransitEmulator) answer(r *http.Request, op string, key crypto.Signer, rest []string) ([]byte, *transitError) {
	var data map[string]any
	var err error
	switch {
	case r.Header.Get("X-Vault-Token") != e.Token:
		return nil, &transitError{http.StatusForbidden, "permission denied"}
	case op == "read" && key == nil:
		return nil, &transitError{http.StatusNotFound, "no such key"}
	case op == "read":
		data, err = transitKey(key)
	case op == "sign" && key == nil:
		return nil, &transitError{http.StatusBadRequest, "signing key not found"}
	case op == "sign" && len(rest) == 1:
		data, err = transitSignature(r.Body, key, rest[0])
	default:
		return nil, &transitError{http.StatusMethodNotAllowed, "unsupported operation"}
	}
	if err != nil {
		return nil, &transitError{http.StatusBadRequest, err.Error()}
	}
	body, err := json.Marshal(map[string]any{"request_id": "0", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data})
	if err != nil {
		return nil, &transitError{http.StatusInternalServerError, err.Error()}
	}
	return body, nil
}

// transitKey is what reading a key answers.
func transitKey(key crypto.Signer) (map[string]any, error) {
	name, public := "ed25519", ""
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		name = fmt.Sprintf("rsa-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		name = "ecdsa-" + strings.ToLower(strings.ReplaceAll(k.Params().Name, "-", ""))
	case ed25519.PublicKey:
		public = base64.StdEncoding.EncodeToString(k)
	}
	if public == "" {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, err
		}
		public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	version := map[string]any{"name": name, "public_key": public, "creation_time": "2026-06-01T00:00:00Z"}
	return map[string]any{"type": name, "latest_version": 1, "min_decryption_version": 1, "supports_signing": true, "keys": map[string]any{"1": version}}, nil
}

// transitSignature signs as Vault does: RSA with PSS unless pkcs1v15 is asked for,
// ECDSA in ASN.1.
func transitSignature(body io.Reader, key crypto.Signer, hashName string) (map[string]any, error) {
	var in struct {
		Input       []byte `json:"input"`
		Prehashed   bool   `json:"prehashed"`
		Algorithm   string `json:"signature_algorithm"`
		Marshaling  string `json:"marshaling_algorithm"`
		KeyVersion  any    `json:"key_version"`
		HashInInput string `json:"hash_algorithm"`
	}
	if err := json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&in); err != nil {
		return nil, fmt.Errorf("the request cannot be read: %w", err)
	}
	hash := map[string]crypto.Hash{"sha2-256": crypto.SHA256, "sha2-384": crypto.SHA384, "sha2-512": crypto.SHA512}[hashName]
	switch {
	case hash == 0:
		return nil, fmt.Errorf("unsupported hash algorithm %q", hashName)
	case !in.Prehashed:
		return nil, fmt.Errorf("this emulator signs digests only")
	case in.Marshaling != "" && in.Marshaling != "asn1":
		return nil, fmt.Errorf("this emulator marshals as asn1 only")
	case len(in.Input) != hash.Size():
		return nil, fmt.Errorf("input of %d bytes is no %s digest", len(in.Input), hashName)
	}
	var opts crypto.SignerOpts = hash
	if _, ok := key.Public().(*rsa.PublicKey); ok && in.Algorithm != "pkcs1v15" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := key.Sign(rand.Reader, in.Input, opts)
	if err != nil {
		return nil, err
	}
	return map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(signature), "key_version": 1}, nil
}
