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
// loopback. It is not Vault, which takes minutes to build, and knows only what
// signing takes: to read a key, to sign a digest, and to check the token. In that it
// is held to the recorded answers of a real one (signer/testdata/vault-answers.json).
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

// transitError is a refusal in the form of Vault; without a message it is empty.
type transitError struct {
	status  int
	message string
}

// among is a message in the form that Vault's core gives to most errors.
func among(messages ...string) string {
	head := "1 error occurred:"
	if len(messages) > 1 {
		head = fmt.Sprintf("%d errors occurred:", len(messages))
	}
	return head + "\n\t* " + strings.Join(messages, "\n\t* ") + "\n\n"
}

// ServeHTTP implements http.Handler.
func (e *TransitEmulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := append(strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/transit/"), "/"), "")
	op := map[string]string{"GET keys": "read", "PUT sign": "sign", "POST sign": "sign"}[r.Method+" "+parts[0]]
	e.mu.Lock()
	e.calls[parts[1]+" "+op]++
	n, key := e.calls[parts[1]+" "+op], e.keys[parts[1]]
	e.mu.Unlock()
	good, refused := e.answer(r, op, key, parts)
	if e.Fault != nil && e.Fault(w, r, parts[1], op, n, good) {
		return
	}
	if refused != nil {
		messages := []string{}
		if refused.message != "" {
			messages = append(messages, refused.message)
		}
		body, _ := json.Marshal(map[string][]string{"errors": messages}) // strings always marshal
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

func (e *TransitEmulator) answer(r *http.Request, op string, key crypto.Signer, parts []string) ([]byte, *transitError) {
	var data map[string]any
	var refused *transitError
	switch {
	case r.Header.Get("X-Vault-Token") != e.Token:
		return nil, &transitError{http.StatusForbidden, among("permission denied", "invalid token")}
	case op == "read" && key == nil:
		return nil, &transitError{http.StatusNotFound, ""}
	case op == "read":
		data, refused = transitKey(parts[1], key)
	case op == "sign" && key == nil:
		return nil, &transitError{http.StatusBadRequest, "signing key not found"}
	case op == "sign":
		data, refused = transitSignature(r.Body, key, parts[2])
	case parts[0] == "keys" || parts[0] == "sign":
		return nil, &transitError{http.StatusMethodNotAllowed, among("unsupported operation")}
	default:
		return nil, &transitError{http.StatusNotFound, among("unsupported path")}
	}
	if refused != nil {
		return nil, refused
	}
	body, err := json.Marshal(map[string]any{
		"request_id": "0", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data,
		"wrap_info": nil, "warnings": nil, "auth": nil, "mount_type": "transit",
	})
	if err != nil {
		return nil, &transitError{http.StatusInternalServerError, err.Error()}
	}
	return body, nil
}

// transitKey is what reading a key answers.
func transitKey(name string, key crypto.Signer) (map[string]any, *transitError) {
	kind, version, public := "ed25519", "ed25519", ""
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		kind = fmt.Sprintf("rsa-%d", k.N.BitLen())
		version = kind
	case *ecdsa.PublicKey:
		version = k.Params().Name
		kind = "ecdsa-" + strings.ToLower(strings.ReplaceAll(version, "-", ""))
	case ed25519.PublicKey:
		public = base64.StdEncoding.EncodeToString(k)
	}
	if public == "" {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return nil, &transitError{http.StatusInternalServerError, err.Error()}
		}
		public = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	encrypts := strings.HasPrefix(kind, "rsa-")
	return map[string]any{
		"name": name, "type": kind, "latest_version": 1,
		"keys": map[string]any{"1": map[string]any{
			"name": version, "public_key": public, "creation_time": "2026-06-01T00:00:00Z", "certificate_chain": "", "hybrid_public_key": "",
		}},
		"min_available_version": 0, "min_decryption_version": 1, "min_encryption_version": 0, "auto_rotate_period": 0,
		"allow_plaintext_backup": false, "deletion_allowed": false, "derived": false, "exportable": false, "imported_key": false,
		"supports_signing": true, "supports_encryption": encrypts, "supports_decryption": encrypts, "supports_derivation": kind == "ed25519",
	}, nil
}

// transitSignature signs as Vault does: RSA with PSS unless pkcs1v15 is asked for,
// ECDSA in ASN.1. What begins with "this emulator" is not in Vault.
func transitSignature(body io.Reader, key crypto.Signer, hashName string) (map[string]any, *transitError) {
	refuse := func(message string) (map[string]any, *transitError) {
		return nil, &transitError{http.StatusBadRequest, message}
	}
	var in struct {
		Input      string `json:"input"`
		Prehashed  bool   `json:"prehashed"`
		Algorithm  string `json:"signature_algorithm"`
		Marshaling string `json:"marshaling_algorithm"`
	}
	if err := json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&in); err != nil {
		return refuse("this emulator cannot read the request: " + err.Error())
	}
	digest, err := base64.StdEncoding.DecodeString(in.Input)
	hash := map[string]crypto.Hash{"sha2-256": crypto.SHA256, "sha2-384": crypto.SHA384, "sha2-512": crypto.SHA512}[hashName]
	switch {
	case hash == 0:
		return refuse(fmt.Sprintf("invalid hash algorithm %q", hashName))
	case err != nil:
		return refuse("unable to decode input: " + err.Error())
	case !in.Prehashed:
		return refuse("this emulator signs digests only")
	case in.Marshaling != "" && in.Marshaling != "asn1":
		return refuse("this emulator marshals as asn1 only")
	}
	var opts crypto.SignerOpts = hash
	if _, ok := key.Public().(*rsa.PublicKey); ok && in.Algorithm != "pkcs1v15" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := key.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, &transitError{http.StatusInternalServerError, among(err.Error())}
	}
	return map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(signature), "key_version": 1}, nil
}
