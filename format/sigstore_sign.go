//go:build !nosigstore

package format

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/runwrit/writ/internal/cms"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
)

// bundleV03 is the media type of the bundles that are made.
const bundleV03 = bundleMediaType + ".v0.3+json"

// madeBundle is a bundle in the order and form in which cosign writes it.
type madeBundle struct {
	MediaType            string `json:"mediaType"`
	VerificationMaterial struct {
		PublicKey   *bundleKey         `json:"publicKey,omitempty"`
		Certificate *bundleCertificate `json:"certificate,omitempty"`
		bundleEvidence
	} `json:"verificationMaterial"`
	MessageSignature messageSignature `json:"messageSignature"`
}

type bundleKey struct {
	Hint string `json:"hint"`
}

type bundleCertificate struct {
	RawBytes []byte `json:"rawBytes"`
}

type messageSignature struct {
	MessageDigest struct {
		Algorithm string `json:"algorithm"`
		Digest    []byte `json:"digest"`
	} `json:"messageDigest"`
	Signature []byte `json:"signature"`
}

// Sign makes a bundle of the runbook's exact bytes with an X.509, bare or keyless
// key. What certificate an X.509 key has plays no part: a verifier needs the public
// key.
func (s *Sigstore) Sign(ctx context.Context, rb *runbook.Runbook, key *signer.Key) ([]byte, error) {
	if runbook.IsSidecarName(rb.Name()) {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "by its name it is a signature beside another file", Fix: "name the runbook itself"}
	}
	var elsewhere bool
	if rb.View(func(data []byte) { elsewhere = foreign(data) }); elsewhere {
		return nil, &signer.InputError{Name: rb.Name(), Msg: "it is no runbook, but what is signed for another purpose (one ASN.1 value, or a JSON Web Signature): its signature would be good there", Fix: "find out who wants it signed"}
	}
	private, leaf, err := material(ctx, key)
	if err != nil {
		return nil, err
	}
	public := private.Public()
	if err := cms.CheckKey(public); err != nil {
		return nil, &signer.KeyError{Source: key.Source(), Msg: fmt.Sprintf("%v: RSA, P-256 and P-384 are possible for a Sigstore bundle", err)}
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, &signer.KeyError{Source: key.Source(), Msg: "its public key cannot be written"}
	}
	message, err := signMessage(ctx, rb, private, bundleHash(key, public))
	if err != nil {
		return nil, err
	}
	b := madeBundle{MediaType: bundleV03, MessageSignature: message}
	if leaf != nil {
		b.VerificationMaterial.Certificate = &bundleCertificate{leaf.Raw}
	} else {
		spki := sha256.Sum256(der)
		b.VerificationMaterial.PublicKey = &bundleKey{base64.StdEncoding.EncodeToString(spki[:])}
	}
	if b.VerificationMaterial.bundleEvidence, err = s.evidence(ctx, &message, leaf, der); err != nil {
		return nil, err
	}
	return json.Marshal(b)
}

// material is the private key, and the certificate that stands for it in the
// bundle, if one does.
func material(ctx context.Context, key *signer.Key) (crypto.Signer, *x509.Certificate, error) {
	if key.Kind() == signer.KindKeyless {
		return key.Certified(ctx)
	}
	private, err := key.Private()
	return private, nil, err
}

// bundleHash is the hash function that cosign signs with by such a key, unless its
// keeper has another.
func bundleHash(key *signer.Key, public crypto.PublicKey) crypto.Hash {
	if h := key.Hash(); h != 0 {
		return h
	}
	if k, ok := public.(*ecdsa.PublicKey); ok && k.Curve == elliptic.P384() {
		return crypto.SHA384
	}
	return crypto.SHA256
}

// signMessage signs the runbook's bytes.
func signMessage(ctx context.Context, rb *runbook.Runbook, private crypto.Signer, hash crypto.Hash) (m messageSignature, err error) {
	for algorithm, h := range bundleHashes {
		if h == hash {
			m.MessageDigest.Algorithm = algorithm.String()
		}
	}
	if m.MessageDigest.Algorithm == "" {
		return m, errors.New("the key signs digests of " + hash.String() + " only, which no Sigstore bundle can hold")
	}
	if err := ctx.Err(); err != nil {
		return m, context.Cause(ctx)
	}
	h := hash.New()
	rb.View(func(data []byte) { h.Write(data) })
	m.MessageDigest.Digest = h.Sum(nil)
	m.Signature, err = signer.WithContext(ctx, private).Sign(rand.Reader, m.MessageDigest.Digest, hash)
	return m, err
}
