package signer

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/pgpcert"
	"github.com/runwrit/writ/internal/witness"
)

// maxUserID bounds the user ID of a certificate, in bytes.
const maxUserID = 256

// CertificateOptions say what an OpenPGP certificate tells of its key.
type CertificateOptions struct {
	// UserID names the holder of the key, such as "Runbook signing (KMS)".
	UserID string
	// Created is when the key was made, to the second. It is a part of the key:
	// with another time it is another key with another fingerprint. Needed.
	Created time.Time
	// Lifetime is how long after Created the key expires; 0 means never.
	Lifetime time.Duration
	// Hash is the only function whose digests the private key signs; 0 for any.
	Hash crypto.Hash
}

// NewOpenPGPCertificate makes the certificate of a private key that cannot be
// taken out, such as one in a KMS: a primary key that certifies and signs, and one
// user ID, which the private key is asked to sign, once. It returns the certificate
// in armor and its fingerprint. The same key, time, name and lifetime make a
// certificate with the same fingerprint. It fails with *KeyError.
func NewOpenPGPCertificate(source string, private crypto.Signer, o CertificateOptions) (armored []byte, fingerprint string, err error) {
	if private == nil {
		return nil, "", &KeyError{source, "a private key is needed"}
	}
	if problem := o.problem(); problem != "" {
		return nil, "", &KeyError{source, problem}
	}
	public, err := openPGPPublicKey(private.Public(), o.Created.UTC().Truncate(time.Second))
	if err != nil {
		return nil, "", &KeyError{source, err.Error()}
	}
	entity, err := selfSign(public, private, o)
	var known *KeyError
	if errors.As(err, &known) { // what a KMS fails with says it already
		return nil, "", err
	}
	if err != nil {
		return nil, "", &KeyError{source, "make an OpenPGP certificate: " + err.Error()}
	}
	if armored, err = armorPublic(entity); err != nil {
		return nil, "", &KeyError{source, "the OpenPGP certificate cannot be written"}
	}
	// Whoever signs with it must be able to, and verifiers must take it.
	if _, err := NewOpaqueOpenPGPKey(source, private, o.Hash, armored); err != nil {
		return nil, "", err
	}
	if problem := certificateProblem(armored, o.Created); problem != "" {
		return nil, "", &KeyError{source, "the OpenPGP certificate that was made is not good, and was thrown away: " + problem}
	}
	return armored, fingerprintOf(public), nil
}

// problem says what is wrong with the options, "" for nothing.
func (o *CertificateOptions) problem() string {
	switch {
	case o.UserID == "" || o.UserID != strings.TrimSpace(o.UserID):
		return "a user ID is needed, without blanks around it"
	case len(o.UserID) > maxUserID:
		return fmt.Sprintf("a user ID of more than %d bytes", maxUserID)
	case !utf8.ValidString(o.UserID) || strings.ContainsFunc(o.UserID, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "the user ID has characters that cannot be shown"
	case o.Created.Unix() <= 0 || o.Created.Unix() > math.MaxUint32:
		return "a time of creation is needed that OpenPGP can write: from 1970 to 2106"
	case o.Lifetime < 0 || o.Lifetime > 0 && o.Lifetime < time.Second || o.Lifetime/time.Second > math.MaxUint32:
		return "the lifetime must be none, or between a second and 136 years"
	}
	return ""
}

// selfSign makes the entity and has the private key sign its user ID.
func selfSign(public *packet.PublicKey, private crypto.Signer, o CertificateOptions) (*openpgp.Entity, error) {
	hash := o.Hash
	if hash == 0 {
		hash = crypto.SHA512
	}
	primary := true
	sig := &packet.Signature{
		Version:      public.Version,
		SigType:      packet.SigTypePositiveCert,
		PubKeyAlgo:   public.PubKeyAlgo,
		Hash:         hash,
		CreationTime: public.CreationTime, // so that the certificate can be made again
		IssuerKeyId:  &public.KeyId,
		IsPrimaryId:  &primary,
		FlagsValid:   true,
		FlagCertify:  true,
		FlagSign:     true,
		// What others should use with this key (RFC 9580 sections 9.3 to 9.5): SHA-512,
		// SHA-384, SHA-256; AES-256, AES-192, AES-128; no compression. Nobody encrypts to
		// it, but tools expect to be told.
		SEIPDv1:              true,
		PreferredHash:        []uint8{10, 9, 8},
		PreferredSymmetric:   []uint8{uint8(packet.CipherAES256), uint8(packet.CipherAES192), uint8(packet.CipherAES128)},
		PreferredCompression: []uint8{uint8(packet.CompressionNone)},
	}
	if o.Lifetime > 0 {
		seconds := uint32(o.Lifetime / time.Second)
		sig.KeyLifetimeSecs = &seconds
	}
	asked := witness.New(private) // for RSA the library drops the error
	config := &packet.Config{NonDeterministicSignaturesViaNotation: packet.BoolPointer(false)}
	err := sig.SignUserId(o.UserID, public, &packet.PrivateKey{PublicKey: *public, PrivateKey: asked}, config)
	if asked.Failed() != nil {
		err = asked.Failed()
	}
	if err != nil {
		return nil, err
	}
	entity := &openpgp.Entity{PrimaryKey: public, Identities: map[string]*openpgp.Identity{}}
	entity.Identities[o.UserID] = &openpgp.Identity{
		Primary:            entity,
		Name:               o.UserID,
		UserId:             &packet.UserId{Id: o.UserID},
		SelfCertifications: []*packet.VerifiableSignature{packet.NewVerifiableSig(sig)},
	}
	// The library reports some failures only when a signature is written.
	if err := sig.Serialize(io.Discard); err != nil {
		return nil, errors.New("the key did not sign")
	}
	return entity, nil
}

// certificateProblem says why a verifier would not let the primary key sign at
// that time; "" if it would. It is what finds a wrong self-signature.
func certificateProblem(armored []byte, at time.Time) string {
	loader := pgpcert.NewLoader()
	if err := loader.Add("the new certificate", armored); err != nil {
		return err.Error()
	}
	certificates := loader.Ring().Certificates()
	if len(certificates) != 1 || len(certificates[0].Keys()) == 0 {
		return "not one usable certificate"
	}
	return certificates[0].Keys()[0].Judge(at.Add(time.Second)).Problem()
}
