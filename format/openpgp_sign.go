package format

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/internal/witness"
	"github.com/runwrit/writ/signer"
)

// openpgpHash is the hash function of all signatures that are made here, but for
// those by a key whose keeper signs the digests of another one only.
const openpgpHash = crypto.SHA512

// openpgpHashNames are the functions that signatures are made with, as a Hash
// header names them.
var openpgpHashNames = map[crypto.Hash]string{crypto.SHA256: "SHA256", crypto.SHA384: "SHA384", crypto.SHA512: "SHA512"}

// openpgpDigest is the hash function that key signs with, and its name.
func openpgpDigest(key *signer.Key) (crypto.Hash, string, error) {
	h := key.Hash()
	if h == 0 {
		h = openpgpHash
	}
	name, known := openpgpHashNames[h]
	if !known {
		return 0, "", &signer.KeyError{Source: key.Source(), Msg: fmt.Sprintf("it signs digests of %s only: an OpenPGP signature needs SHA-256, SHA-384 or SHA-512", h)}
	}
	return h, name, nil
}

// signText makes one signature packet over text: version 4, type 0x01, dated by
// clock, with the issuer's fingerprint and the notations in the hashed part. It
// fails with *signer.KeyError if no key of key may sign now.
func signText(ctx context.Context, key *signer.Key, text []byte, notations []signer.Notation, clock func() time.Time) ([]byte, error) {
	if clock == nil {
		clock = time.Now
	}
	if kept := key.GPG(); kept != nil {
		return signWithGPG(ctx, key, text, notations, clock)
	}
	hash, _, err := openpgpDigest(key)
	if err != nil {
		return nil, err
	}
	entity, err := key.OpenPGP()
	if err != nil {
		return nil, err
	}
	now := clock().UTC()
	private, err := signingKey(key.Source(), entity, now)
	if err != nil {
		return nil, err
	}
	made := &packet.Signature{Hash: hash, CreationTime: now}
	for _, n := range notations {
		made.Notations = append(made.Notations, &packet.Notation{Name: n.Name, Value: []byte(n.Value), IsHumanReadable: true})
	}
	return signWithKey(ctx, key.Source(), text, private, made)
}

// signingKey chooses the secret key that signs.
func signingKey(source string, entity *openpgp.Entity, now time.Time) (*packet.PrivateKey, error) {
	var public bytes.Buffer
	if err := entity.Serialize(&public); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "the certificate cannot be written: " + err.Error()}
	}
	chosen, err := chooseKey(source, public.Bytes(), now, func(fingerprint string) bool {
		return privateKey(entity, fingerprint) != nil
	})
	if err != nil {
		return nil, err
	}
	return privateKey(entity, chosen.Fingerprint), nil
}

// chooseKey chooses among the keys of a certificate that have a secret part at
// hand: the newest subkey that a verifier would accept now, or else the primary
// key.
func chooseKey(source string, certificate []byte, now time.Time, atHand func(fingerprint string) bool) (*pgpcert.Key, error) {
	loader := pgpcert.NewLoader()
	if err := loader.Add(source, certificate); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: err.Error()}
	}
	ring := loader.Ring()
	if len(ring.Certificates()) != 1 {
		return nil, &signer.KeyError{Source: source, Msg: "the certificate cannot be used"}
	}
	var best *pgpcert.Key
	reason := "it has no secret key that could sign"
	for i, k := range ring.Certificates()[0].Keys() {
		if !atHand(k.Fingerprint) {
			continue
		}
		if problem := cannotSign(k, now); problem != "" {
			reason = problem
			continue
		}
		isPrimary := best != nil && best.Fingerprint == best.Certificate().Fingerprint
		if best == nil || i > 0 && (isPrimary || k.Created().After(best.Created())) {
			best = k
		}
	}
	if best == nil {
		return nil, &signer.KeyError{Source: source, Msg: "no key of it may sign now: " + reason}
	}
	return best, nil
}

// cannotSign says why a key cannot sign; "" if it can. Of several reasons, the
// one that a verifier would give.
func cannotSign(k *pgpcert.Key, now time.Time) string {
	if problem := k.Judge(now).Problem(); problem != "" {
		return problem
	}
	if k.Version() != 4 {
		return fmt.Sprintf("a key of version %d makes signatures that GnuPG cannot read", k.Version())
	}
	return ""
}

// privateKey returns the unlocked secret key of that fingerprint, or nil.
func privateKey(entity *openpgp.Entity, fingerprint string) *packet.PrivateKey {
	candidates := []*packet.PrivateKey{entity.PrivateKey}
	for _, s := range entity.Subkeys {
		candidates = append(candidates, s.PrivateKey)
	}
	for _, k := range candidates {
		if k != nil && !k.Dummy() && !k.Encrypted && strings.EqualFold(fmt.Sprintf("%x", k.Fingerprint), fingerprint) {
			return k
		}
	}
	return nil
}

// signWithKey makes the packet with a secret key that is in memory, or with one
// that is kept elsewhere, whose keeper is asked once.
func signWithKey(ctx context.Context, source string, text []byte, private *packet.PrivateKey, sig *packet.Signature) ([]byte, error) {
	h := sig.Hash.New()
	_ = cleartext.HashText(h, text) // a hash does not fail
	sig.Version = private.Version
	sig.SigType = packet.SigTypeText
	sig.PubKeyAlgo = private.PubKeyAlgo
	sig.IssuerKeyId = &private.KeyId
	config := &packet.Config{NonDeterministicSignaturesViaNotation: packet.BoolPointer(false)}
	private, asked := witnessed(ctx, private)
	err := sig.Sign(h, private, config)
	if asked.Failed() != nil {
		return nil, keeperError(ctx, source, asked.Failed())
	}
	if err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "sign: " + err.Error()}
	}
	var out bytes.Buffer
	// For some algorithms go-crypto reports a failure only here.
	if err := sig.Serialize(&out); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "sign: " + err.Error()}
	}
	return out.Bytes(), nil
}

// witnessed puts a witness before a private key that go-crypto asks as a
// crypto.Signer, which it does for RSA and ECDSA only: for RSA it drops the error,
// and the user would not be told why a KMS refused.
func witnessed(ctx context.Context, private *packet.PrivateKey) (*packet.PrivateKey, *witness.Signer) {
	kept, ok := private.PrivateKey.(crypto.Signer)
	if !ok || private.PubKeyAlgo != packet.PubKeyAlgoRSA && private.PubKeyAlgo != packet.PubKeyAlgoECDSA {
		return private, witness.New(nil)
	}
	asked := witness.New(signer.WithContext(ctx, kept))
	lent := *private
	lent.PrivateKey = asked
	return &lent, asked
}

// keeperError is why a key did not sign: what a KMS fails with says it already.
func keeperError(ctx context.Context, source string, err error) error {
	var known *signer.KeyError
	if errors.As(err, &known) || ctx.Err() != nil {
		return err
	}
	return &signer.KeyError{Source: source, Msg: "sign: " + err.Error()}
}
