package signer

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	beginPGPSecret = "-----BEGIN PGP PRIVATE KEY BLOCK-----" //nolint:gosec // only the marker

	maxArmorBlocks = 16
	maxPackets     = 2_000
	maxSecretKeys  = 16
	maxRSABits     = 8192
)

// parseArmored reads the secret key blocks of an armored file.
func (f *keyFile) parseArmored(passphrase []byte) (*Key, error) {
	binary, err := f.unarmor(beginPGPSecret)
	if err != nil {
		return nil, err
	}
	return f.parsePackets(binary, passphrase)
}

// unarmor returns what is in the armored blocks that start with the line begin.
func (f *keyFile) unarmor(begin string) ([]byte, error) {
	var binary []byte
	parts := bytes.Split(f.data, []byte(begin))
	if len(parts)-1 > maxArmorBlocks {
		return nil, f.fail("more than %d armored blocks", maxArmorBlocks)
	}
	for _, part := range parts[1:] {
		block, err := armor.Decode(io.MultiReader(strings.NewReader(begin), bytes.NewReader(part)))
		if err != nil {
			return nil, f.fail("the armor cannot be read")
		}
		body, err := io.ReadAll(io.LimitReader(block.Body, MaxKeyFile))
		if err != nil {
			return nil, f.fail("the armor cannot be read: damaged or cut off")
		}
		binary = append(binary, body...)
	}
	return binary, nil
}

func (f *keyFile) parseBinaryOpenPGP(passphrase []byte) (*Key, error) {
	return f.parsePackets(f.data, passphrase)
}

// parsePackets chooses the only secret key and decrypts what can sign.
func (f *keyFile) parsePackets(data, passphrase []byte) (*Key, error) {
	if f.certs != nil || f.openPGP != nil {
		return nil, f.fail("an OpenPGP secret key, which has its certificate in it: leave out --cert")
	}
	if err := boundPackets(data); err != nil {
		return nil, f.fail("the OpenPGP key is refused: %s", err)
	}
	entities, err := openpgp.ReadKeyRing(bytes.NewReader(data))
	if err != nil {
		return nil, f.fail("the OpenPGP key cannot be read: damaged, on a smart card, or of a kind that writ does not know")
	}
	entities = slices.DeleteFunc(entities, func(e *openpgp.Entity) bool { return len(secretKeys(e)) == 0 })
	switch len(entities) {
	case 0:
		return nil, f.fail("no OpenPGP secret key in the file, or only stubs of keys that are kept offline or on a smart card")
	case 1:
	default:
		return nil, f.fail("several secret keys (%s): export only the one to sign with", fingerprints(entities))
	}
	entity := entities[0]
	if entity.PrimaryKey.Version != 4 && entity.PrimaryKey.Version != 6 {
		return nil, f.fail("an OpenPGP key of version %d: 4 and 6 are possible", entity.PrimaryKey.Version)
	}
	if err := f.decrypt(signingKeys(entity), passphrase); err != nil {
		return nil, err
	}
	return NewOpenPGPKey(f.source, entity)
}

// decrypt unlocks the keys that the passphrase unlocks, at least one of them:
// subkeys may have different passphrases.
func (f *keyFile) decrypt(keys []*packet.PrivateKey, passphrase []byte) error {
	locked := slices.DeleteFunc(slices.Clone(keys), func(k *packet.PrivateKey) bool { return !k.Encrypted })
	if len(locked) == 0 {
		return nil
	}
	for _, k := range locked {
		if err := checkS2K(k); err != nil {
			return f.fail("the OpenPGP key is refused: %s", err)
		}
	}
	if passphrase == nil {
		return errEncrypted
	}
	for _, k := range locked {
		// A wrong passphrase shows as any of several errors: what counts is
		// whether a key is left that can sign.
		_ = k.Decrypt(passphrase)
	}
	if !slices.ContainsFunc(keys, isUsable) {
		return f.fail("the passphrase is wrong")
	}
	return nil
}

// boundPackets looks at the packets before the library gives them a meaning:
// their number, their kinds, and the size of RSA numbers.
func boundPackets(data []byte) error {
	packets := packet.NewOpaqueReader(bytes.NewReader(data))
	keys := 0
	for n := 0; ; n++ {
		p, err := packets.Next()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil:
			return errors.New("malformed packets")
		case n == maxPackets:
			return fmt.Errorf("more than %d packets", maxPackets)
		}
		switch p.Tag {
		case 2, 10, 12, 13, 17, 21: // signature, marker, trust, user ID, user attribute, padding
		case 5, 6, 7, 14: // secret and public keys, and subkeys
			if p.Tag == 5 || p.Tag == 7 {
				keys++
			}
			if keys > maxSecretKeys {
				return fmt.Errorf("more than %d secret keys and subkeys", maxSecretKeys)
			}
			// version, time, algorithm, and for RSA the length of the modulus
			if c := p.Contents; len(c) > 8 && c[5] <= 3 && int(c[6])<<8|int(c[7]) > maxRSABits {
				return fmt.Errorf("an RSA key of more than %d bits", maxRSABits)
			}
		default:
			return fmt.Errorf("a packet of type %d, which is not part of a key", p.Tag)
		}
	}
}

// Limits of Argon2, the one derivation in OpenPGP whose cost is not bounded by
// its form.
const (
	maxArgonMemoryExp = 18 // 2^18 KiB = 256 MiB
	maxArgonPasses    = 16
	maxArgonLanes     = 64
)

// checkS2K finds the parameters of an encrypted key where the library writes
// them: after the public part.
func checkS2K(k *packet.PrivateKey) error {
	var whole, public bytes.Buffer
	if err := k.Serialize(&whole); err != nil {
		return errors.New("malformed")
	}
	if err := k.PublicKey.Serialize(&public); err != nil {
		return errors.New("malformed")
	}
	w, err := packet.NewOpaqueReader(&whole).Next()
	if err != nil {
		return errors.New("malformed")
	}
	p, err := packet.NewOpaqueReader(&public).Next()
	if err != nil || len(w.Contents) < len(p.Contents) {
		return errors.New("malformed")
	}
	// usage, [count,] cipher, [aead,] [length,] and the specifier
	s := w.Contents[len(p.Contents):]
	if len(s) == 0 {
		return errors.New("malformed")
	}
	at := 2
	if s[0] == byte(packet.S2KAEAD) {
		at++
	}
	if k.Version == 6 {
		at += 2
	}
	const argon2, argon2Salt = 4, 16
	if len(s) <= at || s[at] != argon2 {
		return nil
	}
	if len(s) < at+1+argon2Salt+3 {
		return errors.New("malformed")
	}
	cost := s[at+1+argon2Salt:]
	if cost[0] > maxArgonPasses || cost[1] > maxArgonLanes || cost[2] > maxArgonMemoryExp {
		return fmt.Errorf("a derivation by Argon2 with %d passes, %d lanes and 2^%d KiB of memory is too expensive (limits: %d, %d, 2^%d)",
			cost[0], cost[1], cost[2], maxArgonPasses, maxArgonLanes, maxArgonMemoryExp)
	}
	return nil
}

func fingerprints(entities openpgp.EntityList) string {
	var all []string
	for _, e := range entities {
		all = append(all, strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint)))
	}
	return strings.Join(all, ", ")
}
