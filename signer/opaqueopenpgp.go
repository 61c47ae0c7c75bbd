package signer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	beginPGPPublic = "-----BEGIN PGP PUBLIC KEY BLOCK-----"

	// openPGPVersion is that of keys and signatures which every GnuPG reads.
	openPGPVersion = 4
)

// NewOpaqueOpenPGPKey makes an OpenPGP key of a private key that cannot be taken
// out, such as one in a KMS, and the OpenPGP certificate, armored or binary, of
// which it is the primary key or a subkey. Its algorithm is RSA with 2048 to 4096
// bits, or ECDSA on P-256 or P-384. Hash is the only function whose digests it
// signs, 0 for any. It fails with *KeyError, also if the key is not in the
// certificate, or the certificate does not let it sign.
func NewOpaqueOpenPGPKey(source string, private crypto.Signer, hash crypto.Hash, certificate []byte) (*Key, error) {
	if private == nil {
		return nil, &KeyError{source, "a private key is needed"}
	}
	f := keyFile{source: source, data: certificate}
	entity, err := withinTime(context.Background(), source, f.parseCertificate)
	if err != nil {
		return nil, err
	}
	of, err := lendTo(entity, private)
	switch {
	case err != nil:
		return nil, f.fail("%s", err)
	case of == "":
		return nil, f.fail("not the key of the OpenPGP certificate %s: neither its primary key nor a subkey of it is this key; "+
			"the certificate may be of another key, or made with another time of creation", fingerprintOf(entity.PrimaryKey))
	case len(signingKeys(entity)) == 0:
		return nil, f.fail("the OpenPGP certificate does not let its key %s sign: it lacks the flag for signing", of)
	}
	key, err := NewOpenPGPKey(source, entity)
	if err != nil {
		return nil, err
	}
	key.hash = hash
	return key, nil
}

// parseCertificate reads the only certificate of a file.
func (f *keyFile) parseCertificate() (*openpgp.Entity, error) {
	data := f.data
	var err error
	switch {
	case len(data) > MaxKeyFile:
		return nil, f.fail("an OpenPGP certificate of more than %d bytes", MaxKeyFile)
	case bytes.Contains(data, []byte(beginPGPSecret)):
		return nil, f.fail("a secret OpenPGP key in the place of the certificate of a key that is kept elsewhere: export the certificate (gpg --export)")
	case bytes.Contains(data, []byte(beginPGPPublic)):
		if data, err = f.unarmor(beginPGPPublic); err != nil {
			return nil, err
		}
	}
	if err := boundPackets(data); err != nil {
		return nil, f.fail("the OpenPGP certificate is refused: %s", err)
	}
	entities, err := openpgp.ReadKeyRing(bytes.NewReader(data))
	switch {
	case err != nil || len(entities) == 0:
		return nil, f.fail("the OpenPGP certificate cannot be read: damaged, or of a kind that writ does not know")
	case len(entities) > 1:
		return nil, f.fail("several OpenPGP certificates (%s): give only that of the key", fingerprints(entities))
	}
	entity := entities[0]
	if entity.PrivateKey != nil {
		return nil, f.fail("a secret OpenPGP key in the place of the certificate of a key that is kept elsewhere: export the certificate (gpg --export)")
	}
	if v := entity.PrimaryKey.Version; v != openPGPVersion {
		return nil, f.fail("an OpenPGP certificate of version %d: only those of version 4 make signatures that GnuPG can read", v)
	}
	return entity, nil
}

// lendTo puts private in the place of the secret part of the keys of entity that
// it belongs to, and says which that is, "" for none.
func lendTo(entity *openpgp.Entity, private crypto.Signer) (fingerprint string, err error) {
	pub := private.Public()
	lend := func(k *packet.PublicKey) (*packet.PrivateKey, error) {
		own, err := openPGPPublicKey(pub, k.CreationTime)
		if err != nil || !bytes.Equal(own.Fingerprint, k.Fingerprint) {
			return nil, err
		}
		fingerprint = fingerprintOf(k)
		return &packet.PrivateKey{PublicKey: *k, PrivateKey: private}, nil
	}
	if entity.PrivateKey, err = lend(entity.PrimaryKey); err != nil {
		return "", err
	}
	for i := range entity.Subkeys {
		s := &entity.Subkeys[i]
		if s.PrivateKey, err = lend(s.PublicKey); err != nil {
			return "", err
		}
	}
	return fingerprint, nil
}

func fingerprintOf(k *packet.PublicKey) string {
	return strings.ToUpper(hex.EncodeToString(k.Fingerprint))
}

// The curves of keys in a KMS by the object identifiers that OpenPGP names them
// with (RFC 9580 section 9.2).
var (
	oidP256 = []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	oidP384 = []byte{0x2b, 0x81, 0x04, 0x00, 0x22}
)

// openPGPPublicKey is a public key as an OpenPGP key of that time of creation, of
// version 4. The time is a part of the key: its fingerprint covers it.
func openPGPPublicKey(pub crypto.PublicKey, created time.Time) (*packet.PublicKey, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 4096 {
			return nil, fmt.Errorf("an RSA key of %d bits: 2048 to 4096 are possible", bits)
		}
		return packet.NewRSAPublicKey(created, k), nil
	case *ecdsa.PublicKey:
		var oid []byte
		switch k.Curve {
		case elliptic.P256():
			oid = oidP256
		case elliptic.P384():
			oid = oidP384
		default:
			return nil, fmt.Errorf("an ECDSA key on the curve %s: P-256 and P-384 are possible", k.Curve.Params().Name)
		}
		return ecdsaPublicKey(k, oid, created)
	}
	return nil, errors.New("neither an RSA nor an ECDSA key: no others are possible for OpenPGP with a key that is kept elsewhere")
}

// ecdsaPublicKey goes by way of the packet: the library makes a key of that, and
// keeps its curves to itself.
func ecdsaPublicKey(k *ecdsa.PublicKey, oid []byte, created time.Time) (*packet.PublicKey, error) {
	point, err := k.Bytes() // 0x04 and both coordinates
	if err != nil {
		return nil, errors.New("an ECDSA key whose point is not on its curve")
	}
	body := binary.BigEndian.AppendUint32([]byte{openPGPVersion}, uint32(created.Unix())) // a time of OpenPGP has 32 bits
	body = append(body, byte(packet.PubKeyAlgoECDSA), byte(len(oid)))
	body = append(body, oid...)
	body = binary.BigEndian.AppendUint16(body, uint16(8*len(point)-5)) // the five highest bits are 0
	body = append(body, point...)
	const publicKeyPacket = 0xc6 // tag 6, with a length of one byte
	p, err := packet.Read(bytes.NewReader(append([]byte{publicKeyPacket, byte(len(body))}, body...)))
	if err != nil {
		return nil, errors.New("an ECDSA key that OpenPGP cannot hold")
	}
	made, ok := p.(*packet.PublicKey)
	if !ok {
		return nil, errors.New("an ECDSA key that OpenPGP cannot hold")
	}
	return made, nil
}
