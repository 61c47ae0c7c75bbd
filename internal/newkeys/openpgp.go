package newkeys

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/cleartext"
	"github.com/runwrit/writ/internal/lazyregexp"
)

// OpenPGPOptions says which OpenPGP key to make.
type OpenPGPOptions struct {
	// Algorithm of both keys: ed25519 (the default; the form that GnuPG 2.2
	// knows), rsa2048, rsa3072, rsa4096, p256, p384.
	Algorithm string
	// Name is the user ID: a name alone, or as in "Name (comment) <address>".
	Name string
	// Created is the time of creation; needed.
	Created time.Time
	// Lifetime of both keys; 0 means that they do not expire.
	Lifetime time.Duration
}

// OpenPGP makes a version 4 key: a primary key that only certifies, one user
// ID, and a subkey that signs. Self-signatures use SHA-512.
func OpenPGP(o OpenPGPOptions) (*openpgp.Entity, error) {
	if o.Name == "" || o.Created.IsZero() || o.Lifetime < 0 {
		return nil, errors.New("make an openpgp key: a name, a time of creation and a lifetime that is not negative are needed")
	}
	config, err := pgpConfig(o)
	if err != nil {
		return nil, err
	}
	primary, err := newPrimary(o, config)
	if err != nil {
		return nil, fmt.Errorf("make an openpgp key: %w", err)
	}
	e := &openpgp.Entity{
		PrimaryKey: &primary.PublicKey,
		PrivateKey: primary,
		Identities: map[string]*openpgp.Identity{},
	}
	if err := certify(e, o.Name, config); err != nil {
		return nil, fmt.Errorf("make an openpgp key: %w", err)
	}
	if err := e.AddSigningSubkey(config); err != nil {
		return nil, fmt.Errorf("make an openpgp key: %w", err)
	}
	return e, nil
}

func pgpConfig(o OpenPGPOptions) (*packet.Config, error) {
	config := &packet.Config{
		DefaultHash:     crypto.SHA512,
		DefaultCipher:   packet.CipherAES256,
		Time:            func() time.Time { return o.Created },
		KeyLifetimeSecs: uint32(o.Lifetime / time.Second),
	}
	switch o.Algorithm {
	case "", "ed25519":
		config.Algorithm, config.Curve = packet.PubKeyAlgoEdDSA, packet.Curve25519
	case "rsa2048", "rsa3072", "rsa4096":
		config.Algorithm = packet.PubKeyAlgoRSA
		config.RSABits = map[string]int{"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}[o.Algorithm]
	case "p256":
		config.Algorithm, config.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP256
	case "p384":
		config.Algorithm, config.Curve = packet.PubKeyAlgoECDSA, packet.CurveNistP384
	default:
		return nil, &AlgorithmError{o.Algorithm}
	}
	return config, nil
}

// newPrimary makes the primary key alone. The library makes a whole entity at
// once and keeps its curves to itself: for a curve the rest is thrown away, for
// RSA that would cost a second pair of primes.
func newPrimary(o OpenPGPOptions, config *packet.Config) (*packet.PrivateKey, error) {
	if config.Algorithm == packet.PubKeyAlgoRSA {
		key, err := newRSA(o.Algorithm)
		if err != nil {
			return nil, err
		}
		return packet.NewRSAPrivateKey(config.Now(), key), nil
	}
	whole, err := openpgp.NewEntity("thrown away", "", "", config)
	if err != nil {
		return nil, err
	}
	return whole.PrivateKey, nil
}

// certify gives e its user ID, with a self-signature that allows the primary
// key to certify and nothing else.
func certify(e *openpgp.Entity, name string, config *packet.Config) error {
	uid := newUserID(name)
	if uid == nil {
		return fmt.Errorf("user id %q has characters that it must not have: want a name, or Name <address>", name)
	}
	primary := true
	sig := &packet.Signature{
		Version:            e.PrimaryKey.Version,
		SigType:            packet.SigTypePositiveCert,
		PubKeyAlgo:         e.PrimaryKey.PubKeyAlgo,
		Hash:               config.Hash(),
		CreationTime:       config.Now(),
		IssuerKeyId:        &e.PrimaryKey.KeyId,
		IssuerFingerprint:  e.PrimaryKey.Fingerprint,
		IssuerKeyVersion:   uint8(e.PrimaryKey.Version),
		IsPrimaryId:        &primary,
		FlagsValid:         true,
		FlagCertify:        true,
		SEIPDv1:            true,
		PreferredHash:      []uint8{10, 9, 8}, // SHA-512, SHA-384, SHA-256
		PreferredSymmetric: []uint8{uint8(packet.CipherAES256), uint8(packet.CipherAES128)},
	}
	if config.KeyLifetimeSecs > 0 {
		sig.KeyLifetimeSecs = &config.KeyLifetimeSecs
	}
	if err := sig.SignUserId(uid.Id, e.PrimaryKey, e.PrivateKey, config); err != nil {
		return err
	}
	e.Identities[uid.Id] = &openpgp.Identity{
		Primary:            e,
		Name:               uid.Id,
		UserId:             uid,
		SelfCertifications: []*packet.VerifiableSignature{packet.NewVerifiableSig(sig)},
	}
	return nil
}

var userIDParts = lazyregexp.New(`^([^<>()]*[^<>() ])(?: \(([^<>()]+)\))?(?: <([^<>() ]+)>)?$`)

// newUserID returns nil for what is not of the form.
func newUserID(name string) *packet.UserId {
	parts := userIDParts.FindStringSubmatch(name)
	if parts == nil || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return nil
	}
	return packet.NewUserId(parts[1], parts[2], parts[3])
}

// ArmoredSecret returns the secret key in armor, encrypted if passphrase is not
// empty. It does not change e.
func ArmoredSecret(e *openpgp.Entity, passphrase []byte) ([]byte, error) {
	var buf bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&buf, nil); err != nil {
		return nil, fmt.Errorf("write an openpgp key: %w", err)
	}
	if len(passphrase) > 0 {
		again, err := openpgp.ReadEntity(packet.NewReader(&buf))
		if err != nil {
			return nil, fmt.Errorf("write an openpgp key: %w", err)
		}
		config := &packet.Config{DefaultCipher: packet.CipherAES256}
		if err := again.EncryptPrivateKeys(passphrase, config); err != nil {
			return nil, fmt.Errorf("write an openpgp key: %w", err)
		}
		buf.Reset()
		if err := again.SerializePrivateWithoutSigning(&buf, nil); err != nil {
			return nil, fmt.Errorf("write an openpgp key: %w", err)
		}
	}
	return cleartext.Armor("PGP PRIVATE KEY BLOCK", buf.Bytes()), nil
}

// ArmoredPublic returns the certificate of e in armor.
func ArmoredPublic(e *openpgp.Entity) ([]byte, error) {
	var buf bytes.Buffer
	if err := e.Serialize(&buf); err != nil {
		return nil, fmt.Errorf("write an openpgp certificate: %w", err)
	}
	return cleartext.Armor("PGP PUBLIC KEY BLOCK", buf.Bytes()), nil
}
