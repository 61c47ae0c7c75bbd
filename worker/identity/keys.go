package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/runwrit/writ/internal/guard"
)

// Limits of a set of keys.
const (
	maxSetSize = 256 << 10
	maxSetKeys = 100
	maxKeyID   = 256
	minRSABits = 2048
	maxRSABits = 8192
)

// publicKey is a key of an issuer.
type publicKey struct {
	id        string
	algorithm string // "" for any that fits the kind of key
	key       any
}

// fits says that the key is for an algorithm: of the kind that it needs, and not
// said to be for another one.
func (k *publicKey) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return algorithm == "RS256" || algorithm == "PS256"
	case *ecdsa.PublicKey:
		return algorithm == "ES256" && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// parseSet reads a JSON Web Key Set. Keys that cannot verify a token are left
// out. A set with a secret in it is refused: whoever reads it could sign.
func parseSet(data []byte) ([]publicKey, error) {
	if len(data) > maxSetSize {
		return nil, fmt.Errorf("the set of keys has more than %d bytes", maxSetSize)
	}
	fields, err := object(data)
	if err != nil {
		return nil, fmt.Errorf("the set of keys %w", err)
	}
	list, ok := fields["keys"].([]any)
	if !ok || len(list) > maxSetKeys {
		return nil, fmt.Errorf("the set of keys has no list of at most %d keys", maxSetKeys)
	}
	var keys []publicKey
	for n, item := range list {
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("key %d of the set is not an object", n+1)
		}
		for _, secret := range []string{"k", "d", "p", "q", "dp", "dq", "qi", "oth"} {
			if _, there := fields[secret]; there || fields["kty"] == "oct" {
				return nil, fmt.Errorf("key %d of the set is not a public key", n+1)
			}
		}
		if key := parseKey(fields); key != nil {
			keys = append(keys, *key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the set of keys has none that could verify a token")
	}
	return keys, nil
}

// parseKey reads one key; nil if no token is verified with it.
func parseKey(fields map[string]any) *publicKey {
	k := &publicKey{}
	k.id, _ = text(fields, "kid")
	k.algorithm, _ = text(fields, "alg")
	parts := map[string][]string{"RSA": {"kty", "n", "e"}, "EC": {"kty", "crv", "x", "y"}, "OKP": {"kty", "crv", "x"}}
	kty, _ := text(fields, "kty")
	use, hasUse := fields["use"]
	ops, okOps := listOf(fields, "key_ops")
	_, hasOps := fields["key_ops"]
	if k.id == "" || len(k.id) > maxKeyID || parts[kty] == nil || hasUse && use != "sig" && use != "jwt-svid" || hasOps && (!okOps || !slices.Contains(ops, "verify")) {
		return nil
	}
	// The library sees nothing but the numbers: no certificate, no address.
	plain := map[string]any{}
	for _, name := range parts[kty] {
		plain[name] = fields[name]
	}
	data, err := json.Marshal(plain)
	if err != nil {
		return nil
	}
	parsed, err := jwk.ParseKey(data)
	if err != nil || jwk.Export(parsed, &k.key) != nil {
		return nil
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSABits || n > maxRSABits || key.E < 3 || key.E%2 == 0 {
			return nil
		}
	case *ecdsa.PublicKey:
		if _, err := key.ECDH(); err != nil { // not on its curve
			return nil
		}
	}
	return k
}

// keySource finds the keys of an issuer.
type keySource interface {
	// find returns the keys of this ID.
	find(ctx context.Context, id string, now time.Time) ([]publicKey, error)
}

func newKeySource(i *Issuer, o IssuersOptions) keySource {
	if i.JWKS != "" {
		return &keyFile{i.JWKS, o.Guarded}
	}
	return newKeyAddress(i.JWKSURL, o)
}

func named(keys []publicKey, id string) []publicKey {
	return slices.DeleteFunc(slices.Clone(keys), func(k publicKey) bool { return k.id != id })
}

// keyFile reads a file each time: it may be replaced while an agent runs.
type keyFile struct {
	path    string
	guarded bool
}

func (f *keyFile) find(_ context.Context, id string, _ time.Time) ([]publicKey, error) {
	data, err := guard.ReadFile(f.path, maxSetSize+1, f.guarded)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", f.path, err)
	}
	keys, err := parseSet(data)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", f.path, err)
	}
	return named(keys, id), nil
}
