//go:build !nosigstore

// Package sigstoreclient asks the services of a Sigstore: Fulcio for a certificate,
// Rekor for an entry of its log. It speaks to them with the clients of sigstore-go,
// over package endpoint: nothing is asked but the address that was given, with
// limits, and no error holds what was sent.
//
// It looks only at what a certificate is for. Whether anybody should believe the
// certificate or the entry, the verifier says, by a trusted root.
package sigstoreclient

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/oidctoken"
)

// clockSkew is how far ahead the clock of a certificate authority may be.
const clockSkew = 5 * time.Minute

// keypair is a P-256 key in the form of the library.
type keypair struct{ *ecdsa.PrivateKey }

func (keypair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}

func (keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

func (keypair) GetHint() []byte { return nil }

func (keypair) GetKeyAlgorithm() string { return "ECDSA" }

func (k keypair) GetPublicKey() crypto.PublicKey { return k.Public() }

func (k keypair) GetPublicKeyPem() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

func (k keypair) SignData(_ context.Context, data []byte) (signature, digest []byte, err error) {
	sum := sha256.Sum256(data)
	signature, err = k.Sign(rand.Reader, sum[:], crypto.SHA256)
	return signature, sum[:], err
}

// Certificate has the Fulcio at u certify the key, a P-256 key, for whom the token
// names. It fails with *endpoint.Error. The certificate is for the key, for signing
// code, and valid now; whose it is, the caller looks at.
func Certificate(ctx context.Context, u *url.URL, token oidctoken.Token, key *ecdsa.PrivateKey, now time.Time, o endpoint.Options) (*x509.Certificate, error) {
	t := endpoint.New(ctx, "fulcio", u, o, http.StatusOK, http.StatusCreated)
	client := sign.NewFulcio(&sign.FulcioOptions{BaseURL: strings.TrimSuffix(u.String(), "/"), Timeout: -1, Transport: t})
	der, err := client.GetCertificate(ctx, keypair{key}, &sign.CertificateProviderOptions{IDToken: token.Raw()})
	if err != nil {
		return nil, explained(ctx, t, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, t.Refuse("the answer holds no certificate that can be read")
	}
	return leaf, checkCertificate(t, leaf, key, now)
}

// explained brings an error of the library into one that holds nothing of what was
// sent or answered.
func explained(ctx context.Context, t *endpoint.Transport, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var known *endpoint.Error
	if !errors.As(err, &known) {
		return t.Refuse("the answer is not what such a service says")
	}
	switch known.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		refused := *known
		refused.Msg += ": it does not take this identity token"
		return &refused
	case http.StatusNotFound:
		missing := *known
		missing.Msg += ": there is no such service at this address"
		return &missing
	}
	return known
}

func checkCertificate(t *endpoint.Transport, leaf *x509.Certificate, key *ecdsa.PrivateKey, now time.Time) error {
	public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || !public.Equal(key.Public()):
		return t.Refuse("the certificate is for another key than the one that was sent")
	case leaf.IsCA, leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0, !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageCodeSigning):
		return t.Refuse("the certificate is not one for signing code")
	case !now.Before(leaf.NotAfter):
		return t.Refuse("the certificate has expired: it was valid until " + leaf.NotAfter.UTC().Format(time.RFC3339))
	case leaf.NotBefore.Sub(now) > clockSkew:
		return t.Refuse("the certificate is not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339) + ": is the clock right?")
	}
	return nil
}
