package signer

import (
	"bytes"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/runwrit/writ/internal/cleartext"
)

// isUsable says whether the secret part is there and decrypted. GnuPG writes a
// dummy in place of a primary key that it keeps back.
func isUsable(k *packet.PrivateKey) bool {
	return k != nil && !k.Dummy() && !k.Encrypted && k.PrivateKey != nil
}

// secretKeys are the keys whose secret part is there, encrypted or not.
func secretKeys(e *openpgp.Entity) []*packet.PrivateKey {
	var keys []*packet.PrivateKey
	add := func(k *packet.PrivateKey) {
		if k != nil && !k.Dummy() {
			keys = append(keys, k)
		}
	}
	add(e.PrivateKey)
	for i := range e.Subkeys {
		add(e.Subkeys[i].PrivateKey)
	}
	return keys
}

// signingKeys are those secret keys that may sign, by what the certificate says
// of them; whether it says so validly is checked when they sign.
func signingKeys(e *openpgp.Entity) []*packet.PrivateKey {
	var keys []*packet.PrivateKey
	if e.PrivateKey != nil && !e.PrivateKey.Dummy() && primaryMaySign(e) {
		keys = append(keys, e.PrivateKey)
	}
	for i := range e.Subkeys {
		if k := e.Subkeys[i].PrivateKey; k != nil && !k.Dummy() && subkeyMaySign(&e.Subkeys[i]) {
			keys = append(keys, k)
		}
	}
	return keys
}

func primaryMaySign(e *openpgp.Entity) bool {
	if !e.PrimaryKey.PubKeyAlgo.CanSign() {
		return false
	}
	if mentionsSigning(e.DirectSignatures) {
		return true
	}
	for _, identity := range e.Identities {
		if mentionsSigning(identity.SelfCertifications) {
			return true
		}
	}
	return false
}

func subkeyMaySign(s *openpgp.Subkey) bool {
	return s.PublicKey.PubKeyAlgo.CanSign() && mentionsSigning(s.Bindings)
}

func mentionsSigning(signatures []*packet.VerifiableSignature) bool {
	for _, s := range signatures {
		if s.Packet != nil && s.Packet.FlagsValid && s.Packet.FlagSign {
			return true
		}
	}
	return false
}

// usableEntity copies e without the subkeys that cannot sign here, so that the
// library, which takes the newest signing subkey, takes one whose secret part
// is at hand. The copy has no verification results in it, which the library
// caches inside an entity without a lock.
func usableEntity(e *openpgp.Entity) *openpgp.Entity {
	c := &openpgp.Entity{
		PrimaryKey:       e.PrimaryKey,
		PrivateKey:       e.PrivateKey,
		Identities:       make(map[string]*openpgp.Identity, len(e.Identities)),
		Revocations:      unverified(e.Revocations),
		DirectSignatures: unverified(e.DirectSignatures),
	}
	for name, identity := range e.Identities {
		c.Identities[name] = &openpgp.Identity{
			Primary:             c,
			Name:                identity.Name,
			UserId:              identity.UserId,
			SelfCertifications:  unverified(identity.SelfCertifications),
			OtherCertifications: unverified(identity.OtherCertifications),
			Revocations:         unverified(identity.Revocations),
		}
	}
	for i := range e.Subkeys {
		s := &e.Subkeys[i]
		if !isUsable(s.PrivateKey) || !subkeyMaySign(s) {
			continue
		}
		c.Subkeys = append(c.Subkeys, openpgp.Subkey{
			Primary:     c,
			PublicKey:   s.PublicKey,
			PrivateKey:  s.PrivateKey,
			Bindings:    unverified(s.Bindings),
			Revocations: unverified(s.Revocations),
		})
	}
	return c
}

func unverified(signatures []*packet.VerifiableSignature) []*packet.VerifiableSignature {
	var fresh []*packet.VerifiableSignature
	for _, s := range signatures {
		fresh = append(fresh, packet.NewVerifiableSig(s.Packet))
	}
	return fresh
}

// armorPublic writes the certificate of e.
func armorPublic(e *openpgp.Entity) ([]byte, error) {
	var buf bytes.Buffer
	if err := e.Serialize(&buf); err != nil {
		return nil, err
	}
	return cleartext.Armor(openpgp.PublicKeyType, buf.Bytes()), nil
}
