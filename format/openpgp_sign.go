package format

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/signer"
)

// openpgpHash is the hash function of all signatures that are made here.
const (
	openpgpHash     = crypto.SHA512
	openpgpHashName = "SHA512"
)

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
	entity, err := key.OpenPGP()
	if err != nil {
		return nil, err
	}
	now := clock().UTC()
	private, err := signingKey(key.Source(), entity, now)
	if err != nil {
		return nil, err
	}
	return signWithKey(key.Source(), text, private, notations, now)
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

// signWithKey makes the packet with a secret key that is in memory.
func signWithKey(source string, text []byte, private *packet.PrivateKey, notations []signer.Notation, now time.Time) ([]byte, error) {
	h := openpgpHash.New()
	_ = cleartext.HashText(h, text) // a hash does not fail
	sig := &packet.Signature{
		Version:      private.Version,
		SigType:      packet.SigTypeText,
		PubKeyAlgo:   private.PubKeyAlgo,
		Hash:         openpgpHash,
		CreationTime: now,
		IssuerKeyId:  &private.KeyId,
	}
	for _, n := range notations {
		sig.Notations = append(sig.Notations, &packet.Notation{Name: n.Name, Value: []byte(n.Value), IsHumanReadable: true})
	}
	config := &packet.Config{NonDeterministicSignaturesViaNotation: packet.BoolPointer(false)}
	if err := sig.Sign(h, private, config); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "sign: " + err.Error()}
	}
	var out bytes.Buffer
	// For some algorithms go-crypto reports a signer's failure only here.
	if err := sig.Serialize(&out); err != nil {
		return nil, &signer.KeyError{Source: source, Msg: "sign: " + err.Error()}
	}
	return out.Bytes(), nil
}
