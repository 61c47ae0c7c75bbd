package signer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxSignature is the longest signature in bytes that a keeper may answer with;
// RSA-4096 takes 512.
const maxSignature = 1024

// opaque is a key whose private half stays with its keeper. The public half is
// asked for once. Each signature is one call, held against the public key before
// anyone gets it. It may be used by several goroutines.
type opaque struct {
	keeper *keeper
	public crypto.PublicKey
	hash   crypto.Hash
	sign   func(ctx context.Context, digest []byte) ([]byte, error)

	mu     sync.Mutex
	failed error // why the keeper is not asked again
}

// Public implements crypto.Signer.
func (o *opaque) Public() crypto.PublicKey { return o.public }

// Sign implements crypto.Signer. It fails with *KeyError.
func (o *opaque) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.signWithin(context.Background(), digest, opts)
}

// signWithin fails with the cause if ctx ends before there is an answer. After a
// failure that will not pass the keeper is not asked again: a token locks itself
// after a few wrong PINs, and a library of scripts is many calls.
func (o *opaque) signWithin(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss {
		return nil, &KeyError{o.keeper.source, "RSA-PSS is wanted here, and RSA keys in a KMS make signatures of PKCS#1 v1.5 only: take a key of ECDSA"}
	}
	if opts == nil || opts.HashFunc() != o.hash || len(digest) != o.hash.Size() {
		return nil, &KeyError{o.keeper.source, fmt.Sprintf("it was asked for another signature than one over a %s digest, the only kind that it makes", o.hash)}
	}
	if err := o.failure(); err != nil {
		return nil, err
	}
	signature, err := askKeeper(ctx, o.keeper, "sign", func(ctx context.Context) ([]byte, error) { return o.sign(ctx, digest) })
	if err == nil {
		if err = o.check(digest, signature); err == nil {
			return signature, nil
		}
	}
	var unavailable *UnavailableError
	if ctx.Err() == nil && !errors.As(err, &unavailable) {
		o.mu.Lock()
		o.failed = err
		o.mu.Unlock()
	}
	return nil, err
}

func (o *opaque) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// check holds an answer against the public key.
func (o *opaque) check(digest, signature []byte) error {
	refuse := func(msg string) error { return &KeyError{o.keeper.source, msg} }
	if len(signature) == 0 || len(signature) > maxSignature {
		return refuse(fmt.Sprintf("its keeper answered with %d bytes, which are no signature: nothing was signed", len(signature)))
	}
	switch public := o.public.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(public, digest, signature) {
			return nil
		}
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(public, o.hash, digest, signature) == nil {
			return nil
		}
		if rsa.VerifyPSS(public, o.hash, digest, signature, nil) == nil {
			return refuse("its keeper signs with RSA-PSS, which no format here can use: make a key for PKCS#1 v1.5 with " + o.hash.String())
		}
	}
	return refuse("what its keeper answered is no signature by the public key that it gave before (half an answer, another key, or a rotated one): nothing was signed; run writ again if the key was rotated")
}

// WithContext returns a signer whose calls end with ctx, for a key that lives
// elsewhere; of any other it returns s.
func WithContext(ctx context.Context, s crypto.Signer) crypto.Signer {
	if o, ok := s.(*opaque); ok {
		return &opaqueWithin{o, ctx}
	}
	return s
}

// opaqueWithin is an opaque whose calls end with a context.
type opaqueWithin struct {
	*opaque
	ctx context.Context //nolint:containedctx // crypto.Signer has no other way
}

func (o *opaqueWithin) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.signWithin(o.ctx, digest, opts)
}

// opaqueKey makes a key of a signer whose private half is elsewhere and that
// signs digests of hash only. What certFile holds says which kind: an OpenPGP
// certificate makes an OpenPGP key, X.509 certificates an X.509 key, "" a bare one.
func opaqueKey(source string, private crypto.Signer, hash crypto.Hash, certFile string) (key *Key, err error) {
	var certs []*x509.Certificate
	var openPGP []byte
	if certFile != "" {
		if certs, openPGP, err = readCertFile(certFile); err != nil {
			return nil, err
		}
	}
	switch {
	case openPGP != nil:
		return NewOpaqueOpenPGPKey(source, private, hash, openPGP)
	case certFile != "":
		key, err = x509KeyOf(source, private, certs)
	default:
		key, err = NewBareKey(source, private)
	}
	if err != nil {
		return nil, err
	}
	key.hash = hash
	return key, nil
}

// looksLikeOpenPGP says whether data is an OpenPGP certificate or key, armored or
// binary: each packet begins with the highest bit set, which DER and PEM do not.
func looksLikeOpenPGP(data []byte) bool {
	return bytes.Contains(data, []byte(beginPGPPublic)) || bytes.Contains(data, []byte(beginPGPSecret)) || len(data) > 0 && data[0]&0x80 != 0
}

// opaqueHash is the digest that a key in a KMS signs if nothing else is known of
// it, or *KeyError if no format can use the key.
func opaqueHash(source string, public crypto.PublicKey) (crypto.Hash, error) {
	if _, ok := public.(ed25519.PublicKey); ok {
		return 0, &KeyError{source, "an Ed25519 key in a KMS, which no format here can use: make one of RSA, or ECDSA on P-256 or P-384"}
	}
	if err := checkPublicKey(public); err != nil {
		return 0, &KeyError{source, err.Error()}
	}
	if k, ok := public.(*ecdsa.PublicKey); ok && k.Params().BitSize == 384 {
		return crypto.SHA384, nil
	}
	return crypto.SHA256, nil
}
